// Code gets a copy button and colours, and formulas are typeset: in history and in growing replies.
// No word changes, and the page reads the same without it.

import { enhanceCode } from "./code.js";
import { loadKatex, typesetFormulas } from "./math.js";

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
