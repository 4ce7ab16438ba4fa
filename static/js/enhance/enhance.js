// Adds to visible text: copy buttons, colours of code, and formulas. No word changes, and the page
// reads the same without it.

import { createElement, gettext } from "../elements.js";

const MAX_FORMULAS_PER_WRITE = 40; // a text that arrives at once may have hundreds

/**
 * @param {Iterable<Element>} blocks that will not change again
 * @param {number} [atOnce] how many formulas to typeset now, if KaTeX is loaded; the others when
 *   visible
 */
function enhanceBlocks(blocks, atOnce = 0) {
  for (const block of blocks) {
    const found = block.matches("pre.code") ? [block] : block.querySelectorAll("pre.code");
    for (const pre of found) enhanceCode(pre);
  }
  typesetFormulas(blocks, atOnce);
}

/** Everything in a page, apart from what still grows. */
export function enhanceHistory(root) {
  enhanceBlocks([
    ...root.querySelectorAll(".message > .prose:not(.user-text), .reasoning > .prose"),
  ]);
}

/** Blocks of a growing reply that will not change again. */
export function enhanceGrown(blocks) {
  enhanceBlocks(blocks, MAX_FORMULAS_PER_WRITE);
}

/**
 * The formulas of a growing reply are typeset in the write that shows them: later, they would move
 * the text below them. KaTeX is loaded when the first formula begins, to be ready when it ends.
 */
export function enhanceGrowing(stream) {
  if (stream.hasMath) loadKatex();
  typesetFormulas(stream.openBlocks(), MAX_FORMULAS_PER_WRITE, stream.root);
}

// Code

let highlightMs = 0; // spent on colours since takeHighlightMs()

/** Time spent on colours since the last call. A growing reply does less in its next frame. */
export function takeHighlightMs() {
  const spent = highlightMs;
  highlightMs = 0;
  return spent;
}

function enhanceCode(pre) {
  if (pre.querySelector("button")) return;
  const button = Object.assign(createElement("button", "", gettext("Copy")), { type: "button" });
  button.setAttribute("aria-label", gettext("Copy code"));
  pre.append(button);
  if (pre.dataset.language) enhanceWhenVisible(pre, prepareColours);
}

/** @returns {Promise<(() => void)[]>} writes that show the colours */
async function prepareColours(pre) {
  const { highlightCode } = await import("./highlight.js");
  const { writes, milliseconds } = await highlightCode(pre);
  highlightMs += milliseconds;
  return writes;
}

// Copy buttons, of messages and of code

const COPIED_MS = 1500; // how long a button says “Copied”

const confirming = new WeakSet(); // buttons that say “Copied”

/** One listener for all copy buttons of the page, now and later. */
export function startCopyButtons() {
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy], pre.code > button");
    if (!button) return;
    await copyText(
      button.dataset.copy
        ? readMarkdown(button)
        : button.parentElement.querySelector("code").textContent,
    );
    if (!confirming.has(button)) confirm(button);
  });
}

function confirm(button) {
  const label = [...button.childNodes].findLast(
    (node) => node.nodeType === Node.TEXT_NODE && node.data.trim(),
  );
  const before = label.data;
  label.data = before.replace(gettext("Copy"), gettext("Copied"));
  confirming.add(button);
  setTimeout(() => {
    label.data = before;
    confirming.delete(button);
  }, COPIED_MS);
}

/**
 * Copy a text exactly, including its line ends. Without the clipboard API (plain http) a copy event
 * does it.
 */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const give = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", give, { once: true });
  document.execCommand("copy");
  return document.removeEventListener("copy", give);
}

/** The Markdown of a message, or of its reasoning if there is no text: from its live reply, or from
 *  the page. */
function readMarkdown(button) {
  const live = button.closest("article").querySelector("live-reply");
  const { text, reasoning } = live?.stream
    ? live
    : JSON.parse(document.getElementById(button.dataset.copy).textContent);
  return text.trim() ? text : reasoning || text;
}

// Formulas, as MathML, which needs neither KaTeX's fonts nor its styles

const MAX_NEW_CHARS_PER_WRITE = 1500; // of formulas that are not prepared
const MAX_PREPARED_FORMULAS = 100;

const preparedFormulas = new Map(); // source → MathML that a growing reply will show soon; null if impossible
const knownFormulas = new WeakSet(); // typeset, waiting, or impossible
let katex = null; // a promise, once something needs KaTeX
let toMathML = null; // null until KaTeX is loaded

// The keyboard stops at an inline formula only where it has to be scrolled.
const overflowObserver = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

export function loadKatex() {
  katex ??= Promise.all([import("./mathml.js"), import("../../vendor/katex/katex.min.js")])
    .then(([module]) => ({ toMathML } = module))
    .catch(() => (katex = null));
  return katex;
}

/**
 * @param {number} atOnce how many formulas to typeset now, if KaTeX is loaded; the others when
 *   visible
 * @param {Element | null} [growing] the text that still grows
 */
function typesetFormulas(blocks, atOnce, growing = null) {
  let left = toMathML ? atOnce : 0;
  let chars = MAX_NEW_CHARS_PER_WRITE;
  for (const block of blocks) {
    const formulas = block.matches(".math") ? [block] : block.querySelectorAll(".math");
    for (const formula of formulas) {
      if (knownFormulas.has(formula) || (growing && canStillChange(formula, growing))) continue;
      knownFormulas.add(formula);
      chars -= preparedFormulas.has(formula.textContent) ? 0 : formula.textContent.length;
      if (left-- > 0 && chars >= 0) typesetNow(formula);
      else enhanceWhenVisible(formula, typesetFormula);
    }
  }
}

/** “$5-$” at the end of a text is a formula only until it becomes “$5-$6”. */
function canStillChange(formula, text) {
  if (formula.matches("div")) return false;
  let node = formula;
  while (node !== text && !node.nextSibling) node = node.parentNode;
  return node === text;
}

/** @returns {Promise<(() => void)[]>} the write that shows it, if any */
async function typesetFormula(formula) {
  await loadKatex();
  const show = prepareWrite(formula);
  return show ? [show] : [];
}

function typesetNow(formula) {
  try {
    prepareWrite(formula)?.();
  } catch {
    // Its source stays.
  }
}

/**
 * @throws if KaTeX can't parse the formula
 * @returns {(() => void) | undefined} the write that shows it
 */
function prepareWrite(formula) {
  const source = formula.textContent;
  const math = preparedFormulas.has(source)
    ? preparedFormulas.get(source)?.cloneNode(true)
    : toMathML(source);
  if (!math) return undefined;
  return () => {
    formula.dataset.source = source;
    formula.replaceChildren(math);
    if (formula.localName === "span") overflowObserver.observe(formula);
  };
}

/**
 * Typeset a formula before the write that shows it, so that the frame of the write has less to do.
 * @returns {boolean} whether this took time
 */
export function prepareFormula(source) {
  if (!toMathML || preparedFormulas.has(source)) return false;
  if (preparedFormulas.size === MAX_PREPARED_FORMULAS) preparedFormulas.clear();
  preparedFormulas.set(source, null);
  try {
    preparedFormulas.set(source, toMathML(source));
  } catch {
    // Its source will stay.
  }
  return true;
}

// The queue: visible elements, one at a time, in writes that fit into a frame

const VISIBLE_MARGIN = "600px"; // around the window
const IDLE_AFTER_MS = 500; // a growing reply that has been still for so long leaves no frame to others

const requestIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
const visibilityObserver = new IntersectionObserver(onIntersect, { rootMargin: VISIBLE_MARGIN });
const preparations = new WeakMap(); // element → the function that prepares its writes
const visibleElements = []; // waiting for their preparation
const readyWrites = [];
let cancelScheduledWrite = () => {};

/**
 * Enhance an element once it is visible.
 * @param {(element: Element) => Promise<(() => void)[]>} prepare returns the writes, each of which
 *   fits into a frame
 */
function enhanceWhenVisible(element, prepare) {
  preparations.set(element, prepare);
  visibilityObserver.observe(element);
}

function onIntersect(entries) {
  const resting = visibleElements.length === 0;
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    visibilityObserver.unobserve(target);
    visibleElements.push(target);
  }
  if (resting && visibleElements.length) requestIdle(enhanceNext);
}

async function enhanceNext() {
  const [element] = visibleElements;
  const writes = element.isConnected
    ? await preparations
        .get(element)(element)
        .catch(() => [])
    : [];
  if (writes.length && readyWrites.push(...writes) === writes.length) scheduleWrite();
  visibleElements.shift();
  if (visibleElements.length) requestIdle(enhanceNext);
}

/**
 * A growing reply calls writeNext() itself, so that each frame has one write. While it is still,
 * any frame will do.
 */
function scheduleWrite(still = false) {
  if (!still && document.querySelector("[aria-busy='true']")) {
    const timer = setTimeout(writeNext, IDLE_AFTER_MS, true);
    cancelScheduledWrite = () => clearTimeout(timer);
  } else {
    const frame = requestAnimationFrame(() => writeNext(true));
    cancelScheduledWrite = () => cancelAnimationFrame(frame);
  }
}

/** Do one of the prepared writes. @returns {boolean} whether there was one */
export function writeNext(still = false) {
  cancelScheduledWrite();
  const write = readyWrites.shift();
  write?.();
  if (readyWrites.length) scheduleWrite(still);
  return Boolean(write);
}
