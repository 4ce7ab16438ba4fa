// Colours for code. highlight.js and its grammars are fetched when a block needs them.

const MAX_CODE_CHARS = 50_000; // colouring more would block the page
const MAX_SPANS_PER_WRITE = 80;
const NOTHING = { writes: [], milliseconds: 0 };

// One import for each, because collectstatic replaces these strings by the hashed names of files.
const GRAMMARS = {
  bash: () => import("../../vendor/highlight/bash.min.js"),
  c: () => import("../../vendor/highlight/c.min.js"),
  cpp: () => import("../../vendor/highlight/cpp.min.js"),
  csharp: () => import("../../vendor/highlight/csharp.min.js"),
  css: () => import("../../vendor/highlight/css.min.js"),
  diff: () => import("../../vendor/highlight/diff.min.js"),
  dockerfile: () => import("../../vendor/highlight/dockerfile.min.js"),
  go: () => import("../../vendor/highlight/go.min.js"),
  ini: () => import("../../vendor/highlight/ini.min.js"),
  java: () => import("../../vendor/highlight/java.min.js"),
  javascript: () => import("../../vendor/highlight/javascript.min.js"),
  json: () => import("../../vendor/highlight/json.min.js"),
  kotlin: () => import("../../vendor/highlight/kotlin.min.js"),
  php: () => import("../../vendor/highlight/php.min.js"),
  python: () => import("../../vendor/highlight/python.min.js"),
  ruby: () => import("../../vendor/highlight/ruby.min.js"),
  rust: () => import("../../vendor/highlight/rust.min.js"),
  sql: () => import("../../vendor/highlight/sql.min.js"),
  swift: () => import("../../vendor/highlight/swift.min.js"),
  typescript: () => import("../../vendor/highlight/typescript.min.js"),
  xml: () => import("../../vendor/highlight/xml.min.js"),
  yaml: () => import("../../vendor/highlight/yaml.min.js"),
};

const ALIASES = {
  "c#": "csharp",
  "c++": "cpp",
  console: "bash",
  cs: "csharp",
  docker: "dockerfile",
  golang: "go",
  h: "c",
  hpp: "cpp",
  htm: "xml",
  html: "xml",
  js: "javascript",
  jsonc: "json",
  jsx: "javascript",
  kt: "kotlin",
  mjs: "javascript",
  patch: "diff",
  py: "python",
  python3: "python",
  rb: "ruby",
  rs: "rust",
  sh: "bash",
  shell: "bash",
  svg: "xml",
  toml: "ini",
  ts: "typescript",
  tsx: "typescript",
  vue: "xml",
  yml: "yaml",
  zsh: "bash",
};

function findLanguage(pre) {
  const name = pre.dataset.language?.toLowerCase();
  return Object.hasOwn(GRAMMARS, name)
    ? name
    : Object.hasOwn(ALIASES, name)
      ? ALIASES[name]
      : undefined;
}

/**
 * @returns {Promise<{writes: (() => void)[], milliseconds: number}>} writes that show a piece each,
 *   and how long the page was blocked
 */
export async function highlightCode(pre) {
  const code = pre.querySelector("code");
  const text = code.textContent;
  const name = findLanguage(pre);
  if (!name || text.length > MAX_CODE_CHARS) return NOTHING;
  const [{ default: highlighter }, { default: grammar }] = await Promise.all([
    import("../../vendor/highlight/core.min.js"),
    GRAMMARS[name](),
  ]);
  if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, grammar);
  const start = performance.now();
  // Public is only the HTML, which would have to be parsed again.
  const { _emitter } = highlighter.highlight(text, { language: name, ignoreIllegals: true });
  const spans = _emitter.rootNode.children.map(createSpan);
  const milliseconds = performance.now() - start;
  return {
    writes: splitSpans(spans).map((piece) => () => replacePrefix(code.lastChild, piece)),
    milliseconds,
  };
}

/** Split into pieces that fit into a write. */
function splitSpans(spans) {
  const cut = [];
  let elements = MAX_SPANS_PER_WRITE;
  for (const span of spans) {
    if (elements >= MAX_SPANS_PER_WRITE) elements = cut.push([]) && 0;
    cut.at(-1).push(span);
    elements += 1 + (span.querySelectorAll?.("*").length ?? 0);
  }
  return cut;
}

/** Replace the beginning of a text by nodes with the same text. */
function replacePrefix(text, nodes) {
  text.before(...nodes);
  text.deleteData(
    0,
    nodes.reduce((length, node) => length + node.textContent.length, 0),
  );
  if (!text.length) text.remove();
}

/** highlight.js offers HTML; this makes elements from its tree instead. */
function createSpan(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = document.createElement("span");
  const [first, ...rest] = (node.scope ?? "").split(".");
  if (first)
    element.className = [`hljs-${first}`, ...rest.map((part, i) => part + "_".repeat(i + 1))].join(
      " ",
    );
  element.append(...node.children.map(createSpan));
  return element;
}
