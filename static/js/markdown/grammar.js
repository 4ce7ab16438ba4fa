// The grammar of messages: marked's GFM with formulas, and without raw HTML, bare links and
// single-tilde strikethrough, and the parts of a text that later text can't change.
// chat/rendering/markdown.py has the same dialect; both must agree on tests/markdown_cases.json.

import { findPairs } from "./emphasis.js";
import { tokenizeMarkdownFence } from "./fences.js";
import {
  MATH_LINE_START,
  MATH_PATTERN,
  couldOpenMath,
  findMathLine,
  findNextMathLine,
  tokenizeInlineMath,
  tokenizeMathBlock,
} from "./maths.js";
import { hidePipes, showPipes } from "./tables.js";
import { Lexer, Tokenizer } from "../../vendor/marked/marked.esm.js";

export const REPLACED_CHARACTERS = /[\0\u2028\u2029\ufdd0]/g; // see append()
export const LINK_DEFINITION = /^[ \t>*+\-\d.)]*\[(?:\\[^]|[^[\]\\]){1,999}\]:/m; // “for tide in tides[1:]:” is none

const LINE_BREAK = /^<br[ \t]*\/?>/i;
class ChatTokenizer extends Tokenizer {
  /**
   * marked lexes the list at the end of a quotation twice. Without this, the second time it takes
   * the token before the quotation for the one before the list.
   */
  blockquote(source) {
    const { state } = this.lexer;
    const before = state.lastToken;
    state.lastToken = undefined;
    const token = this.#cutAtMath(source, (text) => super.blockquote(text));
    state.lastToken = before;
    return token;
  }

  table(source) {
    return this.#cutAtMath(source, (text) => super.table(text));
  }

  /** A formula on lines of its own ends a table, and a quotation. */
  #cutAtMath(source, tokenize) {
    const token = tokenize(source);
    const end = token ? findMathLine(source, token.raw.length) : -1;
    return end < 0 ? token : tokenize(source.slice(0, end));
  }

  emStrong(source, masked) {
    return this.#takePair(source, masked);
  }

  del(source, masked) {
    return this.#takePair(source, masked);
  }

  /** @returns the emphasis that starts here, if any */
  #takePair(source, masked) {
    const { lexer } = this;
    if (!"*_~".includes(source[0])) return undefined;
    lexer.pairs ??= findPairs(lexer.inlineSource, masked);
    const start = masked.length - source.length;
    const pair = lexer.pairs.get(start);
    if (!pair) return undefined;
    const raw = source.slice(0, pair.end + pair.width - start);
    const text = raw.slice(pair.width, -pair.width);
    const type = source[0] === "~" ? "del" : pair.width === 2 ? "strong" : "em";
    return { type, raw, text, tokens: lexer.inlineTokens(text) };
  }
}

/** Knows the text whose spans it lexes, and the pairs of markers in it. */
class ChatLexer extends Lexer {
  inlineSource = "";
  isInCell = false; // of a table
  pairs = null; // until the first marker

  inlineTokens(source, tokens) {
    const { inlineSource, pairs } = this;
    [this.inlineSource, this.pairs] = [source, null];
    try {
      return super.inlineTokens(source, tokens);
    } finally {
      [this.inlineSource, this.pairs] = [inlineSource, pairs];
    }
  }
}

const chatTokenizer = new ChatTokenizer();
const tokenizerRules = buildRules();
const extensions = {
  inline: [tokenizeInlineMath, tokenizeLineBreak],
  startInline: [(source) => source.indexOf("$")],
  block: [tokenizeMathBlock, tokenizeMarkdownFence],
  startBlock: [findNextMathLine],
};

/**
 * Edits marked's rules. Raw HTML stays text; linkify() finds bare links by the server's rule.
 * @throws where a release of marked has other rules than those edited here
 */
function buildRules() {
  new Lexer({ gfm: true, tokenizer: chatTokenizer }); // sets chatTokenizer.rules
  const never = /(?!)/;
  const interrupt = / \{0,3\}\(\?:<\\\/\?\(\?:address.*?CDATA\\\[\)/g;
  // A row of dashes alone is no delimiter row. As one, it would end the paragraph above it.
  const dashes = "\\n {0,3}((?:\\| *)?:?-+:?";
  const row = dashes.replace("\\n", "\\n(?=[^\\n]*[|:])");
  // An item may be empty, and its number any.
  const item = "(?:[*+-]|1[.)])[ \\t]";
  const anyItem = "(?:[*+-]|\\d{1,9}[.)])(?:[ \\t]|(?=\\n|$))";
  const fenceEnd = "~*) *(?=\\n|$)";
  const tabbedFenceEnd = fenceEnd.replace(" *", "[ \\t]*"); // tabs may follow a fence, too
  const { block, inline, other } = chatTokenizer.rules;
  const edits = {
    blockquote: [[interrupt, "(?!)"]],
    lheading: [[interrupt, "(?!)"]],
    paragraph: [
      [interrupt, "(?!)"],
      [dashes, row],
    ],
    table: [
      [interrupt, "(?!)"],
      [dashes, row],
      [item, anyItem],
    ],
    fences: [[fenceEnd, tabbedFenceEnd]],
  };
  const { fencesBeginRegex: fence } = other;
  const opens = (indent) => {
    const most = Math.max(0, Math.min(3, indent - 1));
    return new RegExp(`${fence(indent).source}|${MATH_LINE_START.source.replace("3", most)}`);
  };
  const punctuation = String.raw`\\([\p{P}\p{S}])`;
  return {
    other: {
      ...other,
      leadingSpaceTab: /^ ?\t[ \t]*/,
      htmlBeginRegex: () => never,
      fencesBeginRegex: opens,
    },
    block: { ...editRules(block, edits), html: never },
    inline: {
      ...inline,
      tag: never,
      url: never,
      // Emphasis must not look into escaped punctuation and formulas.
      anyPunctuationOutsideCode: editRule(
        "anyPunctuationOutsideCode",
        inline.anyPunctuationOutsideCode,
        [[punctuation, `(${MATH_PATTERN}|${punctuation.replace(/[()]/g, "")})`]],
      ),
    },
  };
}

/** Edit some rules of a set; the others stay. */
function editRules(rules, edits) {
  const edited = Object.entries(edits).map(([name, replacements]) => [
    name,
    editRule(name, rules[name], replacements),
  ]);
  return { ...rules, ...Object.fromEntries(edited) };
}

/** Replace parts of a rule's source. @throws {Error} where the rule has no such part */
export function editRule(name, rule, replacements) {
  let { source } = rule;
  for (const [part, replacement] of replacements) {
    const edited = source.replace(part, () => replacement);
    if (edited === source)
      throw new Error(`marked's rule “${name}” has changed: ${part} does not match`);
    source = edited;
  }
  return new RegExp(source, rule.flags);
}

/** Lex only the blocks. TreeBuilder lexes what is inside a block when it builds the block. */
export function lexBlocks(source, links) {
  const lexer = new ChatLexer({ gfm: true, tokenizer: chatTokenizer, extensions });
  chatTokenizer.rules = tokenizerRules;
  lexer.tokens.links = links;
  const tokens = lexer.blockTokens(hidePipes(source), []);
  for (const { src, tokens } of lexer.inlineQueue) tokens.source = showPipes(src);
  return { lexer, tokens };
}

/** A cell of a table has no other way to break a line. Elsewhere the tag is text. */
function tokenizeLineBreak(source) {
  const [raw] = (this.lexer.isInCell && LINE_BREAK.exec(source)) || [];
  return raw && { type: "br", raw };
}

// Text that later text can't change: complete blocks, and pieces of a long paragraph. A piece is
// lexed once, however long its paragraph grows.

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

/** Whether it is a “[1]” that is not the text of a link and can't become one. */
function isCited(sign, raw, index) {
  return sign === "[" && /^\[[^[\]]*\][^[(:]/.test(raw.slice(index, index + 200));
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

function isClosed({ type, raw, codeBlockStyle, isClosed }) {
  if (type === "math") return true;
  if (isClosed !== undefined) return isClosed;
  if (type !== "code" || codeBlockStyle)
    return type === "hr" || (type === "heading" && /^ *#/.test(raw));
  const lines = raw.replace(/[ \t\n]+$/, "");
  const last = lines.slice(lines.lastIndexOf("\n") + 1);
  const close = lines.includes("\n") && /^ {0,3}(`+|~+)[ \t]*$/.exec(last);
  return Boolean(close) && close[1].startsWith(/^ *(`+|~+)/.exec(raw)[1]);
}
