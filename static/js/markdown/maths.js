// Formulas. A dollar sign opens one only where no price can be: “$5 and $6” are two prices.
// chat/rendering/maths.py has the same rules.

const PRICE_PATTERN = String.raw`\d[^\\{}$\n]* \(?[A-Za-z]{2}`;
export const MATH_PATTERN = [
  String.raw`\$\$(?!\$)(?:\\[^]|[^$\\]){1,2000}\$\$(?!\$)`,
  String.raw`(?<![A-Za-z0-9$])\$(?![ \t\n$]|${PRICE_PATTERN})(?:\\[^\n]|[^$\x60\n\\])+(?<![ \t])\$(?![A-Za-z0-9$])`,
  String.raw`\\\((?:(?!\\\))[^]){1,2000}\\\)`,
  String.raw`\\\[(?:(?!\\\])[^]){1,2000}\\\](?!\()`,
].join("|");
const MATH_AT_START = new RegExp(`^(?:${MATH_PATTERN})`);
const DISPLAY_MATH_START = /^(?:\$\$|\\[([])/;
const LINE_REST = /[ \t]*(?:\n|$)/y;
export const MATH_LINE_START = /^ {0,3}(\$\$|\\\[)/;

/**
 * @returns {number} the start of the next line of the first paragraph that may open a formula; -1
 *   if there is none
 */
export function findNextMathLine(source) {
  for (let at = source.indexOf("\n") + 1; at > 0; at = source.indexOf("\n", at) + 1) {
    const line = source.slice(at, at + 5);
    if (MATH_LINE_START.test(line)) return at;
    if (line[0] === "\n") return -1;
  }
  return -1;
}

export function tokenizeInlineMath(source, before) {
  if (DISPLAY_MATH_START.test(source)) this.lexer.hasMath = true;
  const [raw] = ((source[0] === "$" || source[0] === "\\") && MATH_AT_START.exec(source)) || [];
  const joined =
    raw?.[1] !== "$" && raw?.[0] === "$" && /[A-Za-z0-9$]$/.test(before.at(-1)?.raw ?? "");
  return raw && !joined ? { type: "inlineMath", raw } : undefined;
}

/**
 * A formula on lines of its own, up to the closing sign at the end of a line. An unclosed one is a
 * paragraph up to the next empty line, so that growing text settles nothing early. Its type is
 * "unclosed", because marked may append the next lines to a "paragraph".
 */
export function tokenizeMathBlock(source) {
  if (MATH_LINE_START.test(source)) this.lexer.hasMath = true;
  const { raw, isClosed } = matchMathBlock(source) ?? {};
  if (raw === undefined) return undefined;
  const text = raw.replace(/[ \t]*\n[ \t]*/g, "\n").trim();
  if (isClosed) return { type: "math", raw, text };
  return {
    type: this.lexer.state.top ? "unclosed" : "text",
    raw,
    text,
    tokens: this.lexer.inline(text),
  };
}

function matchMathBlock(source) {
  const opened = MATH_LINE_START.exec(source);
  if (!opened) return undefined;
  const close = { $$: "$$", "\\[": "\\]" }[opened[1]];
  const end = source.indexOf(close, opened[0].length);
  const blank =
    end < 0 ? source.search(/\n[ \t]*(?:\n|$)/) : source.slice(0, end).search(/\n[ \t]*\n/);
  if (blank >= 0 || end < 0)
    return { raw: blank < 0 ? source : source.slice(0, blank + 1), isClosed: false };
  LINE_REST.lastIndex = end + close.length;
  const after = LINE_REST.exec(source);
  if (!after || !source.slice(opened[0].length, end).trim()) return undefined;
  return { raw: source.slice(0, LINE_REST.lastIndex), isClosed: true };
}

/** @returns {number} the start of the first line of the block that opens a block formula; -1 if none
 *    does
 *  @param {string} source of the block and of what follows it */
export function findMathLine(source, length) {
  for (let at = source.indexOf("\n") + 1; at > 0 && at < length; ) {
    const mayOpen = MATH_LINE_START.test(source.slice(at, at + 5));
    if (mayOpen && matchMathBlock(source.slice(at))) return at;
    at = source.indexOf("\n", at) + 1;
  }
  return -1;
}

/** Whether this dollar sign could open a formula once more text follows. */
export function couldOpenMath(text, at) {
  const rest = text.slice(at + 1);
  return (
    !new RegExp(`^(?:[ \\t\\n]|${PRICE_PATTERN}|(?:\\\\[^\\n]|[^$\x60\\n\\\\])*[$\x60\\n])`).test(
      rest,
    ) || rest[0] === "$"
  );
}
