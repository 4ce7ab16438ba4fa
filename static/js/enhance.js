// What makes finished blocks nicer and changes no word of them: a copy button and colours for
// code, and maths as it is set in books. Live and history alike; the page reads the same without.

import { applyMathVariants } from "./math-variants.js";

const MAX_CODE_CHARS = 50_000; // characters; colouring more would hold up the page
const MAX_FORMULA_CHARS = 2000;
const MAX_BRACE_DEPTH = 30; // within one another, in a formula
const MAX_FORMULA_ELEMENTS = 1000; // elements of a formula; and, within one another,
const MAX_FORMULA_DEPTH = 60;
const MAX_FORMULAS_PER_WRITE = 40; // formulas in one write; a whole text that comes at once may have hundreds
const MAX_NEW_FORMULA_CHARS_PER_WRITE = 1500; // of all of them
const MAX_PREPARED_FORMULAS = 100; // formulas that are kept until they are shown
const FORMULA = /^(\$\$|\$|\\\(|\\\[)([^]*?)(?:\$\$|\$|\\\)|\\\])$/;
const STYLE_COMMANDS = /\\(?:fcolorbox|pmb)\b/; // KaTeX sets these with a style attribute, which the policy refuses
const MAX_SPANS_PER_WRITE = 80; // of a program's colours in one write
const IDLE_AFTER_MS = 500; // milliseconds; a reply that writes nothing for so long leaves no frame for others
const COPIED_MS = 1500; // milliseconds that a button says so

// Spelled out, because the hashed file names of production are put in place of these strings.
const LANGUAGES = {
  bash: () => import("../vendor/highlight/bash.min.js"),
  c: () => import("../vendor/highlight/c.min.js"),
  cpp: () => import("../vendor/highlight/cpp.min.js"),
  csharp: () => import("../vendor/highlight/csharp.min.js"),
  css: () => import("../vendor/highlight/css.min.js"),
  diff: () => import("../vendor/highlight/diff.min.js"),
  dockerfile: () => import("../vendor/highlight/dockerfile.min.js"),
  go: () => import("../vendor/highlight/go.min.js"),
  ini: () => import("../vendor/highlight/ini.min.js"),
  java: () => import("../vendor/highlight/java.min.js"),
  javascript: () => import("../vendor/highlight/javascript.min.js"),
  json: () => import("../vendor/highlight/json.min.js"),
  kotlin: () => import("../vendor/highlight/kotlin.min.js"),
  php: () => import("../vendor/highlight/php.min.js"),
  python: () => import("../vendor/highlight/python.min.js"),
  ruby: () => import("../vendor/highlight/ruby.min.js"),
  rust: () => import("../vendor/highlight/rust.min.js"),
  sql: () => import("../vendor/highlight/sql.min.js"),
  swift: () => import("../vendor/highlight/swift.min.js"),
  typescript: () => import("../vendor/highlight/typescript.min.js"),
  xml: () => import("../vendor/highlight/xml.min.js"),
  yaml: () => import("../vendor/highlight/yaml.min.js"),
};

const ALIASES = {
  "c#": "csharp", "c++": "cpp", console: "bash", cs: "csharp", docker: "dockerfile", golang: "go", h: "c", hpp: "cpp",
  htm: "xml", html: "xml", js: "javascript", jsonc: "json", jsx: "javascript", kt: "kotlin", mjs: "javascript",
  patch: "diff", py: "python", python3: "python", rb: "ruby", rs: "rust", sh: "bash", shell: "bash", svg: "xml",
  toml: "ini", ts: "typescript", tsx: "typescript", vue: "xml", yml: "yaml", zsh: "bash",
};

const requestIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
const visibilityObserver = new IntersectionObserver(
  (entries) => {
    const resting = enhanceQueue.length === 0;
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      visibilityObserver.unobserve(target);
      enhanceQueue.push(target);
    }
    if (resting && enhanceQueue.length) requestIdle(enhanceNext);
  },
  { rootMargin: "600px" },
);
// A formula in a line is a stop of the keyboard only where it has to be pushed to be read.
const overflowObserver = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const enhanceQueue = []; // what is in sight, and gets its colours or its maths one at a time
const readyWrites = []; // what shows them, once they are made
const preparedFormulas = new Map(); // by their sources, formulas that a growing reply is about to show; null where it can't be
const knownFormulas = new WeakSet(); // formulas that were set, are waiting for it, or can't be
let cancelScheduledWrite = () => {}; // for what is ready
let katex = null;
let highlightMs = 0; // milliseconds that colours took since a growing reply asked

async function enhanceNext() {
  const target = enhanceQueue[0];
  const better = target.isConnected ? await (target.matches(".math") ? typesetFormula : highlightCode)(target).catch(() => []) : [];
  if (better.length && readyWrites.push(...better) === better.length) scheduleWrite();
  enhanceQueue.shift();
  if (enhanceQueue.length) requestIdle(enhanceNext);
}

/** While text grows, it leaves a frame for this, so that each has one write; while it is still, any frame will do. */
function scheduleWrite(still = false) {
  if (!still && document.querySelector("[aria-busy='true']")) {
    const timer = setTimeout(writeNext, IDLE_AFTER_MS, true);
    cancelScheduledWrite = () => clearTimeout(timer);
  } else {
    const frame = requestAnimationFrame(() => writeNext(true));
    cancelScheduledWrite = () => cancelAnimationFrame(frame);
  }
}

/** How long colours were made since this was asked last: a growing reply does the less in its next frame. */
export function takeHighlightMs() {
  const since = highlightMs;
  highlightMs = 0;
  return since;
}

/** Show one of what is ready to be shown: a piece of a program has spans enough for a frame. */
export function writeNext(still = false) {
  cancelScheduledWrite();
  const show = readyWrites.shift();
  show?.();
  if (readyWrites.length) scheduleWrite(still);
  return Boolean(show);
}

/**
 * @param {Iterable<Element>} blocks that will not change again
 * @param {number} atOnce how many formulas to set now, if KaTeX is here; the others when they come into sight
 */
export function enhanceBlocks(blocks, atOnce = 0) {
  for (const block of blocks) {
    const found = block.matches("pre.code") ? [block] : block.querySelectorAll("pre.code");
    for (const pre of found) enhanceCode(pre);
  }
  typesetFormulas(blocks, atOnce);
}

export function enhanceGrown(blocks) {
  enhanceBlocks(blocks, MAX_FORMULAS_PER_WRITE);
}

/**
 * A growing reply's formulas are set in the write that brings them: later, they would move what is
 * read below them by then. KaTeX is fetched when the first one begins, to be here when it ends.
 */
export function enhanceGrowing(stream) {
  if (stream.hasMath) loadKatex();
  typesetFormulas(stream.openBlocks(), MAX_FORMULAS_PER_WRITE, stream.root);
}

function loadKatex() {
  katex ??= import("../vendor/katex/katex.min.js").catch(() => (katex = null));
  return katex;
}

function typesetFormulas(blocks, atOnce, growing = null) {
  let left = window.katex ? atOnce : 0;
  let chars = MAX_NEW_FORMULA_CHARS_PER_WRITE;
  for (const block of blocks) {
    const maths = block.matches(".math") ? [block] : block.querySelectorAll(".math");
    for (const formula of maths) {
      if (knownFormulas.has(formula) || (growing && canStillChange(formula, growing))) continue;
      knownFormulas.add(formula);
      chars -= preparedFormulas.has(formula.textContent) ? 0 : formula.textContent.length;
      if (left-- > 0 && chars >= 0) typesetNow(formula);
      else visibilityObserver.observe(formula);
    }
  }
}

/** “$5-$” at the end of a text is a formula only until it is “$5-$6”. */
function canStillChange(formula, text) {
  if (formula.matches("div")) return false;
  let node = formula;
  while (node !== text && !node.nextSibling) node = node.parentNode;
  return node === text;
}

/** Everything that was there when the page came, but for what is still growing. */
export function enhanceHistory(root) {
  enhanceBlocks([...root.querySelectorAll(".message > .prose:not(.user-text), .reasoning > .prose")]);
}

function enhanceCode(pre) {
  if (pre.querySelector("button")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy code");
  pre.append(button);
  if (findLanguage(pre)) visibilityObserver.observe(pre);
}

function findLanguage(pre) {
  const name = pre.dataset.language?.toLowerCase();
  return Object.hasOwn(LANGUAGES, name) ? name : Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
}

/** @returns {Promise<(() => void)[]>} what shows the colours, one piece after the other */
async function highlightCode(pre) {
  const code = pre.querySelector("code");
  const text = code.textContent;
  if (text.length > MAX_CODE_CHARS) return [];
  const name = findLanguage(pre);
  const [{ default: highlighter }, { default: grammar }] = await Promise.all([
    import("../vendor/highlight/core.min.js"),
    LANGUAGES[name](),
  ]);
  if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, grammar);
  const start = performance.now();
  const { _emitter } = highlighter.highlight(text, { language: name, ignoreIllegals: true });
  const spans = _emitter.rootNode.children.map(createSpan);
  highlightMs += performance.now() - start;
  return splitSpans(spans).map((piece) => () => replacePrefix(code.lastChild, piece));
}

/** Cut into pieces of about as many elements as fit a write. */
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

/** Put these in the place of the beginning of a text, which says the same. */
function replacePrefix(text, nodes) {
  text.before(...nodes);
  text.deleteData(0, nodes.reduce((length, node) => length + node.textContent.length, 0));
  if (!text.length) text.remove();
}

/** @returns {Promise<(() => void)[]>} what shows it */
async function typesetFormula(formula) {
  await loadKatex();
  const show = prepareWrite(formula);
  return show ? [show] : [];
}

function typesetNow(formula) {
  try {
    prepareWrite(formula)?.();
  } catch {
    // It stays as it was written.
  }
}

/**
 * As MathML, which needs neither fonts nor styles.
 * @throws where KaTeX can't read it
 * @returns {(() => void) | undefined} what shows it
 */
function prepareWrite(formula) {
  const source = formula.textContent;
  const math = preparedFormulas.has(source) ? preparedFormulas.get(source)?.cloneNode(true) : toMathML(source);
  if (!math) return undefined;
  return () => {
    formula.dataset.source = source;
    formula.replaceChildren(math);
    if (formula.localName === "span") overflowObserver.observe(formula);
  };
}

function toMathML(source) {
  const [, sign, tex] = FORMULA.exec(source) ?? [];
  if (!tex || source.length > MAX_FORMULA_CHARS || STYLE_COMMANDS.test(tex) || countBraceDepth(tex) > MAX_BRACE_DEPTH) return null;
  const set = document.createElement("span");
  const displayMode = sign === "$$" || sign === "\\[";
  window.katex.render(tex, set, { displayMode, output: "mathml", trust: false, throwOnError: true, maxSize: 20 });
  const math = set.querySelector("math");
  if (!math || math.querySelectorAll("*").length > MAX_FORMULA_ELEMENTS || measureDepth(math) > MAX_FORMULA_DEPTH) return null;
  applyMathVariants(math);
  return math;
}

/** How deep its braces stand within one another. */
function countBraceDepth(tex) {
  let [deepest, open] = [0, 0];
  for (const [sign] of tex.matchAll(/\\[^]|[{}]/g)) {
    if (sign === "{") deepest = Math.max(deepest, ++open);
    else if (sign === "}") open--;
  }
  return deepest;
}

function measureDepth(element) {
  let deepest = 0;
  for (let [at, level] = [element, 0]; at; ) {
    deepest = Math.max(deepest, level);
    if (at.firstElementChild) [at, level] = [at.firstElementChild, level + 1];
    else {
      while (at !== element && !at.nextElementSibling) [at, level] = [at.parentElement, level - 1];
      at = at === element ? null : at.nextElementSibling;
    }
  }
  return deepest;
}

/**
 * Set a formula before the write that brings it, so that this frame has the less to do.
 * @returns {boolean} whether that was still to be done
 */
export function prepareFormula(source) {
  if (!window.katex || preparedFormulas.has(source)) return false;
  if (preparedFormulas.size === MAX_PREPARED_FORMULAS) preparedFormulas.clear();
  preparedFormulas.set(source, null);
  try {
    preparedFormulas.set(source, toMathML(source));
  } catch {
    // It will stay as it was written.
  }
  return true;
}

/** highlight.js would give HTML; its tree makes elements without one. */
function createSpan(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = document.createElement("span");
  const [first, ...rest] = (node.scope ?? "").split(".");
  if (first) element.className = [`hljs-${first}`, ...rest.map((part, i) => part + "_".repeat(i + 1))].join(" ");
  element.append(...node.children.map(createSpan));
  return element;
}

/** Copy a text exactly, line ends included. Works where there is no clipboard API (plain http). */
export async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const give = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  document.execCommand("copy");
  return document.removeEventListener("copy", give);
}

/** One listener for every copy button there is or will be. */
export function startCopyButtons() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy], pre.code > button");
    if (!button) return;
    await copyText(button.dataset.copy ? readMarkdown(button) : button.parentElement.querySelector("code").textContent);
    const label = [...button.childNodes].findLast((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const words = label.data;
    if (words.includes("Copied")) return;
    label.data = words.replace("Copy", "Copied");
    setTimeout(() => (label.data = words), COPIED_MS);
  });
}

/** The Markdown of a message: what a live one holds, or what came with the page. */
function readMarkdown(button) {
  const live = button.closest("article").querySelector("live-reply");
  if (live?.stream) return live.text;
  return JSON.parse(document.getElementById(button.dataset.copy).textContent).text;
}
