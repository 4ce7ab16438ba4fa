// Markdown to DOM while it streams: marked's lexer, and a reconciler that touches only what changed.
//
// No HTML string is ever made, so a model's text can only become the elements named here. The
// dialect is chat/rendering/markdown.py's; tests/markdown_cases.json is the list both must agree on.
// A block that later text cannot change any more is committed and never touched again.

import { FormattingLimit, MAX_INLINE_COST, estimateInlineCost, splitPlainText } from "./complexity.js";
import { Lexer, Tokenizer } from "../vendor/marked/marked.esm.js";

/** @typedef {{tag: string, attrs: Record<string, string>, kids: Tree[], raw?: string, mark?: string}} Branch */
/** @typedef {Branch | string} Tree */

const SAFE_URL = /^(?:https?:\/\/|mailto:|tel:)/i;
const BARE_URL = /(?<![A-Za-z0-9_])https?:\/\/[\w!#$%&'()*+,\-./:;=?@~\u00c0-\u1fff]+/gi;
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z\d]{1,31}));/gi;
const REPLACED_CHARACTERS = /[\0\u2028\u2029]/g; // JavaScript alone takes the last two for line ends
const LINK_DEFINITION = /^[ \t>*+\-\d.)]*\[(?:\\[^]|[^[\]\\]){1,999}\]:/m; // of a link; “for tide in tides[1:]:” is none
const SEAM_TEXT = "Server restarted; reply continued";
const UNFORMATTED_TEXT = "The text from here on is too complex to format. It is shown as it was written.";
const PIECE_CHARS = 1000; // characters of a paragraph that are lexed at a time
const MAX_PIECE_CHARS = 8000; // what is still open then stays as it was written
const MIN_WRITE_CHARS = 1000; // characters in one write; where four times as many wait, a quarter of them
const MAX_WRITE_CHARS = 3000; // characters, which may be a thousand elements

// Maths. A dollar sign opens it only where a price would not stand: “$5 and $6” are two prices.
const PRICE_PATTERN = String.raw`\d[^\\{}$\n]* \(?[A-Za-z]{2}`;
const MATH_PATTERN = [
  String.raw`\$\$(?!\$)(?:\\[^]|[^$\\]){1,2000}\$\$(?!\$)`,
  String.raw`(?<![A-Za-z0-9$])\$(?![ \t\n$]|${PRICE_PATTERN})(?:\\[^\n]|[^$\x60\n\\])+(?<![ \t])\$(?![A-Za-z0-9$])`,
  String.raw`\\\((?:(?!\\\))[^]){1,2000}\\\)`,
  String.raw`\\\[(?:(?!\\\])[^]){1,2000}\\\](?!\()`,
].join("|");
const MATH_AT_START = new RegExp(`^(?:${MATH_PATTERN})`);
const DISPLAY_MATH_START = /^(?:\$\$|\\[([])/;
const MATH_LINE_START = /^ {0,3}(\$\$|\\\[)/;

class ChatTokenizer extends Tokenizer {
  /** marked asks for the list at the end of a quotation again, and takes for what stands before it what stands before the quotation. */
  blockquote(source) {
    const { state } = this.lexer;
    const before = state.lastToken;
    state.lastToken = undefined;
    const token = super.blockquote(source);
    state.lastToken = before;
    return token;
  }

  emStrong(source, masked, before) {
    return super.emStrong(source, masked, findCharacterBefore(before, source, masked));
  }

  del(source, masked, before) {
    return super.del(source, masked, findCharacterBefore(before, source, masked));
  }
}

/** The character before emphasis, of which marked knows the second half where it takes two, as most emoji do. */
function findCharacterBefore(before, source, masked) {
  return /[\udc00-\udfff]/.test(before) ? [...masked.slice(0, masked.length - source.length).slice(-2)].at(-1) : before;
}

const chatTokenizer = new ChatTokenizer();
const tokenizerRules = buildRules();
const extensions = {
  inline: [tokenizeInlineMath],
  startInline: [(source) => source.indexOf("$")],
  block: [tokenizeMathBlock],
  startBlock: [findNextMathLine],
};

/** Where, in the paragraph a text begins with, the next line stands that may begin with maths; -1 for nowhere. */
function findNextMathLine(source) {
  for (let at = source.indexOf("\n") + 1; at > 0; at = source.indexOf("\n", at) + 1) {
    const line = source.slice(at, at + 5);
    if (MATH_LINE_START.test(line)) return at;
    if (line[0] === "\n") return -1;
  }
  return -1;
}

/**
 * marked's GFM grammar without raw HTML, bare links and single-tilde strikethrough: HTML is text,
 * links are found afterwards on both sides by one rule, and “~5 to ~10” strikes nothing out.
 */
function buildRules() {
  new Lexer({ gfm: true, tokenizer: chatTokenizer });
  const never = /(?!)/;
  const interrupt = / \{0,3\}\(\?:<\\\/\?\(\?:address.*?CDATA\\\[\)/g;
  // A row of dashes alone is no delimiter row; taken for one, it would end the paragraph above.
  const dashes = "\\n {0,3}((?:\\| *)?:?-+:?";
  const row = dashes.replace("\\n", "\\n(?=[^\\n]*[|:])");
  const closed = "~*) *(?=\\n|$)"; // by tabs, too
  const edited = ({ source, flags }) => new RegExp(source.replace(interrupt, "(?!)").replace(dashes, row).replace(closed, closed.replace(" *", "[ \\t]*")), flags);
  const adapt = ([name, rule]) => [name, rule.source ? edited(rule) : rule];
  const { block, inline, other } = chatTokenizer.rules;
  const { fencesBeginRegex: fence } = other;
  const opens = (indent) => {
    const most = Math.max(0, Math.min(3, indent - 1));
    return new RegExp(`${fence(indent).source}|${MATH_LINE_START.source.replace("3", most)}`);
  };
  const masked = inline.anyPunctuationOutsideCode;
  const punctuation = String.raw`\\([\p{P}\p{S}])`;
  return {
    other: { ...other, leadingSpaceTab: /^ ?\t[ \t]*/, htmlBeginRegex: () => never, fencesBeginRegex: opens },
    block: { ...Object.fromEntries(Object.entries(block).map(adapt)), html: never },
    inline: {
      ...inline,
      tag: never,
      url: never,
      // What emphasis doesn't look into: escaped punctuation, and maths.
      anyPunctuationOutsideCode: new RegExp(masked.source.replace(punctuation, () => `(${MATH_PATTERN}|${punctuation.replace(/[()]/g, "")})`), masked.flags),
      delLDelim: new RegExp(inline.delLDelim.source.replace("~~?", "~~(?!~)"), inline.delLDelim.flags),
    },
  };
}

/** Lex blocks only; what is inside them is lexed when (and if) it is built. */
function lexBlocks(source, links) {
  const lexer = new Lexer({ gfm: true, tokenizer: chatTokenizer, extensions });
  chatTokenizer.rules = tokenizerRules;
  lexer.tokens.links = links;
  const tokens = lexer.blockTokens(source, []);
  for (const { src, tokens } of lexer.inlineQueue) tokens.source = src;
  return { lexer, tokens };
}

function tokenizeInlineMath(source, before) {
  if (DISPLAY_MATH_START.test(source)) this.lexer.maths = true;
  const [raw] = (source[0] === "$" || source[0] === "\\") && MATH_AT_START.exec(source) || [];
  const joined = raw?.[1] !== "$" && raw?.[0] === "$" && /[A-Za-z0-9$]$/.test(before.at(-1)?.raw ?? "");
  return raw && !joined ? { type: "maths", raw } : undefined;
}

/**
 * Maths on lines of its own, up to the closing sign at the end of a line. What is not closed
 * before an empty line is a paragraph, and as long as it is: growing text settles nothing early.
 * (By another name, for marked may join what comes next to a paragraph.)
 */
function tokenizeMathBlock(source) {
  const opened = MATH_LINE_START.exec(source);
  if (!opened) return undefined;
  this.lexer.maths = true;
  const close = { $$: "$$", "\\[": "\\]" }[opened[1]];
  const blank = source.search(/\n[ \t]*(?:\n|$)/);
  const block = blank < 0 ? source : source.slice(0, blank + 1);
  const end = block.indexOf(close, opened[0].length);
  const after = end < 0 ? null : /^[ \t]*(?:\n|$)/.exec(block.slice(end + close.length));
  if (end >= 0 && !(after && block.slice(opened[0].length, end).trim())) return undefined;
  const raw = end < 0 ? block : block.slice(0, end + close.length) + after[0];
  const text = raw.replace(/[ \t]*\n[ \t]*/g, "\n").trim();
  if (end >= 0) return { type: "math", raw, text };
  return { type: this.lexer.state.top ? "unclosed" : "text", raw, text, tokens: this.lexer.inline(text) };
}

class TreeBuilder {
  constructor(lexer, outline, left) {
    this.lexer = lexer;
    this.outline = outline;
    this.remainingCost = left; // of what the signs of paragraphs may cost
    this.formulas = []; // that were built
  }

  /** Build a block, or take the one built before when it has the same source in the same place. */
  buildBlock(token, before, top = false) {
    if (token.type === "heading" && top) enterHeading(this.outline, token.depth);
    const mark = `${this.outline.length}${token.loose ?? ""}${token.checked ?? ""}`;
    if (before?.raw === token.raw && before.mark === mark) return this.reuseTree(before);
    const { remainingCost: left } = this;
    const built = this[token.type](token, before?.kids ?? [], top, before);
    return Object.assign(built, { raw: token.raw, mark, spent: left - this.remainingCost });
  }

  reuseTree(tree) {
    this.remainingCost -= tree.spent;
    return tree;
  }

  /** Is there enough left to look into the text of a paragraph? Then it is spent. */
  spendCost(text) {
    const cost = estimateInlineCost(text);
    if (cost > this.remainingCost) return false;
    this.remainingCost -= cost;
    return true;
  }

  buildBlocks(tokens, before) {
    return tokens
      .filter(({ type }) => type !== "space" && type !== "def")
      .map((token, i) => this.buildBlock(token, before[i]));
  }

  // Headings follow the order of the page's own (h1) without a gap, whatever the model wrote.
  heading(token, before, top) {
    const level = Math.min(this.outline.length + (top ? 1 : 2), 6);
    return h(`h${level}`, {}, this.buildInline(token.tokens));
  }

  /** A long one in pieces, so that each is lexed once, however much is still to come. */
  paragraph(token, before, top, old) {
    const source = token.tokens.source?.trim() ?? "";
    if (!this.spendCost(toPlainText(source))) return h("p", {}, [buildPlainSpan(source)]);
    delete token.tokens.source;
    this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
    if (source.length < 2 * PIECE_CHARS) return h("p", {}, this.buildInline(this.lexer.inlineTokens(source, token.tokens)));
    const known = old?.pieces && source.startsWith(old.pieces.source) ? old.pieces : { source: "", kids: [] };
    const kids = [...known.kids];
    let at = known.source.length;
    for (let next; (next = this.buildPiece(source, at)); at += next.length) kids.push(...next.kids);
    const pieces = { source: source.slice(0, at), kids };
    return { ...h("p", {}, [...kids, ...this.buildInline(this.lexer.inlineTokens(source.slice(at)))]), pieces };
  }

  /** What can be shown of a long paragraph, from there, that no later text will change. */
  buildPiece(source, at) {
    for (let size = PIECE_CHARS; at + 2 * size <= source.length && size <= MAX_PIECE_CHARS; size *= 2) {
      const text = source.slice(at, at + size).replace(/[\ud800-\udbff]$/, "");
      const tokens = this.lexer.inlineTokens(text);
      const length = findSafeEnd(tokens, text);
      if (length) return { length, kids: this.buildInline(takeTokens(tokens, length)) };
      if (size === MAX_PIECE_CHARS) return { length: text.length, kids: this.buildInline(tokens) };
    }
    return undefined;
  }

  text(token, ...rest) {
    return this.paragraph(token, ...rest);
  }

  unclosed(token, ...rest) {
    return this.paragraph(token, ...rest);
  }

  unformatted() {
    return h("div", { class: "unformatted", role: "note" }, [UNFORMATTED_TEXT]);
  }

  plain({ text }) {
    return h("div", { class: "plain" }, [text]);
  }

  code(token) {
    const language = /^[\w+#.-]{1,30}/.exec(decodeEntities(token.lang ?? ""))?.[0];
    const text = token.text.replace(token.codeBlockStyle ? /\n+$/ : /\n$/, "");
    return h("pre", { class: "code", ...(language && { "data-language": language }) }, [
      h("code", { tabindex: "0" }, text ? [text] : []),
    ]);
  }

  hr() {
    return h("hr");
  }

  math({ text }) {
    this.formulas.push(text);
    return h("div", { class: "math", tabindex: "0" }, [text]);
  }

  blockquote(token, before) {
    return h("blockquote", {}, this.buildBlocks(token.tokens, before));
  }

  list(token, before) {
    const start = token.ordered && token.start !== 1 ? { start: String(token.start) } : {};
    const items = token.items.map((item, i) => this.buildBlock(item, before[i]));
    return h(token.ordered ? "ol" : "ul", start, items);
  }

  list_item(token, before) {
    const kids = [];
    for (const part of token.tokens) {
      if (part.type === "text") kids.push(...this.buildInline(part.tokens));
      else if (part.type === "checkbox") kids.push(...buildCheckbox(part));
      else if (part.type !== "space" && part.type !== "def") {
        const old = before[kids.length];
        kids.push(this.buildBlock(part, typeof old === "object" ? old : undefined));
      }
    }
    return h("li", token.task ? { class: "task" } : {}, kids);
  }

  table(token, before, top, old) {
    const [head, body] = old?.attrs?.class === "table" ? before[0].kids : []; // or it was a paragraph until now
    const rows = token.rows.map((cells, i) => this.buildRow(cells, "td", body?.kids[i]));
    const kids = [h("thead", {}, [this.buildRow(token.header, "th", head?.kids[0])])];
    if (rows.length) kids.push(h("tbody", {}, rows));
    return h("div", { class: "table", tabindex: "0" }, [h("table", {}, kids)]);
  }

  /** Build a row, or take the one built before when it has the same source in the same place. */
  buildRow(cells, tag, before) {
    const raw = cells.map(({ text, align }) => `${align ?? ""}|${text}`).join("\n");
    if (before?.raw === raw) return this.reuseTree(before);
    const { remainingCost: left } = this;
    const kids = cells.map(({ align, tokens }) => h(tag, align ? { class: align } : {}, this.buildInline(tokens)));
    return { ...h("tr", {}, kids), raw, spent: left - this.remainingCost };
  }

  /** @returns {Tree[]} with neighbouring text joined and bare links made */
  buildInline(tokens, inLink = false) {
    if (tokens.source !== undefined) {
      if (!this.spendCost(toPlainText(tokens.source))) return [buildPlainSpan(tokens.source)];
      this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
      this.lexer.inlineTokens(tokens.source.trim(), tokens);
      delete tokens.source;
    }
    return this.buildSpans(tokens, inLink).flatMap((kid) => (typeof kid === "string" && !inLink ? linkify(kid) : [kid]));
  }

  buildSpans(tokens, inLink) {
    const kids = [];
    for (const token of tokens) {
      for (const kid of this.buildSpan(token, inLink)) {
        if (typeof kid === "string" && typeof kids.at(-1) === "string") kids[kids.length - 1] += kid;
        else if (kid !== "") kids.push(kid);
      }
    }
    return kids;
  }

  buildSpan(token, inLink) {
    switch (token.type) {
      case "text":
        return [decodeEntities(token.raw.replace(/ *\n[ \t]*/g, "\n"))];
      case "escape":
        return [token.text];
      case "codespan":
        return [h("code", {}, [token.text])];
      case "maths":
        this.formulas.push(token.raw);
        return [h("span", { class: "math" }, [token.raw])];
      case "br":
        return [h("br")];
      case "checkbox":
        return buildCheckbox(token);
      case "image":
        return inLink ? [flattenText(token.tokens)] : buildLink(decodeLink(token), [flattenText(token.tokens) || encodeUrl(decodeEntities(token.href))]);
      case "link":
        return token.autolink ? buildLink(token, [token.text]) : buildLink(decodeLink(token), this.buildInline(token.tokens, true));
      default: // em, strong, del
        return [h(token.type, {}, this.buildInline(token.tokens, inLink))];
    }
  }
}

/** The text of a paragraph as it is shown when it is not formatted: each line without the space around it. */
function toPlainText(source) {
  return source.trim().split("\n").map((line) => line.replace(/^[ \t]+/, "").trimEnd()).join("\n");
}

function buildPlainSpan(source) {
  return h("span", { class: "plain" }, [toPlainText(source)]);
}

/**
 * The last space of a text up to which nothing is open: no emphasis, code, link or formula that
 * what follows could close. 0 where there is none.
 */
function findSafeEnd(tokens, text) {
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

const OPENER = /(?<!\s)\*|\*(?!\s)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|`|~~|!?\[|\](?=[[(]|$)|\\[([]|\$/g;

/** Where in the text, if anywhere, a token stands open that began at `at`; -1 for nowhere. */
function findOpening(token, text, at) {
  if (token.type === "codespan" || token.type === "maths" || token.type === "br") return -1;
  const inner = token.type !== "text" && token.type !== "escape" && token.tokens;
  if (inner) return inner.some((kid) => findOpening(kid, kid.raw, 0) >= 0) ? at : -1;
  if (token.type !== "text") return token.raw === "\\(" || token.raw === "\\[" ? at : -1;
  for (const { 0: sign, index } of token.raw.matchAll(OPENER)) {
    if (sign === "$" ? couldOpenMath(text, at + index) : !isCited(sign, token.raw, index)) return at + index;
  }
  return -1;
}

/** “[1]”, when it is neither a link's text nor could become it. */
function isCited(sign, raw, index) {
  return sign === "[" && /^\[[^[\]]*\][^[(:]/.test(raw.slice(index, index + 200));
}

/** Could this dollar sign, with more text behind, turn out to open a formula? */
function couldOpenMath(text, at) {
  const rest = text.slice(at + 1);
  return !new RegExp(`^(?:[ \\t\\n]|${PRICE_PATTERN}|(?:\\\\[^\\n]|[^$\x60\\n\\\\])*[$\x60\\n])`).test(rest) || rest[0] === "$";
}

function findSpaceBefore(text, from, to) {
  for (let i = to - 1; i > from + 1; i--) {
    if (text[i - 1] === " " && /\S/.test(text[i]) && /[^\s\\]/.test(text[i - 2])) return i;
  }
  return 0;
}

function takeTokens(tokens, length) {
  const kept = [];
  for (const token of tokens) {
    kept.push(token.raw.length > length ? { ...token, raw: token.raw.slice(0, length) } : token);
    length -= token.raw.length;
    if (length <= 0) break;
  }
  return kept;
}

/** Which headings stand above: an outline of depths, each deeper than the one before it. */
function enterHeading(outline, depth) {
  while (outline.at(-1) >= depth) outline.pop();
  outline.push(depth);
}

/** @returns {Branch} */
function h(tag, attrs = {}, kids = []) {
  return { tag, attrs, kids };
}

function buildCheckbox({ checked }) {
  const state = checked ? { checked: "", "aria-label": "done" } : { "aria-label": "to do" };
  return [h("input", { type: "checkbox", disabled: "", ...state }), " "];
}

function decodeLink({ href, title }) {
  return { href: decodeEntities(href), title: title && decodeEntities(title) };
}

/** A link to where a link may lead, when it is an address; otherwise only its text. */
function buildLink({ href, title }, kids) {
  const url = encodeUrl(href);
  if (!SAFE_URL.test(url) || !URL.canParse(url)) return kids;
  const attrs = { href: url, ...(title && { title }) };
  return [h("a", { ...attrs, target: "_blank", rel: "noopener noreferrer nofollow" }, kids)];
}

function encodeUrl(url) {
  try {
    return encodeURI(url).replaceAll("%25", "%");
  } catch {
    return "";
  }
}

function linkify(text) {
  const kids = [];
  let end = 0;
  for (const match of text.matchAll(BARE_URL)) {
    const url = trimUrl(match[0]);
    const [made] = buildLink({ href: url }, [url]);
    if (made === url) continue; // it is no address
    if (match.index > end) kids.push(text.slice(end, match.index));
    kids.push(made);
    end = match.index + url.length;
  }
  if (end < text.length) kids.push(text.slice(end));
  return kids;
}

/** A bare URL without the punctuation of the sentence around it. */
function trimUrl(url) {
  let end = url.length;
  let unopened = url.split(")").length - url.split("(").length;
  for (;;) {
    const last = url[end - 1];
    const unbalanced = last === ")" && unopened > 0;
    if (!unbalanced && !"?!.,:;*_~'".includes(last)) return url.slice(0, end);
    if (last === ")") unopened--;
    end--;
  }
}

function flattenText(tokens) {
  return tokens
    .map((token) => {
      if (token.type === "br") return "\n";
      if (token.type === "text") return decodeEntities(token.raw);
      return token.tokens && !token.autolink ? flattenText(token.tokens) : token.text;
    })
    .join("");
}

const entityCache = new Map();

function decodeEntities(text) {
  if (!text.includes("&")) return text;
  return text.replace(ENTITY, (whole, decimal, hex, name) => {
    if (!name) return characterOf(decimal ? parseInt(decimal, 10) : parseInt(hex, 16));
    if (!entityCache.has(name)) entityCache.set(name, lookUpEntity(name) ?? whole);
    return entityCache.get(name);
  });
}

/** The browser has the table of names; only letters and digits ever reach its parser here. */
function lookUpEntity(name) {
  const text = new DOMParser().parseFromString(`x&${name};`, "text/html").body.textContent.slice(1);
  return text.endsWith(";") && name !== "semi" ? undefined : text;
}

function characterOf(code) {
  const valid =
    code <= 0x10ffff &&
    !(code >= 0xd800 && code <= 0xdfff) &&
    !(code >= 0xfdd0 && code <= 0xfdef) &&
    (code & 0xfffe) !== 0xfffe &&
    !(code <= 8 || code === 0xb || (code >= 0xe && code <= 0x1f) || (code >= 0x7f && code <= 0x9f));
  return valid ? String.fromCodePoint(code) : "\ufffd";
}

/** @param {Tree} tree */
function createNode(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const element = document.createElement(tree.tag);
  for (const [name, value] of Object.entries(tree.attrs)) element.setAttribute(name, value);
  for (const kid of tree.kids) element.append(createNode(kid));
  return element;
}

/** Make the children that show `before`, from `node` on, show `after`, of which the new ones may be made. */
function patchChildren(parent, before, after, node = parent.firstChild, made = after.slice(before.length).map(createNode)) {
  const both = Math.min(before.length, after.length);
  for (let i = 0; i < both; i++) {
    const next = node.nextSibling;
    if (before[i] !== after[i]) updateNode(node, before[i], after[i]);
    node = next;
  }
  for (let extra = before.length - both; extra > 0; extra--) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
  for (const element of made) parent.insertBefore(element, node);
}

function updateNode(node, old, now) {
  if (typeof old === "string" && typeof now === "string") {
    if (now.startsWith(old)) node.appendData(now.slice(old.length));
    else if (old.startsWith(now)) node.deleteData(now.length, old.length);
    else node.data = now;
  } else if (isSameElement(old, now)) patchChildren(node, old.kids, now.kids);
  else node.replaceWith(createNode(now));
}

function isSameElement(old, now) {
  if (typeof old === "string" || old.tag !== now.tag) return false;
  if (now.attrs.class === "math" && old.kids[0] !== now.kids[0]) return false; // it may be set, and hold no text
  const names = Object.keys(now.attrs);
  return names.length === Object.keys(old.attrs).length && names.every((name) => old.attrs[name] === now.attrs[name]);
}

/**
 * The blocks of a text with its seams between them; for each token, how many trees end with it.
 * Between two blocks it may be left for another frame.
 */
function* buildTrees(builder, tokens, start, seams, before) {
  const trees = [];
  const places = [];
  let next = 0;
  for (const token of tokens) {
    if (token.type !== "space" && token.type !== "def") {
      if (seams[next] <= start && token.type !== "unformatted") {
        trees.push(buildSeam());
        while (seams[next] <= start) next++;
      }
      trees.push(builder.buildBlock(token, before[trees.length], true));
      yield;
    }
    start += token.raw.length;
    places.push(trees.length);
  }
  if (next < seams.length) trees.push(buildSeam());
  return { trees, places };
}

function buildSeam() {
  return h("div", { class: "seam", role: "note" }, [SEAM_TEXT]);
}

/** How many tokens no later text can change: see MarkdownStream.commit. */
function countSettledTokens(tokens, isCut) {
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

/** Those of links, also within quotations and lists. */
function findDefinitions(tokens) {
  return tokens.flatMap((token) => (token.type === "def" ? [token] : token.raw.includes("]:") ? findDefinitions(token.tokens ?? token.items ?? []) : []));
}

function isClosed({ type, raw, codeBlockStyle }) {
  if (type === "math") return true;
  if (type !== "code" || codeBlockStyle) return type === "hr" || (type === "heading" && /^ *#/.test(raw));
  const lines = raw.replace(/[ \t\n]+$/, "");
  const last = lines.slice(lines.lastIndexOf("\n") + 1);
  const close = lines.includes("\n") && /^ {0,3}(`+|~+)[ \t]*$/.exec(last);
  return Boolean(close) && close[1].startsWith(/^ *(`+|~+)/.exec(raw)[1]);
}

/** One growing document inside `root`. Feed it with append(), show it with flush(). */
export class MarkdownStream {
  /**
   * @param {Element} root whose children, where they show the same text already, are kept
   * @param {(blocks: Element[]) => void} settled called with blocks that will not change again
   * @param {(formula: string) => boolean} expect called before it shows one; has it done something?
   */
  constructor(root, settled = () => {}, expect = () => false) {
    this.root = root;
    this.onSettled = settled;
    this.onFormula = expect;
    this.reset();
  }

  reset() {
    this.text = ""; // all of it, with \n for every line end
    this.uncommittedText = ""; // what is not committed of it
    this.heldCarriageReturn = ""; // a \r whose \n may still come
    this.shownLength = 0; // characters
    this.trees = [];
    this.committedCount = 0; // how many of the trees are
    this.lastCommittedNode = null; // the element of the last of them
    this.lastBlockStart = -1; // where the last of them starts
    this.outline = [];
    this.limit = new FormattingLimit();
    this.remainingCost = MAX_INLINE_COST;
    this.links = Object.create(null);
    this.seams = []; // places in the text
    this.hasLateLinks = false;
    this.isAdopted = false;
    this.hasMath = false; // or the beginning of a formula
    this.building = this.built = null; // what is being built, and what was
    this.exactTrees = this.rebuilding = null; // all of the text anew, where links were defined late
    this.isFinished = false; // finished: nothing is written any more
  }

  append(delta) {
    if (this.isFinished) return;
    let text = this.heldCarriageReturn + delta;
    this.heldCarriageReturn = text.endsWith("\r") ? "\r" : "";
    if (this.heldCarriageReturn) text = text.slice(0, -1);
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    text = text.replace(REPLACED_CHARACTERS, (character) => (character === "\0" ? "\ufffd" : " "));
    this.text += text;
    this.uncommittedText += text;
  }

  /** The blocks that later text may still change. */
  *openBlocks() {
    for (let block = this.lastCommittedNode ? this.lastCommittedNode.nextSibling : this.root.firstChild; block; block = block.nextSibling) yield block;
  }

  /** Mark the place reached: shown before the next block that starts. */
  seam() {
    this.seams.push(this.text.length + this.heldCarriageReturn.length);
  }

  /** Show all there is. */
  flush() {
    if (this.isFinished) return;
    this.building = this.built = null;
    this.prepare();
    this.write();
  }

  /**
   * Build, block by block, what write() will show: the text as it is at the first of these calls.
   * @param {() => boolean} [enough] asked after each step, whether the next is for another frame;
   *   where nobody asks, all there is goes into one write
   * @param {boolean} [all] into one write all the same
   * @returns {boolean} is all of it built?
   */
  prepare(enough, all = !enough) {
    if (this.isFinished) return true;
    this.building ??= this.build(all || !this.isAdopted ? this.text.length : this.findWriteEnd());
    while (!this.built) {
      this.built = this.buildStep();
      if (!this.built && enough?.()) return false;
    }
    return true;
  }

  /**
   * What can't be read is shown as it was written: no text may keep a reply from its end.
   * @throws where not even that can be built
   */
  buildStep() {
    try {
      return this.building.next().value;
    } catch (error) {
      this.building = null;
      if (this.limit.isFinal && this.limit.end <= this.uncommittedStart) throw error;
      this.limit.stop(Math.min(this.limit.end, this.uncommittedStart));
      this.building = this.build(this.text.length);
      return undefined;
    }
  }

  /** Where what is not committed begins. */
  get uncommittedStart() {
    return this.text.length - this.uncommittedText.length;
  }

  /** The blocks of a part of the text: formatted as far as it may be, and then plain ones. */
  lexRange(start, end, links) {
    this.limit.countNewText(this.text);
    const cut = this.limit.end;
    const { lexer, tokens } = lexBlocks(this.text.slice(start, Math.min(end, cut)), links);
    if (end <= cut) return { lexer, tokens };
    if (start <= cut) tokens.push({ type: "unformatted", raw: "" });
    for (const part of splitPlainText(this.text.slice(0, end), Math.max(start, cut))) {
      tokens.push({ type: "plain", raw: this.text.slice(part.start, part.next), text: part.text });
    }
    return { lexer, tokens };
  }

  /** Up to where the next write shows the text: less than there is when it comes very fast. */
  findWriteEnd() {
    const quarter = Math.ceil((this.text.length - this.shownLength) / 4);
    const isPlain = this.limit.isFinal && this.shownLength >= this.limit.end;
    const end = this.shownLength + Math.max(MIN_WRITE_CHARS, isPlain ? quarter : Math.min(MAX_WRITE_CHARS, quarter));
    return /[\ud800-\udbff]/.test(this.text[end - 1]) ? end + 1 : end;
  }

  *build(end) {
    const { uncommittedStart: start } = this;
    const seams = this.seams.filter((place) => place > this.lastBlockStart && place <= end);
    const before = this.trees.slice(this.committedCount);
    const { lexer, tokens } = this.lexRange(start, end, Object.assign(Object.create(null), this.links));
    const builder = new TreeBuilder(lexer, [...this.outline], this.remainingCost);
    yield;
    const { trees, places } = yield* buildTrees(builder, tokens, start, seams, before);
    const made = [];
    for (const tree of this.isAdopted ? trees.slice(before.length) : []) {
      made.push(createNode(tree));
      yield;
    }
    for (const formula of builder.formulas) if (this.onFormula(formula)) yield;
    this.hasMath ||= Boolean(lexer.maths);
    return { tokens, before, trees, places, made, end: Math.min(end, this.text.length) };
  }

  /** Is all the text shown? */
  get isFullyShown() {
    return this.shownLength === this.text.length;
  }

  /** Show what was built, in one write. */
  write() {
    if (this.isFinished) return;
    const { tokens, before, trees, places, made, end } = this.built;
    this.building = this.built = null;
    if (!this.isAdopted) this.adoptServerNodes(trees);
    else patchChildren(this.root, before, trees, this.lastCommittedNode ? this.lastCommittedNode.nextSibling : this.root.firstChild, made);
    this.trees.splice(this.committedCount, Infinity, ...trees);
    this.commit(tokens, places);
    this.shownLength = end;
  }

  /** Keep what the server rendered wherever it is what we would have made. */
  adoptServerNodes(trees) {
    for (const node of [...this.root.childNodes]) if (node.nodeType !== Node.ELEMENT_NODE) node.remove();
    trees.forEach((tree, i) => {
      const made = createNode(tree);
      const there = this.root.children[i];
      if (!there) this.root.append(made);
      else if (!there.isEqualNode(made)) there.replaceWith(made);
    });
    while (this.root.children.length > trees.length) this.root.lastElementChild.remove();
    this.isAdopted = true;
  }

  /**
   * Let go of the blocks no later text can reach: all up to one that ended itself (a closed
   * fence, a heading, a rule), and all but the last two once the last has a whole line. A block
   * can still change its neighbour (a table header that turns out to be text), never the one
   * before that.
   */
  commit(tokens, places) {
    const count = countSettledTokens(tokens, this.limit.isFinal);
    if (!count) return;
    let length = 0;
    for (const token of tokens.slice(0, count)) {
      if (token.type === "heading") enterHeading(this.outline, token.depth);
      for (const definition of findDefinitions([token])) this.defineLink(definition, length > 0 || definition !== token);
      if (token.type !== "def" && token.type !== "space") this.lastBlockStart = this.uncommittedStart + length;
      length += token.raw.length;
    }
    this.uncommittedText = this.uncommittedText.slice(length);
    this.settleBlocks(this.committedCount + places[count - 1]);
  }

  /** Let go of the blocks up to there, and say which. */
  settleBlocks(end) {
    const blocks = [];
    for (; this.committedCount < end; this.committedCount++) {
      this.lastCommittedNode = this.lastCommittedNode ? this.lastCommittedNode.nextSibling : this.root.firstChild;
      this.remainingCost -= this.trees[this.committedCount].spent ?? 0;
      blocks.push(this.lastCommittedNode);
    }
    this.onSettled(blocks);
  }

  /** @param {boolean} late does anything stand before it in this commit? */
  defineLink({ tag, href, title }, late) {
    if (tag in this.links) return;
    this.links[tag] = { href, title };
    this.hasLateLinks ||= this.committedCount > 0 || late;
  }

  /** Has a link been defined behind a place that may lead there? */
  get hasLateDefinition() {
    return this.hasLateLinks || (this.uncommittedText.includes("]:") && LINK_DEFINITION.test(this.uncommittedText));
  }

  /**
   * Nothing more will come, and all of it is shown: build, block by block, what finish() will put right.
   * @param {() => boolean} [enough] as for prepare()
   * @returns {boolean} is all of it built?
   */
  prepareFinish(enough) {
    if (this.isFinished || this.exactTrees || !this.hasLateDefinition) return true;
    this.rebuilding ??= this.rebuild();
    while (!this.exactTrees) {
      this.exactTrees = this.rebuildStep();
      if (!this.exactTrees && enough?.()) return false;
    }
    return true;
  }

  /** @throws what keeps it from being built; then the next call begins anew */
  rebuildStep() {
    try {
      return this.rebuilding.next().value ?? null;
    } catch (error) {
      this.rebuilding = null;
      throw error;
    }
  }

  *rebuild() {
    const { lexer, tokens } = this.lexRange(0, this.text.length, Object.create(null));
    yield;
    const { trees } = yield* buildTrees(new TreeBuilder(lexer, [], MAX_INLINE_COST), tokens, 0, this.seams, []);
    return trees;
  }

  /** Nothing more will come: show all of it exactly, late link definitions included. */
  finish() {
    if (this.isFinished) return;
    if (this.heldCarriageReturn || !this.isFullyShown) this.exactTrees = this.rebuilding = null;
    this.append(this.heldCarriageReturn ? "\n" : "");
    this.flush();
    this.prepareFinish();
    if (this.exactTrees) {
      patchChildren(this.root, this.trees, this.exactTrees);
      this.trees = this.exactTrees;
      [this.committedCount, this.lastCommittedNode] = [0, null];
    }
    this.settleBlocks(this.trees.length);
    this.isFinished = true;
  }
}

/** Render once, into `root`; seams are places in `source`. */
export function renderInto(root, source, seams = []) {
  const stream = new MarkdownStream(root);
  let end = 0;
  for (const place of seams) {
    stream.append(source.slice(end, place));
    stream.seam();
    end = place;
  }
  stream.append(source.slice(end));
  stream.finish();
  return stream;
}
