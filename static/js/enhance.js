// What makes finished blocks nicer and changes no word of them: a copy button and colours for
// code, and maths as it is set in books. Live and history alike; the page reads the same without.

import { useLetters } from "./letters.js";

const TOO_LONG = 50_000; // characters; colouring more would hold up the page
const LONGEST_MATHS = 2000;
const MAX_BRACES = 30; // within one another, in a formula
const MAX_PARTS = 1000; // elements of a formula; and, within one another,
const MAX_LEVELS = 60;
const AT_ONCE = 40; // formulas in one write; a whole text that comes at once may have hundreds
const AT_ONCE_CHARS = 1500; // of all of them
const MOST_AHEAD = 100; // formulas that are kept until they are shown
const MATHS = /^(\$\$|\$|\\\(|\\\[)([^]*?)(?:\$\$|\$|\\\)|\\\])$/;
const STYLED = /\\(?:fcolorbox|pmb)\b/; // KaTeX sets these with a style attribute, which the policy refuses
const SPANS = 80; // of a program's colours in one write
const STILL = 500; // milliseconds; a reply that writes nothing for so long leaves no frame for others
const COPIED = 1500; // milliseconds that a button says so

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

const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
const inSight = new IntersectionObserver(
  (entries) => {
    const resting = waiting.length === 0;
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      inSight.unobserve(target);
      waiting.push(target);
    }
    if (resting && waiting.length) idle(improve);
  },
  { rootMargin: "600px" },
);
// A formula in a line is a stop of the keyboard only where it has to be pushed to be read.
const inLine = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const waiting = []; // what is in sight, and gets its colours or its maths one at a time
const ready = []; // what shows them, once they are made
const ahead = new Map(); // by their sources, formulas that a growing reply is about to show; null where it can't be
const met = new WeakSet(); // formulas that were set, are waiting for it, or can't be
let unplan = () => {}; // for what is ready
let katex = null;
let spent = 0; // milliseconds that colours took since a growing reply asked

async function improve() {
  const target = waiting[0];
  const better = target.isConnected ? await (target.matches(".math") ? typeset : colour)(target).catch(() => []) : [];
  if (better.length && ready.push(...better) === better.length) planToShow();
  waiting.shift();
  if (waiting.length) idle(improve);
}

/** While text grows, it leaves a frame for this, so that each has one write; while it is still, any frame will do. */
function planToShow(still = false) {
  if (!still && document.querySelector("[aria-busy='true']")) {
    const timer = setTimeout(showReady, STILL, true);
    unplan = () => clearTimeout(timer);
  } else {
    const frame = requestAnimationFrame(() => showReady(true));
    unplan = () => cancelAnimationFrame(frame);
  }
}

/** How long colours were made since this was asked last: a growing reply does the less in its next frame. */
export function spentOnColours() {
  const since = spent;
  spent = 0;
  return since;
}

/** Show one of what is ready to be shown: a piece of a program has spans enough for a frame. */
export function showReady(still = false) {
  unplan();
  const show = ready.shift();
  show?.();
  if (ready.length) planToShow(still);
  return Boolean(show);
}

/**
 * @param {Iterable<Element>} blocks that will not change again
 * @param {number} atOnce how many formulas to set now, if KaTeX is here; the others when they come into sight
 */
export function enhance(blocks, atOnce = 0) {
  for (const block of blocks) {
    const found = block.matches("pre.code") ? [block] : block.querySelectorAll("pre.code");
    for (const pre of found) enhanceCode(pre);
  }
  setMaths(blocks, atOnce);
}

export function enhanceGrown(blocks) {
  enhance(blocks, AT_ONCE);
}

/**
 * A growing reply's formulas are set in the write that brings them: later, they would move what is
 * read below them by then. KaTeX is fetched when the first one begins, to be here when it ends.
 */
export function enhanceGrowing(stream) {
  if (stream.hasMaths) loadKatex();
  setMaths(stream.open(), AT_ONCE, stream.root);
}

function loadKatex() {
  katex ??= import("../vendor/katex/katex.min.js").catch(() => (katex = null));
  return katex;
}

function setMaths(blocks, atOnce, growing = null) {
  let left = window.katex ? atOnce : 0;
  let chars = AT_ONCE_CHARS;
  for (const block of blocks) {
    const maths = block.matches(".math") ? [block] : block.querySelectorAll(".math");
    for (const formula of maths) {
      if (met.has(formula) || (growing && mayChange(formula, growing))) continue;
      met.add(formula);
      chars -= ahead.has(formula.textContent) ? 0 : formula.textContent.length;
      if (left-- > 0 && chars >= 0) setNow(formula);
      else inSight.observe(formula);
    }
  }
}

/** “$5-$” at the end of a text is a formula only until it is “$5-$6”. */
function mayChange(formula, text) {
  if (formula.matches("div")) return false;
  let node = formula;
  while (node !== text && !node.nextSibling) node = node.parentNode;
  return node === text;
}

/** Everything that was there when the page came, but for what is still growing. */
export function enhanceHistory(root) {
  enhance([...root.querySelectorAll(".message > .prose:not(.words), .reasoning > .prose")]);
}

function enhanceCode(pre) {
  if (pre.querySelector("button")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy code");
  pre.append(button);
  if (languageOf(pre)) inSight.observe(pre);
}

function languageOf(pre) {
  const name = pre.dataset.language?.toLowerCase();
  return Object.hasOwn(LANGUAGES, name) ? name : Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
}

/** @returns {Promise<(() => void)[]>} what shows the colours, one piece after the other */
async function colour(pre) {
  const code = pre.querySelector("code");
  const text = code.textContent;
  if (text.length > TOO_LONG) return [];
  const name = languageOf(pre);
  const [{ default: highlighter }, { default: grammar }] = await Promise.all([
    import("../vendor/highlight/core.min.js"),
    LANGUAGES[name](),
  ]);
  if (!highlighter.getLanguage(name)) highlighter.registerLanguage(name, grammar);
  const start = performance.now();
  const { _emitter } = highlighter.highlight(text, { language: name, ignoreIllegals: true });
  const spans = _emitter.rootNode.children.map(span);
  spent += performance.now() - start;
  return pieces(spans).map((piece) => () => replaceStart(code.lastChild, piece));
}

/** Cut into pieces of about as many elements as fit a write. */
function pieces(spans) {
  const cut = [];
  let elements = SPANS;
  for (const span of spans) {
    if (elements >= SPANS) elements = cut.push([]) && 0;
    cut.at(-1).push(span);
    elements += 1 + (span.querySelectorAll?.("*").length ?? 0);
  }
  return cut;
}

/** Put these in the place of the beginning of a text, which says the same. */
function replaceStart(text, nodes) {
  text.before(...nodes);
  text.deleteData(0, nodes.reduce((length, node) => length + node.textContent.length, 0));
  if (!text.length) text.remove();
}

/** @returns {Promise<(() => void)[]>} what shows it */
async function typeset(formula) {
  await loadKatex();
  const show = asMathML(formula);
  return show ? [show] : [];
}

function setNow(formula) {
  try {
    asMathML(formula)?.();
  } catch {
    // It stays as it was written.
  }
}

/**
 * As MathML, which needs neither fonts nor styles.
 * @throws where KaTeX can't read it
 * @returns {(() => void) | undefined} what shows it
 */
function asMathML(formula) {
  const source = formula.textContent;
  const math = ahead.has(source) ? ahead.get(source)?.cloneNode(true) : toMathML(source);
  if (!math) return undefined;
  return () => {
    formula.dataset.source = source;
    formula.replaceChildren(math);
    if (formula.localName === "span") inLine.observe(formula);
  };
}

function toMathML(source) {
  const [, sign, tex] = MATHS.exec(source) ?? [];
  if (!tex || source.length > LONGEST_MATHS || STYLED.test(tex) || braces(tex) > MAX_BRACES) return null;
  const set = document.createElement("span");
  const displayMode = sign === "$$" || sign === "\\[";
  window.katex.render(tex, set, { displayMode, output: "mathml", trust: false, throwOnError: true, maxSize: 20 });
  const math = set.querySelector("math");
  if (!math || math.querySelectorAll("*").length > MAX_PARTS || levels(math) > MAX_LEVELS) return null;
  useLetters(math);
  return math;
}

/** How deep its braces stand within one another. */
function braces(tex) {
  let [deepest, open] = [0, 0];
  for (const [sign] of tex.matchAll(/\\[^]|[{}]/g)) {
    if (sign === "{") deepest = Math.max(deepest, ++open);
    else if (sign === "}") open--;
  }
  return deepest;
}

function levels(element) {
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
export function typesetAhead(source) {
  if (!window.katex || ahead.has(source)) return false;
  if (ahead.size === MOST_AHEAD) ahead.clear();
  ahead.set(source, null);
  try {
    ahead.set(source, toMathML(source));
  } catch {
    // It will stay as it was written.
  }
  return true;
}

/** highlight.js would give HTML; its tree makes elements without one. */
function span(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = document.createElement("span");
  const [first, ...rest] = (node.scope ?? "").split(".");
  if (first) element.className = [`hljs-${first}`, ...rest.map((part, i) => part + "_".repeat(i + 1))].join(" ");
  element.append(...node.children.map(span));
  return element;
}

/** Copy a text exactly, line ends included. Works where there is no clipboard API (plain http). */
export async function copy(text) {
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
export function listenForCopies() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy], pre.code > button");
    if (!button) return;
    await copy(button.dataset.copy ? sourceOf(button) : button.parentElement.querySelector("code").textContent);
    const label = [...button.childNodes].findLast((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const words = label.data;
    if (words.includes("Copied")) return;
    label.data = words.replace("Copy", "Copied");
    setTimeout(() => (label.data = words), COPIED);
  });
}

/** The Markdown of a message: what a live one holds, or what came with the page. */
function sourceOf(button) {
  const live = button.closest("article").querySelector("live-reply");
  if (live?.stream) return live.text;
  return JSON.parse(document.getElementById(button.dataset.copy).textContent).text;
}
