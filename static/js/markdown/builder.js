// Tokens to trees of elements. Without HTML strings, a model's text can become only the elements
// named here.

import { estimateInlineCost } from "./complexity.js";
import { findDirection } from "./direction.js";
import { MAX_PIECE_CHARS, PIECE_CHARS, findSafeEnd, takeTokens } from "./grammar.js";
import {
  h,
  buildLink,
  decodeEntities,
  decodeLink,
  encodeUrl,
  flattenText,
  linkify,
} from "./trees.js";
import { showPipes } from "./tables.js";
import { gettext } from "../elements.js";

const SEAM_TEXT = gettext("Server restarted; reply continued");
const UNFORMATTED_TEXT = gettext(
  "The text from here on is too complex to format. It is shown as it was written.",
);

export class TreeBuilder {
  /** @param {number} left what inline text may cost, see complexity.js */
  constructor(lexer, outline, left) {
    this.lexer = lexer;
    this.outline = outline;
    this.remainingCost = left; // what the inline text of all paragraphs may still cost
    this.formulas = []; // the sources of those built
    this.direction = "ltr"; // of the block that is built
  }

  /** Build a block, or reuse the one built before if it has the same source in the same place. */
  buildBlock(token, before, top = false) {
    if (token.type === "heading" && top) enterHeading(this.outline, token.depth);
    const mark = `${this.outline.length}${token.loose ?? ""}${token.checked ?? ""}${this.direction}`;
    if (before?.raw === token.raw && before.mark === mark) return this.reuseTree(before);
    const { remainingCost: left } = this;
    const built = this[token.type](token, before?.kids ?? [], top, before);
    return Object.assign(built, { raw: token.raw, mark, spent: left - this.remainingCost });
  }

  reuseTree(tree) {
    this.remainingCost -= tree.spent;
    return tree;
  }

  /** Subtract the cost of a paragraph. @returns {boolean} whether enough was left */
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

  // Levels follow the page's h1 without a gap, whatever levels the model wrote.
  heading(token, before, top) {
    const level = Math.min(this.outline.length + (top ? 1 : 2), 6);
    return h(`h${level}`, {}, this.buildInline(token.tokens));
  }

  /** A long one is lexed in pieces, see grammar.js. */
  paragraph(token, before, top, old) {
    const source = token.tokens.source?.trim() ?? "";
    if (!this.spendCost(toPlainText(source))) return h("p", {}, [buildPlainSpan(source)]);
    delete token.tokens.source;
    this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
    if (source.length < 2 * PIECE_CHARS)
      return h("p", {}, this.buildInline(this.lexer.inlineTokens(source, token.tokens)));
    const known =
      old?.pieces && source.startsWith(old.pieces.source) ? old.pieces : { source: "", kids: [] };
    const kids = [...known.kids];
    let at = known.source.length;
    for (let next; (next = this.buildPiece(source, at)); at += next.length) kids.push(...next.kids);
    const pieces = { source: source.slice(0, at), kids };
    return {
      ...h("p", {}, [...kids, ...this.buildInline(this.lexer.inlineTokens(source.slice(at)))]),
      pieces,
    };
  }

  /** @returns the next piece of a long paragraph that no later text can change, if there is one */
  buildPiece(source, at) {
    for (
      let size = PIECE_CHARS;
      at + 2 * size <= source.length && size <= MAX_PIECE_CHARS;
      size *= 2
    ) {
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
    const language = /^[\w+#.-]{1,30}/.exec(decodeEntities(showPipes(token.lang ?? "")))?.[0];
    const text = showPipes(token.text).replace(token.codeBlockStyle ? /\n+$/ : /\n$/, "");
    return h("pre", { class: "code", ...(language && { "data-language": language }) }, [
      h("code", { tabindex: "0" }, text ? [text] : []),
    ]);
  }

  hr() {
    return h("hr");
  }

  math(token) {
    const text = showPipes(token.text);
    this.formulas.push(text);
    return h("div", { class: "math", tabindex: "0" }, [text]);
  }

  blockquote(token, before) {
    return this.buildDirected(token, (direction) =>
      h("blockquote", direction, this.buildBlocks(token.tokens, before)),
    );
  }

  list(token, before) {
    const start = token.ordered && token.start !== 1 ? { start: String(token.start) } : {};
    return this.buildDirected(token, (direction) => {
      const items = token.items.map((item, i) => this.buildBlock(item, before[i]));
      return h(token.ordered ? "ol" : "ul", { ...start, ...direction }, items);
    });
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
    const [head, body] = old?.attrs?.class === "table" ? before[0].kids : []; // it may have been a paragraph until now
    const rows = token.rows.map((cells, i) => this.buildRow(cells, "td", body?.kids[i]));
    const kids = [h("thead", {}, [this.buildRow(token.header, "th", head?.kids[0])])];
    if (rows.length) kids.push(h("tbody", {}, rows));
    const outer = this.direction;
    const direction = findDirection(token.raw, outer);
    const attrs = { class: "table", tabindex: "0", ...(direction !== outer && { dir: direction }) };
    return h("div", attrs, [h("table", {}, kids)]);
  }

  /** Build a block whose direction may not be that of the block around it. */
  buildDirected({ raw }, build) {
    const outer = this.direction;
    this.direction = findDirection(raw, outer);
    const tree = build(this.direction === outer ? {} : { dir: this.direction });
    this.direction = outer;
    return tree;
  }

  /** Build a row, or reuse the one built before if it has the same source in the same place. */
  buildRow(cells, tag, before) {
    const raw = cells.map(({ text, align }) => `${align ?? ""}|${text}`).join("\n");
    if (before?.raw === raw) return this.reuseTree(before);
    const { remainingCost: left } = this;
    this.lexer.isInCell = true;
    const kids = cells.map(({ align, tokens }) =>
      h(tag, align ? { class: align } : {}, this.buildInline(tokens)),
    );
    this.lexer.isInCell = false;
    return { ...h("tr", {}, kids), raw, spent: left - this.remainingCost };
  }

  /** @returns {Tree[]} with adjacent text joined and bare links found */
  buildInline(tokens, inLink = false) {
    if (tokens.source !== undefined) {
      if (!this.spendCost(toPlainText(tokens.source))) return [buildPlainSpan(tokens.source)];
      this.lexer.state.inLink = this.lexer.state.inRawBlock = false;
      this.lexer.inlineTokens(tokens.source.trim(), tokens);
      delete tokens.source;
    }
    return this.buildSpans(tokens, inLink).flatMap((kid) =>
      typeof kid === "string" && !inLink ? linkify(kid) : [kid],
    );
  }

  buildSpans(tokens, inLink) {
    const kids = [];
    for (const token of tokens) {
      for (const kid of this.buildSpan(token, inLink)) {
        if (typeof kid === "string" && typeof kids.at(-1) === "string")
          kids[kids.length - 1] += kid;
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
      case "inlineMath":
        this.formulas.push(token.raw);
        return [h("span", { class: "math" }, [token.raw])];
      case "br":
        return [h("br")];
      case "checkbox":
        return buildCheckbox(token);
      case "image":
        return inLink
          ? [flattenText(token.tokens)]
          : buildLink(decodeLink(token), [
              flattenText(token.tokens) || encodeUrl(decodeEntities(token.href)),
            ]);
      case "link":
        return token.autolink
          ? buildLink(token, [token.text])
          : buildLink(decodeLink(token), this.buildInline(token.tokens, true));
      default: // em, strong, del
        return [h(token.type, {}, this.buildInline(token.tokens, inLink))];
    }
  }
}

/** Unformatted text of a paragraph: its lines without the whitespace around them. */
function toPlainText(source) {
  return source
    .trim()
    .split("\n")
    .map((line) => line.replace(/^[ \t]+/, "").trimEnd())
    .join("\n");
}

function buildPlainSpan(source) {
  return h("span", { class: "plain" }, [toPlainText(source)]);
}

/** Update the outline: the depths of the headings above, each deeper than the one before it. */
export function enterHeading(outline, depth) {
  while (outline.at(-1) >= depth) outline.pop();
  outline.push(depth);
}

function buildCheckbox({ checked }) {
  const state = checked
    ? { checked: "", "aria-label": gettext("done") }
    : { "aria-label": gettext("to do") };
  return [h("input", { type: "checkbox", disabled: "", ...state }), " "];
}

/**
 * Build the blocks of a text and the seams between them. The caller may pause after each block.
 * @returns {{trees: Tree[], treeCounts: number[]}} `treeCounts`: for each token, the number of trees
 *   up to it
 */
export function* buildTrees(builder, tokens, start, seams, before) {
  const trees = [];
  const treeCounts = [];
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
    treeCounts.push(trees.length);
  }
  if (next < seams.length) trees.push(buildSeam());
  return { trees, treeCounts };
}

function buildSeam() {
  return h("div", { class: "seam", role: "note" }, [SEAM_TEXT]);
}
