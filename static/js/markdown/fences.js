// Which line ends a code block. chat/rendering/fences.py has the same rule and explains it.

/** @typedef {{marker: string, isMarkdown: boolean}} Fence */

const MAX_OPEN_FENCES = 20;
const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*(.*)$/;
const INNER = /^[ \t>]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]+)*(`{3,}|~{3,})[ \t]*(.*)$/;
const MARKDOWN =
  /^\{?\.?(?:markdown|md|mdx|mdown|mkdn?|gfm|commonmark|rmd|qmd)(?![\p{L}\p{N}_+#-])/iu;

/** @returns {Fence[]} the fence that this line opens, if any */
export function openFence(line) {
  const match = OPENING.exec(line);
  return match && isFence(match) ? [buildFence(match)] : [];
}

/**
 * @param {Fence[]} fences that are open, the outermost first; not changed
 * @returns {Fence[]} those open after a line of the code block; none if the line ends the block
 */
export function readCodeLine(fences, line) {
  const match = INNER.exec(line);
  if (!match || !isFence(match)) return fences;
  const [found, first, last] = [buildFence(match), fences[0], fences.at(-1)];
  if (match[2]) {
    const isShorter = first.marker.includes(found.marker) && first.marker !== found.marker;
    const isInner = last.isMarkdown && !isShorter && fences.length < MAX_OPEN_FENCES;
    return isInner ? [...fences, found] : fences;
  }
  if (!found.marker.startsWith(last.marker)) return fences;
  return fences.length > 1 || OPENING.test(line) ? fences.slice(0, -1) : fences;
}

function buildFence(match) {
  return { marker: match[1], isMarkdown: MARKDOWN.test(match[2]) };
}

function isFence(match) {
  return match[1][0] === "~" || !match[2].includes("`");
}

/** A block of marked's for a fence named Markdown; other fences are marked's. */
export function tokenizeMarkdownFence(source) {
  const end = findLineEnd(source, 0);
  let fences = openFence(source.slice(0, end));
  if (!fences[0]?.isMarkdown) return undefined;
  let [start, next] = [end + 1, end];
  while (fences.length && next < source.length) {
    start = next + 1;
    next = findLineEnd(source, start);
    fences = readCodeLine(fences, source.slice(start, next));
  }
  const isClosed = fences.length === 0;
  const indent = new RegExp(`^ {0,${source.search(/[`~]/)}}`, "gm");
  const code = source.slice(end + 1, isClosed ? start : next);
  return {
    type: "code",
    raw: source.slice(0, next),
    lang: source
      .slice(0, end)
      .replace(/^ *(?:`+|~+)/, "")
      .trim(),
    text: code.replace(indent, ""),
    isClosed,
  };
}

function findLineEnd(source, from) {
  const end = source.indexOf("\n", from);
  return end < 0 ? source.length : end;
}
