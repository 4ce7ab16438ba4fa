// A formula as MathML, by KaTeX. Loaded with KaTeX, when the first formula begins.

import { applyMathVariants } from "./math-variants.js";

const MAX_FORMULA_CHARS = 2000;
const MAX_BRACE_DEPTH = 30;
const MAX_FORMULA_ELEMENTS = 1000;
const MAX_FORMULA_DEPTH = 60; // of elements
const FORMULA = /^(\$\$|\$|\\\(|\\\[)([^]*?)(?:\$\$|\$|\\\)|\\\])$/;
const STYLE_COMMANDS = /\\(?:fcolorbox|pmb)\b/; // KaTeX writes a style attribute for these, which the policy refuses

/**
 * @returns {Element | null} null for a formula beyond our limits
 * @throws if KaTeX can't parse the formula
 */
export function toMathML(source) {
  const [, sign, tex] = FORMULA.exec(source) ?? [];
  if (
    !tex ||
    source.length > MAX_FORMULA_CHARS ||
    STYLE_COMMANDS.test(tex) ||
    countBraceDepth(tex) > MAX_BRACE_DEPTH
  )
    return null;
  const rendered = document.createElement("span");
  const displayMode = sign === "$$" || sign === "\\[";
  window.katex.render(tex, rendered, {
    displayMode,
    output: "mathml",
    trust: false,
    throwOnError: true,
    maxSize: 20,
  });
  const math = rendered.querySelector("math");
  if (
    !math ||
    math.querySelectorAll("*").length > MAX_FORMULA_ELEMENTS ||
    measureDepth(math) > MAX_FORMULA_DEPTH
  )
    return null;
  applyMathVariants(math);
  return math;
}

/** @returns {number} how deep braces are nested */
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
