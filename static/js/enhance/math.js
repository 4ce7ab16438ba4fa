// Formulas are typeset as MathML, which needs neither KaTeX's fonts nor its styles.

import { enhanceWhenVisible } from "./queue.js";

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
export function typesetFormulas(blocks, atOnce, growing = null) {
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
