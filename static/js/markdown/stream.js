// Markdown to DOM while it streams: a document that grows, and writes only what changed. A block
// that later text can't change is committed and never touched again.

import { FormattingLimit, MAX_INLINE_COST, splitPlainText } from "./complexity.js";
import {
  LINK_DEFINITION,
  REPLACED_CHARACTERS,
  lexBlocks,
  countSettledTokens,
  findDefinitions,
} from "./grammar.js";
import { TreeBuilder, buildTrees, enterHeading } from "./builder.js";
import { createNode, patchChildren } from "./trees.js";

const SEPARATORS = "\u2028\u2029"; // only JavaScript treats them as line ends
const MIN_WRITE_CHARS = 1000; // of text that arrives too fast, a write shows a quarter of the rest,
const MAX_WRITE_CHARS = 3000; // within these limits. 3000 characters may be a thousand elements.

/** One growing document inside `root`: add text with append(), show it with flush(). */
export class MarkdownStream {
  /**
   * @param {Element} root its children stay if they show the same text already
   * @param {(blocks: Element[]) => void} settled called with blocks that will not change again
   * @param {(formula: string) => boolean} expect called before a formula is shown; returns whether
   *   that took time
   */
  constructor(root, settled = () => {}, expect = () => false) {
    this.root = root;
    this.onSettled = settled;
    this.onFormula = expect;
    this.reset();
  }

  reset() {
    this.text = ""; // everything so far, with \n as line end
    this.uncommittedText = "";
    this.heldCarriageReturn = ""; // a \r that a \n may follow
    this.shownLength = 0; // characters
    this.trees = [];
    this.committedCount = 0; // the number of committed trees
    this.lastCommittedNode = null; // the element of the last committed tree
    this.lastBlockStart = -1; // its position in the text
    this.outline = [];
    this.limit = new FormattingLimit();
    this.remainingCost = MAX_INLINE_COST;
    this.links = Object.create(null);
    this.seams = []; // positions in the text
    this.hasLateLinks = false;
    this.isAdopted = false;
    this.hasMath = false; // true from the beginning of the first formula
    this.building = this.built = null; // the build in progress, and its result
    this.exactTrees = this.rebuilding = null; // a build of the whole text, where links were defined late
    this.isFinished = false; // nothing is written afterwards
  }

  append(delta) {
    if (this.isFinished) return;
    let text = this.heldCarriageReturn + delta;
    this.heldCarriageReturn = text.endsWith("\r") ? "\r" : "";
    if (this.heldCarriageReturn) text = text.slice(0, -1);
    if (text.includes("\r")) text = text.replace(/\r\n?/g, "\n");
    text = text.replace(REPLACED_CHARACTERS, (character) =>
      SEPARATORS.includes(character) ? " " : "\ufffd",
    );
    this.text += text;
    this.uncommittedText += text;
  }

  /** Iterate over the blocks that later text may change. */
  *openBlocks() {
    for (
      let block = this.lastCommittedNode
        ? this.lastCommittedNode.nextSibling
        : this.root.firstChild;
      block;
      block = block.nextSibling
    )
      yield block;
  }

  /** Add a seam here. It is shown before the next block. */
  seam() {
    this.seams.push(this.text.length + this.heldCarriageReturn.length);
  }

  /** Show all the text. */
  flush() {
    if (this.isFinished) return;
    this.building = this.built = null;
    this.prepare();
    this.write();
  }

  /**
   * Build, block by block, what write() will show: the text at the time of the first call.
   * @param {() => boolean} [enough] called after each step; if true, the rest waits for the next
   *   call. Without it, everything goes into one write.
   * @param {boolean} [all] everything goes into one write, even with `enough`
   * @returns {boolean} whether the build is complete
   */
  prepare(enough, all = !enough) {
    if (this.isFinished) return true;
    this.building ??= this.build(all || !this.isAdopted ? this.text.length : this.findWriteEnd());
    while (!this.built) {
      try {
        this.built = this.building.next().value;
      } catch (error) {
        this.buildPlain(error);
      }
      if (!this.built && enough?.()) return false;
    }
    return true;
  }

  /**
   * Text that can't be parsed is shown as plain text, because no text may prevent a reply's end.
   * @throws {Error} `error`, if the plain text can't be built either
   */
  buildPlain(error) {
    this.building = null;
    if (this.limit.isFinal && this.limit.end <= this.uncommittedStart) throw error;
    this.limit.stop(Math.min(this.limit.end, this.uncommittedStart));
    this.building = this.build(this.text.length);
  }

  /** @returns {number} the position of the first uncommitted character */
  get uncommittedStart() {
    return this.text.length - this.uncommittedText.length;
  }

  /** Lex a part of the text: formatted up to the limit, plain after it. */
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

  /**
   * @returns {number} where the next write ends: not always at the end, if text arrives very fast
   */
  findWriteEnd() {
    const quarter = Math.ceil((this.text.length - this.shownLength) / 4);
    const isPlain = this.limit.isFinal && this.shownLength >= this.limit.end;
    const end =
      this.shownLength +
      Math.max(MIN_WRITE_CHARS, isPlain ? quarter : Math.min(MAX_WRITE_CHARS, quarter));
    return /[\ud800-\udbff]/.test(this.text[end - 1]) ? end + 1 : end;
  }

  *build(end) {
    const { uncommittedStart: start } = this;
    const seams = this.seams.filter(
      (position) => position > this.lastBlockStart && position <= end,
    );
    const before = this.trees.slice(this.committedCount);
    const { lexer, tokens } = this.lexRange(
      start,
      end,
      Object.assign(Object.create(null), this.links),
    );
    const builder = new TreeBuilder(lexer, [...this.outline], this.remainingCost);
    yield;
    const { trees, treeCounts } = yield* buildTrees(builder, tokens, start, seams, before);
    const newNodes = [];
    for (const tree of this.isAdopted ? trees.slice(before.length) : []) {
      newNodes.push(createNode(tree));
      yield;
    }
    for (const formula of builder.formulas) if (this.onFormula(formula)) yield;
    this.hasMath ||= Boolean(lexer.hasMath);
    return { tokens, before, trees, treeCounts, newNodes, end: Math.min(end, this.text.length) };
  }

  get isFullyShown() {
    return this.shownLength === this.text.length;
  }

  /** Show the build, in one write. */
  write() {
    if (this.isFinished) return;
    const { tokens, before, trees, treeCounts, newNodes, end } = this.built;
    this.building = this.built = null;
    if (!this.isAdopted) this.adoptServerNodes(trees);
    else
      patchChildren(
        this.root,
        before,
        trees,
        this.lastCommittedNode ? this.lastCommittedNode.nextSibling : this.root.firstChild,
        newNodes,
      );
    this.trees.splice(this.committedCount, Infinity, ...trees);
    this.commit(tokens, treeCounts);
    this.shownLength = end;
  }

  /** Keep the server's nodes that equal ours, and replace the others. */
  adoptServerNodes(trees) {
    for (const node of [...this.root.childNodes])
      if (node.nodeType !== Node.ELEMENT_NODE) node.remove();
    trees.forEach((tree, i) => {
      const node = createNode(tree);
      const existing = this.root.children[i];
      if (!existing) this.root.append(node);
      else if (!existing.isEqualNode(node)) existing.replaceWith(node);
    });
    while (this.root.children.length > trees.length) this.root.lastElementChild.remove();
    this.isAdopted = true;
  }

  /**
   * Commit the blocks that no later text can change: all up to a block that ended itself (a closed
   * fence, a heading, a rule), and all but the last two once the last has a complete line. A block
   * may change its neighbour (a table header may turn out to be text), but not the block before it.
   */
  commit(tokens, treeCounts) {
    const count = countSettledTokens(tokens, this.limit.isFinal);
    if (!count) return;
    let length = 0;
    for (const token of tokens.slice(0, count)) {
      if (token.type === "heading") enterHeading(this.outline, token.depth);
      for (const definition of findDefinitions([token]))
        this.defineLink(definition, length > 0 || definition !== token);
      if (token.type !== "def" && token.type !== "space")
        this.lastBlockStart = this.uncommittedStart + length;
      length += token.raw.length;
    }
    this.uncommittedText = this.uncommittedText.slice(length);
    this.settleBlocks(this.committedCount + treeCounts[count - 1]);
  }

  /** Commit the trees up to `end`, and pass their elements to onSettled. */
  settleBlocks(end) {
    const blocks = [];
    for (; this.committedCount < end; this.committedCount++) {
      this.lastCommittedNode = this.lastCommittedNode
        ? this.lastCommittedNode.nextSibling
        : this.root.firstChild;
      this.remainingCost -= this.trees[this.committedCount].spent ?? 0;
      blocks.push(this.lastCommittedNode);
    }
    this.onSettled(blocks);
  }

  /** @param {boolean} late whether text before it in this commit may use the link */
  defineLink({ tag, href, title }, late) {
    if (tag in this.links) return;
    this.links[tag] = { href, title };
    this.hasLateLinks ||= this.committedCount > 0 || late;
  }

  /** Is a link defined after text that may use it? */
  get hasLateDefinition() {
    return (
      this.hasLateLinks ||
      (this.uncommittedText.includes("]:") && LINK_DEFINITION.test(this.uncommittedText))
    );
  }

  /**
   * After the end of the text: build, block by block, what finish() will correct.
   * @param {() => boolean} [enough] as in prepare()
   * @returns {boolean} whether the build is complete
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

  /** @throws if the text can't be built; the next call starts again */
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
    const { trees } = yield* buildTrees(
      new TreeBuilder(lexer, [], MAX_INLINE_COST),
      tokens,
      0,
      this.seams,
      [],
    );
    return trees;
  }

  /** After the end of the text: show all of it exactly, including late link definitions. */
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
