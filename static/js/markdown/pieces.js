// Finds text that later text can't change: complete blocks, and pieces of a long paragraph. A piece
// is lexed once, however long its paragraph grows.

import { PRICE_PATTERN } from "./grammar.js";

export const PIECE_CHARS = 1000; // the usual length of a piece
export const MAX_PIECE_CHARS = 8000; // whatever is still open then stays plain text

/**
 * @returns {number} the last space before which nothing is open: no emphasis, code, link or formula
 *   that later text could close; 0 if there is none
 */
export function findSafeEnd(tokens, text) {
  let [end, at] = [0, 0];
  for (const token of tokens) {
    const plain = token.type === "text";
    const open = findOpening(token, text, at);
    const reach = open < 0 ? at + token.raw.length : open;
    if (plain) end = findSpaceBefore(text, at, reach) || end;
    if (open >= 0) break;
    at = reach;
  }
  return end;
}

const OPENER =
  /(?<!\s)\*|\*(?!\s)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|`|~~|!?\[|\](?=[[(]|$)|\\[([]|\$/g;

/** @returns {number} where something opens in the token that starts at `at`; -1 if nothing does */
function findOpening(token, text, at) {
  if (token.type === "codespan" || token.type === "inlineMath" || token.type === "br") return -1;
  const inner = token.type !== "text" && token.type !== "escape" && token.tokens;
  if (inner) return inner.some((kid) => findOpening(kid, kid.raw, 0) >= 0) ? at : -1;
  if (token.type !== "text") return token.raw === "\\(" || token.raw === "\\[" ? at : -1;
  for (const { 0: sign, index } of token.raw.matchAll(OPENER)) {
    if (sign === "$" ? couldOpenMath(text, at + index) : !isCited(sign, token.raw, index))
      return at + index;
  }
  return -1;
}

/** Is it a “[1]” that is not the text of a link and can't become one? */
function isCited(sign, raw, index) {
  return sign === "[" && /^\[[^[\]]*\][^[(:]/.test(raw.slice(index, index + 200));
}

/** Could this dollar sign open a formula once more text follows? */
function couldOpenMath(text, at) {
  const rest = text.slice(at + 1);
  return (
    !new RegExp(`^(?:[ \\t\\n]|${PRICE_PATTERN}|(?:\\\\[^\\n]|[^$\x60\\n\\\\])*[$\x60\\n])`).test(
      rest,
    ) || rest[0] === "$"
  );
}

function findSpaceBefore(text, from, to) {
  for (let i = to - 1; i > from + 1; i--) {
    if (text[i - 1] === " " && /\S/.test(text[i]) && /[^\s\\]/.test(text[i - 2])) return i;
  }
  return 0;
}

export function takeTokens(tokens, length) {
  const taken = [];
  for (const token of tokens) {
    taken.push(token.raw.length > length ? { ...token, raw: token.raw.slice(0, length) } : token);
    length -= token.raw.length;
    if (length <= 0) break;
  }
  return taken;
}

/** Count the tokens that no later text can change: see MarkdownStream.commit. */
export function countSettledTokens(tokens, isCut) {
  const plain = tokens.findIndex(({ type }) => type === "unformatted" || type === "plain");
  if (plain >= 0 && !isCut) return countSettledTokens(tokens.slice(0, plain), false);
  if (plain >= 0) return tokens.at(-2)?.type === "plain" ? tokens.length - 1 : plain;
  const solid = tokens.flatMap(({ type }, i) => (type === "space" ? [] : [i]));
  const line = (token) => token?.raw.includes("\n");
  const over = (i) => tokens[i].raw.endsWith("\n") || line(tokens[i + 1]);
  const behind = solid.length > 2 && tokens.slice(solid.at(-1)).some(line) ? solid.at(-2) : 0;
  const ended = solid.findLast((i) => over(i) && isClosed(tokens[i])) ?? -1;
  return Math.max(behind, ended + 1);
}

/** Link definitions, also those within quotations and lists. */
export function findDefinitions(tokens) {
  return tokens.flatMap((token) =>
    token.type === "def"
      ? [token]
      : token.raw.includes("]:")
        ? findDefinitions(token.tokens ?? token.items ?? [])
        : [],
  );
}

function isClosed({ type, raw, codeBlockStyle }) {
  if (type === "math") return true;
  if (type !== "code" || codeBlockStyle)
    return type === "hr" || (type === "heading" && /^ *#/.test(raw));
  const lines = raw.replace(/[ \t\n]+$/, "");
  const last = lines.slice(lines.lastIndexOf("\n") + 1);
  const close = lines.includes("\n") && /^ {0,3}(`+|~+)[ \t]*$/.exec(last);
  return Boolean(close) && close[1].startsWith(/^ *(`+|~+)/.exec(raw)[1]);
}
