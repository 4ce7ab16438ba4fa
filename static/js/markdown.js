// Markdown to DOM while it streams: marked's lexer, and a reconciler that touches only what changed.
//
// No HTML string is ever made, so a model's text can only become the elements named here. The
// dialect is chat/rendering/markdown.py's; tests/markdown_cases.json is the list both must agree on.
// A block that later text cannot change any more is committed and never touched again.

import { Bound, MAX_INLINE_COST, inlineCost, plainParts } from "./complexity.js";
import { Lexer, Tokenizer } from "../vendor/marked/marked.esm.js";

/** @typedef {{tag: string, attrs: Record<string, string>, kids: Tree[], raw?: string, mark?: string}} Branch */
/** @typedef {Branch | string} Tree */

const SAFE_URL = /^(?:https?:\/\/|mailto:|tel:)/i;
const BARE_URL = /(?<![A-Za-z0-9_])https?:\/\/[\w!#$%&'()*+,\-./:;=?@~\u00c0-\u1fff]+/gi;
const ENTITY = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z\d]{1,31}));/gi;
const ODD = /[\0\u2028\u2029]/g; // JavaScript alone takes the last two for line ends
const DEFINITION = /^[ \t>*+\-\d.)]*\[(?:\\[^]|[^[\]\\]){1,999}\]:/m; // of a link; “for tide in tides[1:]:” is none
const SEAM = "the server restarted here; the reply went on";
const UNFORMATTED = "The text from here on is too complex to format. It is shown as it was written.";
const PIECE = 1000; // characters of a paragraph that are lexed at a time
const LARGEST_PIECE = 8000; // what is still open then stays as it was written
const AT_ONCE = 1000; // characters in one write; where four times as many wait, a quarter of them
const MOST_AT_ONCE = 3000; // characters, which may be a thousand elements

// Maths. A dollar sign opens it only where a price would not stand: “$5 and $6” are two prices.
const PRICE = String.raw`\d[^\\{}$\n]* \(?[A-Za-z]{2}`;
const MATH = [
  String.raw`\$\$(?!\$)(?:\\[^]|[^$\\]){1,2000}\$\$(?!\$)`,
  String.raw`(?<![A-Za-z0-9$])\$(?![ \t\n$]|${PRICE})(?:\\[^\n]|[^$\x60\n\\])+(?<![ \t])\$(?![A-Za-z0-9$])`,
  String.raw`\\\((?:(?!\\\))[^]){1,2000}\\\)`,
  String.raw`\\\[(?:(?!\\\])[^]){1,2000}\\\](?!\()`,
].join("|");
const MATH_HERE = new RegExp(`^(?:${MATH})`);
const MATH_OPENS = /^(?:\$\$|\\[([])/;
const MATH_LINE = /^ {0,3}(\$\$|\\\[)/;

class Careful extends Tokenizer {
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
    return super.emStrong(source, masked, entire(before, source, masked));
  }

  del(source, masked, before) {
    return super.del(source, masked, entire(before, source, masked));
  }
}

/** The character before emphasis, of which marked knows the second half where it takes two, as most emoji do. */
function entire(before, source, masked) {
  return /[\udc00-\udfff]/.test(before) ? [...masked.slice(0, masked.length - source.length).slice(-2)].at(-1) : before;
}

const tokenizer = new Careful();
const rules = dialect();
const extensions = {
  inline: [mathInline],
  startInline: [(source) => source.indexOf("$")],
  block: [mathBlock],
  startBlock: [nextMathLine],
};

/** Where, in the paragraph a text begins with, the next line stands that may begin with maths; -1 for nowhere. */
function nextMathLine(source) {
  for (let at = source.indexOf("\n") + 1; at > 0; at = source.indexOf("\n", at) + 1) {
    const line = source.slice(at, at + 5);
    if (MATH_LINE.test(line)) return at;
    if (line[0] === "\n") return -1;
  }
  return -1;
}

/**
 * marked's GFM grammar without raw HTML, bare links and single-tilde strikethrough: HTML is text,
 * links are found afterwards on both sides by one rule, and “~5 to ~10” strikes nothing out.
 */
function dialect() {
  new Lexer({ gfm: true, tokenizer });
  const never = /(?!)/;
  const interrupt = / \{0,3\}\(\?:<\\\/\?\(\?:address.*?CDATA\\\[\)/g;
  // A row of dashes alone is no delimiter row; taken for one, it would end the paragraph above.
  const dashes = "\\n {0,3}((?:\\| *)?:?-+:?";
  const row = dashes.replace("\\n", "\\n(?=[^\\n]*[|:])");
  const closed = "~*) *(?=\\n|$)"; // by tabs, too
  const edited = ({ source, flags }) => new RegExp(source.replace(interrupt, "(?!)").replace(dashes, row).replace(closed, closed.replace(" *", "[ \\t]*")), flags);
  const adapt = ([name, rule]) => [name, rule.source ? edited(rule) : rule];
  const { block, inline, other } = tokenizer.rules;
  const { fencesBeginRegex: fence } = other;
  const opens = (indent) => {
    const most = Math.max(0, Math.min(3, indent - 1));
    return new RegExp(`${fence(indent).source}|${MATH_LINE.source.replace("3", most)}`);
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
      anyPunctuationOutsideCode: new RegExp(masked.source.replace(punctuation, () => `(${MATH}|${punctuation.replace(/[()]/g, "")})`), masked.flags),
      delLDelim: new RegExp(inline.delLDelim.source.replace("~~?", "~~(?!~)"), inline.delLDelim.flags),
    },
  };
}

/** Lex blocks only; what is inside them is lexed when (and if) it is built. */
function lex(source, links) {
  const lexer = new Lexer({ gfm: true, tokenizer, extensions });
  tokenizer.rules = rules;
  lexer.tokens.links = links;
  const tokens = lexer.blockTokens(source, []);
  for (const { src, tokens } of lexer.inlineQueue) tokens.source = src;
  return { lexer, tokens };
}

function mathInline(source, before) {
  if (MATH_OPENS.test(source)) this.lexer.maths = true;
  const [raw] = (source[0] === "$" || source[0] === "\\") && MATH_HERE.exec(source) || [];
  const joined = raw?.[1] !== "$" && raw?.[0] === "$" && /[A-Za-z0-9$]$/.test(before.at(-1)?.raw ?? "");
  return raw && !joined ? { type: "maths", raw } : undefined;
}

/**
 * Maths on lines of its own, up to the closing sign at the end of a line. What is not closed
 * before an empty line is a paragraph, and as long as it is: growing text settles nothing early.
 * (By another name, for marked may join what comes next to a paragraph.)
 */
function mathBlock(source) {
  const opened = MATH_LINE.exec(source);
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

class Builder {
  constructor(lexer, outline, left) {
    this.lexer = lexer;
    this.outline = outline;
    this.left = left; // of what the signs of paragraphs may cost
    this.formulas = []; // that were built
  }

  /** Build a block, or take the one built before when it has the same source in the same place. */
  block(token, before, top = false) {
    if (token.type === "heading" && top) descend(this.outline, token.depth);
    const mark = `${this.outline.length}${token.loose ?? ""}${token.checked ?? ""}`;
    if (before?.raw === token.raw && before.mark === mark) return this.reuse(before);
    const { left } = this;
    const built = this[token.type](token, before?.kids ?? [], top, before);
    return Object.assign(built, { raw: token.raw, mark, spent: left - this.left });
  }

  reuse(tree) {
    this.left -= tree.spent;
    return tree;
  }

  /** Is there enough left to look into the text of a paragraph? Then it is spent. */
  spend(text) {
    const cost = inlineCost(text);
    if (cost > this.left) return false;
    this.left -= cost;
    return true;
  }

  blocks(tokens, before) {
    return tokens
      .filter(({ type }) => type !== "space" && type !== "def")
      .map((token, i) => this.block(token, before[i]));
  }

  // Headings follow the order of the page's own (h1) without a gap, whatever the model wrote.
  heading(token, before, top) {
    const level = Math.min(this.outline.length + (top ? 1 : 2), 6);
    return h(`h${level}`, {}, this.inline(token.tokens));
  }

  /** A long one in pieces, so that each is lexed once, however much is still to come. */
  paragraph(token, before, top, old) {
    const source = token.tokens.source?.trim() ?? "";
    if (!this.spend(asPlain(source))) return h("p", {}, [plainSpan(source)]);
    delete token.tokens.source;
    this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
    if (source.length < 2 * PIECE) return h("p", {}, this.inline(this.lexer.inlineTokens(source, token.tokens)));
    const known = old?.pieces && source.startsWith(old.pieces.source) ? old.pieces : { source: "", kids: [] };
    const kids = [...known.kids];
    let at = known.source.length;
    for (let next; (next = this.piece(source, at)); at += next.length) kids.push(...next.kids);
    const pieces = { source: source.slice(0, at), kids };
    return { ...h("p", {}, [...kids, ...this.inline(this.lexer.inlineTokens(source.slice(at)))]), pieces };
  }

  /** What can be shown of a long paragraph, from there, that no later text will change. */
  piece(source, at) {
    for (let size = PIECE; at + 2 * size <= source.length && size <= LARGEST_PIECE; size *= 2) {
      const text = source.slice(at, at + size).replace(/[\ud800-\udbff]$/, "");
      const tokens = this.lexer.inlineTokens(text);
      const length = safeEnd(tokens, text);
      if (length) return { length, kids: this.inline(upTo(tokens, length)) };
      if (size === LARGEST_PIECE) return { length: text.length, kids: this.inline(tokens) };
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
    return h("div", { class: "unformatted", role: "note" }, [UNFORMATTED]);
  }

  plain({ text }) {
    return h("div", { class: "plain" }, [text]);
  }

  code(token) {
    const language = /^[\w+#.-]{1,30}/.exec(decode(token.lang ?? ""))?.[0];
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
    return h("blockquote", {}, this.blocks(token.tokens, before));
  }

  list(token, before) {
    const start = token.ordered && token.start !== 1 ? { start: String(token.start) } : {};
    const items = token.items.map((item, i) => this.block(item, before[i]));
    return h(token.ordered ? "ol" : "ul", start, items);
  }

  list_item(token, before) {
    const kids = [];
    for (const part of token.tokens) {
      if (part.type === "text") kids.push(...this.inline(part.tokens));
      else if (part.type === "checkbox") kids.push(...checkbox(part));
      else if (part.type !== "space" && part.type !== "def") {
        const old = before[kids.length];
        kids.push(this.block(part, typeof old === "object" ? old : undefined));
      }
    }
    return h("li", token.task ? { class: "task" } : {}, kids);
  }

  table(token, before, top, old) {
    const [head, body] = old?.attrs?.class === "table" ? before[0].kids : []; // or it was a paragraph until now
    const rows = token.rows.map((cells, i) => this.row(cells, "td", body?.kids[i]));
    const kids = [h("thead", {}, [this.row(token.header, "th", head?.kids[0])])];
    if (rows.length) kids.push(h("tbody", {}, rows));
    return h("div", { class: "table", tabindex: "0" }, [h("table", {}, kids)]);
  }

  /** Build a row, or take the one built before when it has the same source in the same place. */
  row(cells, tag, before) {
    const raw = cells.map(({ text, align }) => `${align ?? ""}|${text}`).join("\n");
    if (before?.raw === raw) return this.reuse(before);
    const { left } = this;
    const kids = cells.map(({ align, tokens }) => h(tag, align ? { class: align } : {}, this.inline(tokens)));
    return { ...h("tr", {}, kids), raw, spent: left - this.left };
  }

  /** @returns {Tree[]} with neighbouring text joined and bare links made */
  inline(tokens, inLink = false) {
    if (tokens.source !== undefined) {
      if (!this.spend(asPlain(tokens.source))) return [plainSpan(tokens.source)];
      this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
      this.lexer.inlineTokens(tokens.source.trim(), tokens);
      delete tokens.source;
    }
    return this.spans(tokens, inLink).flatMap((kid) => (typeof kid === "string" && !inLink ? linkify(kid) : [kid]));
  }

  spans(tokens, inLink) {
    const kids = [];
    for (const token of tokens) {
      for (const kid of this.span(token, inLink)) {
        if (typeof kid === "string" && typeof kids.at(-1) === "string") kids[kids.length - 1] += kid;
        else if (kid !== "") kids.push(kid);
      }
    }
    return kids;
  }

  span(token, inLink) {
    switch (token.type) {
      case "text":
        return [decode(token.raw.replace(/ *\n[ \t]*/g, "\n"))];
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
        return checkbox(token);
      case "image":
        return inLink ? [plain(token.tokens)] : link(decoded(token), [plain(token.tokens) || encode(decode(token.href))]);
      case "link":
        return token.autolink ? link(token, [token.text]) : link(decoded(token), this.inline(token.tokens, true));
      default: // em, strong, del
        return [h(token.type, {}, this.inline(token.tokens, inLink))];
    }
  }
}

/** The text of a paragraph as it is shown when it is not formatted: each line without the space around it. */
function asPlain(source) {
  return source.trim().split("\n").map((line) => line.replace(/^[ \t]+/, "").trimEnd()).join("\n");
}

function plainSpan(source) {
  return h("span", { class: "plain" }, [asPlain(source)]);
}

/**
 * The last space of a text up to which nothing is open: no emphasis, code, link or formula that
 * what follows could close. 0 where there is none.
 */
function safeEnd(tokens, text) {
  let [end, at] = [0, 0];
  for (const token of tokens) {
    const plain = token.type === "text";
    const open = opening(token, text, at);
    const reach = open < 0 ? at + token.raw.length : open;
    if (plain) end = spaceBefore(text, at, reach) || end;
    if (open >= 0) break;
    at = reach;
  }
  return end;
}

const OPENER = /(?<!\s)\*|\*(?!\s)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|`|~~|!?\[|\](?=[[(]|$)|\\[([]|\$/g;

/** Where in the text, if anywhere, a token stands open that began at `at`; -1 for nowhere. */
function opening(token, text, at) {
  if (token.type === "codespan" || token.type === "maths" || token.type === "br") return -1;
  const inner = token.type !== "text" && token.type !== "escape" && token.tokens;
  if (inner) return inner.some((kid) => opening(kid, kid.raw, 0) >= 0) ? at : -1;
  if (token.type !== "text") return token.raw === "\\(" || token.raw === "\\[" ? at : -1;
  for (const { 0: sign, index } of token.raw.matchAll(OPENER)) {
    if (sign === "$" ? mayBeMaths(text, at + index) : !isCited(sign, token.raw, index)) return at + index;
  }
  return -1;
}

/** “[1]”, when it is neither a link's text nor could become it. */
function isCited(sign, raw, index) {
  return sign === "[" && /^\[[^[\]]*\][^[(:]/.test(raw.slice(index, index + 200));
}

/** Could this dollar sign, with more text behind, turn out to open a formula? */
function mayBeMaths(text, at) {
  const rest = text.slice(at + 1);
  return !new RegExp(`^(?:[ \\t\\n]|${PRICE}|(?:\\\\[^\\n]|[^$\x60\\n\\\\])*[$\x60\\n])`).test(rest) || rest[0] === "$";
}

function spaceBefore(text, from, to) {
  for (let i = to - 1; i > from + 1; i--) {
    if (text[i - 1] === " " && /\S/.test(text[i]) && /[^\s\\]/.test(text[i - 2])) return i;
  }
  return 0;
}

function upTo(tokens, length) {
  const kept = [];
  for (const token of tokens) {
    kept.push(token.raw.length > length ? { ...token, raw: token.raw.slice(0, length) } : token);
    length -= token.raw.length;
    if (length <= 0) break;
  }
  return kept;
}

/** Which headings stand above: an outline of depths, each deeper than the one before it. */
function descend(outline, depth) {
  while (outline.at(-1) >= depth) outline.pop();
  outline.push(depth);
}

/** @returns {Branch} */
function h(tag, attrs = {}, kids = []) {
  return { tag, attrs, kids };
}

function checkbox({ checked }) {
  const state = checked ? { checked: "", "aria-label": "done" } : { "aria-label": "to do" };
  return [h("input", { type: "checkbox", disabled: "", ...state }), " "];
}

function decoded({ href, title }) {
  return { href: decode(href), title: title && decode(title) };
}

/** A link to where a link may lead, when it is an address; otherwise only its text. */
function link({ href, title }, kids) {
  const url = encode(href);
  if (!SAFE_URL.test(url) || !URL.canParse(url)) return kids;
  const attrs = { href: url, ...(title && { title }) };
  return [h("a", { ...attrs, target: "_blank", rel: "noopener noreferrer nofollow" }, kids)];
}

function encode(url) {
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
    const url = trimmed(match[0]);
    const [made] = link({ href: url }, [url]);
    if (made === url) continue; // it is no address
    if (match.index > end) kids.push(text.slice(end, match.index));
    kids.push(made);
    end = match.index + url.length;
  }
  if (end < text.length) kids.push(text.slice(end));
  return kids;
}

/** A bare URL without the punctuation of the sentence around it. */
function trimmed(url) {
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

function plain(tokens) {
  return tokens
    .map((token) => {
      if (token.type === "br") return "\n";
      if (token.type === "text") return decode(token.raw);
      return token.tokens && !token.autolink ? plain(token.tokens) : token.text;
    })
    .join("");
}

const entities = new Map();

function decode(text) {
  if (!text.includes("&")) return text;
  return text.replace(ENTITY, (whole, decimal, hex, name) => {
    if (!name) return character(decimal ? parseInt(decimal, 10) : parseInt(hex, 16));
    if (!entities.has(name)) entities.set(name, named(name) ?? whole);
    return entities.get(name);
  });
}

/** The browser has the table of names; only letters and digits ever reach its parser here. */
function named(name) {
  const text = new DOMParser().parseFromString(`x&${name};`, "text/html").body.textContent.slice(1);
  return text.endsWith(";") && name !== "semi" ? undefined : text;
}

function character(code) {
  const valid =
    code <= 0x10ffff &&
    !(code >= 0xd800 && code <= 0xdfff) &&
    !(code >= 0xfdd0 && code <= 0xfdef) &&
    (code & 0xfffe) !== 0xfffe &&
    !(code <= 8 || code === 0xb || (code >= 0xe && code <= 0x1f) || (code >= 0x7f && code <= 0x9f));
  return valid ? String.fromCodePoint(code) : "\ufffd";
}

/** @param {Tree} tree */
function create(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  const element = document.createElement(tree.tag);
  for (const [name, value] of Object.entries(tree.attrs)) element.setAttribute(name, value);
  for (const kid of tree.kids) element.append(create(kid));
  return element;
}

/** Make the children that show `before`, from `node` on, show `after`, of which the new ones may be made. */
function patch(parent, before, after, node = parent.firstChild, made = after.slice(before.length).map(create)) {
  const both = Math.min(before.length, after.length);
  for (let i = 0; i < both; i++) {
    const next = node.nextSibling;
    if (before[i] !== after[i]) update(node, before[i], after[i]);
    node = next;
  }
  for (let extra = before.length - both; extra > 0; extra--) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
  for (const element of made) parent.insertBefore(element, node);
}

function update(node, old, now) {
  if (typeof old === "string" && typeof now === "string") {
    if (now.startsWith(old)) node.appendData(now.slice(old.length));
    else if (old.startsWith(now)) node.deleteData(now.length, old.length);
    else node.data = now;
  } else if (alike(old, now)) patch(node, old.kids, now.kids);
  else node.replaceWith(create(now));
}

function alike(old, now) {
  if (typeof old === "string" || old.tag !== now.tag) return false;
  if (now.attrs.class === "math" && old.kids[0] !== now.kids[0]) return false; // it may be set, and hold no text
  const names = Object.keys(now.attrs);
  return names.length === Object.keys(old.attrs).length && names.every((name) => old.attrs[name] === now.attrs[name]);
}

/**
 * The blocks of a text with its seams between them; for each token, how many trees end with it.
 * Between two blocks it may be left for another frame.
 */
function* assemble(builder, tokens, start, seams, before) {
  const trees = [];
  const places = [];
  let next = 0;
  for (const token of tokens) {
    if (token.type !== "space" && token.type !== "def") {
      if (seams[next] <= start && token.type !== "unformatted") {
        trees.push(seam());
        while (seams[next] <= start) next++;
      }
      trees.push(builder.block(token, before[trees.length], true));
      yield;
    }
    start += token.raw.length;
    places.push(trees.length);
  }
  if (next < seams.length) trees.push(seam());
  return { trees, places };
}

/** What a generator returns, when nothing is left for another frame. */
function whole(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function seam() {
  return h("div", { class: "seam", role: "note" }, [SEAM]);
}

/** How many tokens no later text can change: see MarkdownStream.commit. */
function settledCount(tokens, isCut) {
  const plain = tokens.findIndex(({ type }) => type === "unformatted" || type === "plain");
  if (plain >= 0 && !isCut) return settledCount(tokens.slice(0, plain), false);
  if (plain >= 0) return tokens.at(-2)?.type === "plain" ? tokens.length - 1 : plain;
  const solid = tokens.flatMap(({ type }, i) => (type === "space" ? [] : [i]));
  const line = (token) => token?.raw.includes("\n");
  const over = (i) => tokens[i].raw.endsWith("\n") || line(tokens[i + 1]);
  const behind = solid.length > 2 && tokens.slice(solid.at(-1)).some(line) ? solid.at(-2) : 0;
  const ended = solid.findLast((i) => over(i) && endsItself(tokens[i])) ?? -1;
  return Math.max(behind, ended + 1);
}

/** Those of links, also within quotations and lists. */
function definitions(tokens) {
  return tokens.flatMap((token) => (token.type === "def" ? [token] : token.raw.includes("]:") ? definitions(token.tokens ?? token.items ?? []) : []));
}

function endsItself({ type, raw, codeBlockStyle }) {
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
    this.settled = settled;
    this.expect = expect;
    this.reset();
  }

  reset() {
    this.text = ""; // all of it, with \n for every line end
    this.tail = ""; // what is not committed of it
    this.held = ""; // a \r whose \n may still come
    this.shown = 0; // characters
    this.trees = [];
    this.committed = 0; // how many of the trees are
    this.done = null; // the element of the last of them
    this.lastStart = -1; // where the last of them starts
    this.outline = [];
    this.bound = new Bound();
    this.left = MAX_INLINE_COST;
    this.links = Object.create(null);
    this.seams = []; // places in the text
    this.linksCameLate = false;
    this.adopted = false;
    this.hasMaths = false; // or the beginning of a formula
    this.coming = this.built = null; // what is being built, and what was
    this.exact = this.rebuilding = null; // all of the text anew, where links were defined late
    this.closed = false; // finished: nothing is written any more
  }

  append(delta) {
    if (this.closed) return;
    let text = this.held + delta;
    this.held = text.endsWith("\r") ? "\r" : "";
    if (this.held) text = text.slice(0, -1);
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    text = text.replace(ODD, (character) => (character === "\0" ? "\ufffd" : " "));
    this.text += text;
    this.tail += text;
  }

  /** The blocks that later text may still change. */
  *open() {
    for (let block = this.done ? this.done.nextSibling : this.root.firstChild; block; block = block.nextSibling) yield block;
  }

  /** Mark the place reached: shown before the next block that starts. */
  seam() {
    this.seams.push(this.text.length + this.held.length);
  }

  /** Show all there is. */
  flush() {
    if (this.closed) return;
    this.coming = this.built = null;
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
    if (this.closed) return true;
    this.coming ??= this.build(all || !this.adopted ? this.text.length : this.next());
    while (!this.built) {
      this.built = this.step();
      if (!this.built && enough?.()) return false;
    }
    return true;
  }

  /**
   * What can't be read is shown as it was written: no text may keep a reply from its end.
   * @throws where not even that can be built
   */
  step() {
    try {
      return this.coming.next().value;
    } catch (error) {
      this.coming = null;
      if (this.bound.settled && this.bound.end <= this.start) throw error;
      this.bound.stop(Math.min(this.bound.end, this.start));
      this.coming = this.build(this.text.length);
      return undefined;
    }
  }

  /** Where what is not committed begins. */
  get start() {
    return this.text.length - this.tail.length;
  }

  /** The blocks of a part of the text: formatted as far as it may be, and then plain ones. */
  lexed(start, end, links) {
    this.bound.follow(this.text);
    const cut = this.bound.end;
    const { lexer, tokens } = lex(this.text.slice(start, Math.min(end, cut)), links);
    if (end <= cut) return { lexer, tokens };
    if (start <= cut) tokens.push({ type: "unformatted", raw: "" });
    for (const part of plainParts(this.text.slice(0, end), Math.max(start, cut))) {
      tokens.push({ type: "plain", raw: this.text.slice(part.start, part.next), text: part.text });
    }
    return { lexer, tokens };
  }

  /** Up to where the next write shows the text: less than there is when it comes very fast. */
  next() {
    const quarter = Math.ceil((this.text.length - this.shown) / 4);
    const isPlain = this.bound.settled && this.shown >= this.bound.end;
    const end = this.shown + Math.max(AT_ONCE, isPlain ? quarter : Math.min(MOST_AT_ONCE, quarter));
    return /[\ud800-\udbff]/.test(this.text[end - 1]) ? end + 1 : end;
  }

  *build(end) {
    const { start } = this;
    const seams = this.seams.filter((place) => place > this.lastStart && place <= end);
    const before = this.trees.slice(this.committed);
    const { lexer, tokens } = this.lexed(start, end, Object.assign(Object.create(null), this.links));
    const builder = new Builder(lexer, [...this.outline], this.left);
    yield;
    const { trees, places } = yield* assemble(builder, tokens, start, seams, before);
    const made = [];
    for (const tree of this.adopted ? trees.slice(before.length) : []) {
      made.push(create(tree));
      yield;
    }
    for (const formula of builder.formulas) if (this.expect(formula)) yield;
    this.hasMaths ||= Boolean(lexer.maths);
    return { tokens, before, trees, places, made, end: Math.min(end, this.text.length) };
  }

  /** Is all the text shown? */
  get whole() {
    return this.shown === this.text.length;
  }

  /** Show what was built, in one write. */
  write() {
    if (this.closed) return;
    const { tokens, before, trees, places, made, end } = this.built;
    this.coming = this.built = null;
    if (!this.adopted) this.adopt(trees);
    else patch(this.root, before, trees, this.done ? this.done.nextSibling : this.root.firstChild, made);
    this.trees.splice(this.committed, Infinity, ...trees);
    this.commit(tokens, places);
    this.shown = end;
  }

  /** Keep what the server rendered wherever it is what we would have made. */
  adopt(trees) {
    for (const node of [...this.root.childNodes]) if (node.nodeType !== Node.ELEMENT_NODE) node.remove();
    trees.forEach((tree, i) => {
      const made = create(tree);
      const there = this.root.children[i];
      if (!there) this.root.append(made);
      else if (!there.isEqualNode(made)) there.replaceWith(made);
    });
    while (this.root.children.length > trees.length) this.root.lastElementChild.remove();
    this.adopted = true;
  }

  /**
   * Let go of the blocks no later text can reach: all up to one that ended itself (a closed
   * fence, a heading, a rule), and all but the last two once the last has a whole line. A block
   * can still change its neighbour (a table header that turns out to be text), never the one
   * before that.
   */
  commit(tokens, places) {
    const count = settledCount(tokens, this.bound.settled);
    if (!count) return;
    let length = 0;
    for (const token of tokens.slice(0, count)) {
      if (token.type === "heading") descend(this.outline, token.depth);
      for (const definition of definitions([token])) this.define(definition, length > 0 || definition !== token);
      if (token.type !== "def" && token.type !== "space") this.lastStart = this.start + length;
      length += token.raw.length;
    }
    this.tail = this.tail.slice(length);
    this.settle(this.committed + places[count - 1]);
  }

  /** Let go of the blocks up to there, and say which. */
  settle(end) {
    const blocks = [];
    for (; this.committed < end; this.committed++) {
      this.done = this.done ? this.done.nextSibling : this.root.firstChild;
      this.left -= this.trees[this.committed].spent ?? 0;
      blocks.push(this.done);
    }
    this.settled(blocks);
  }

  /** @param {boolean} late does anything stand before it in this commit? */
  define({ tag, href, title }, late) {
    if (tag in this.links) return;
    this.links[tag] = { href, title };
    this.linksCameLate ||= this.committed > 0 || late;
  }

  /** Has a link been defined behind a place that may lead there? */
  get isDefinedLate() {
    return this.linksCameLate || (this.tail.includes("]:") && DEFINITION.test(this.tail));
  }

  /**
   * Nothing more will come, and all of it is shown: build, block by block, what finish() will put right.
   * @param {() => boolean} [enough] as for prepare()
   * @returns {boolean} is all of it built?
   */
  prepareFinish(enough) {
    if (this.closed || this.exact || !this.isDefinedLate) return true;
    this.rebuilding ??= this.rebuild();
    while (!this.exact) {
      this.exact = this.rebuilt();
      if (!this.exact && enough?.()) return false;
    }
    return true;
  }

  /** @throws what keeps it from being built; then the next call begins anew */
  rebuilt() {
    try {
      return this.rebuilding.next().value ?? null;
    } catch (error) {
      this.rebuilding = null;
      throw error;
    }
  }

  *rebuild() {
    const { lexer, tokens } = this.lexed(0, this.text.length, Object.create(null));
    yield;
    const { trees } = yield* assemble(new Builder(lexer, [], MAX_INLINE_COST), tokens, 0, this.seams, []);
    return trees;
  }

  /** Nothing more will come: show all of it exactly, late link definitions included. */
  finish() {
    if (this.closed) return;
    if (this.held || !this.whole) this.exact = this.rebuilding = null;
    this.append(this.held ? "\n" : "");
    this.flush();
    this.prepareFinish();
    if (this.exact) {
      patch(this.root, this.trees, this.exact);
      this.trees = this.exact;
      [this.committed, this.done] = [0, null];
    }
    this.settle(this.trees.length);
    this.closed = true;
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
