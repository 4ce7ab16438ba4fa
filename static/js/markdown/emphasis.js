// Where `*`, `_` and `~~` open and close. chat/rendering/emphasis.py has the same rule and explains it.
// The pairs are those of CommonMark's algorithm, found once for the whole text of a block.

const SPACELESS =
  /[\u{e0100}-\u{e01ef}\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u1b00-\u1b7f\u2e80-\u2fff\u3001-\ua4cf\ua960-\ua9ff\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffef\u{16fe0}-\u{18d8f}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
const PUNCTUATION = /[\p{P}\p{S}]/u;
const WHITE_SPACE = /[\t-\r\p{Zs}]/u;
const MAX_PUNCTUATION_CHARS = 4;
const MARKERS = "*_~";

/**
 * @param {string} text of a block
 * @param {string} masked the same, with other signs where markers have no meaning, as in code
 * @returns {Map<number, {end: number, width: number}>} for each opening marker where its closing
 *   marker starts, and how many signs both have
 */
export function findPairs(text, masked) {
  const pairs = new Map();
  const openers = [];
  const searched = new Map(); // kind of closer → number of openers that are none for it
  for (const { 0: signs, index } of masked.matchAll(/\*+|_+|~+/g)) {
    if (signs[0] === "~" && signs.length !== 2) continue;
    const run = scanRun(text, index, index + signs.length);
    if (run.canClose) closeRun(run, openers, searched, pairs);
    if (run.left && run.canOpen) openers.push({ ...run, start: run.end - run.left });
  }
  return pairs;
}

/** Pair the signs of a run with openers before it; what stands between a pair opens nothing more. */
function closeRun(run, openers, searched, pairs) {
  const kind = `${run.marker}${run.canOpen}${run.length % 3}`;
  while (run.left) {
    const least = Math.min(searched.get(kind) ?? 0, openers.length);
    let i = openers.length - 1;
    while (i >= least && !isPair(openers[i], run)) i--;
    if (i < least) {
      searched.set(kind, openers.length);
      return;
    }
    const opener = openers[i];
    const width = opener.left >= 2 && run.left >= 2 ? 2 : 1;
    opener.left -= width;
    pairs.set(opener.start + opener.left, { end: run.end - run.left, width });
    run.left -= width;
    openers.length = opener.left ? i + 1 : i;
  }
}

function isPair(opener, closer) {
  if (opener.marker !== closer.marker) return false;
  const sum = opener.length + closer.length;
  const areBoth = opener.canClose || closer.canOpen;
  return closer.marker === "~" || !areBoth || sum % 3 > 0 || opener.length % 3 === 0;
}

function scanRun(text, start, end) {
  const marker = text[start];
  const length = end - start;
  const run = { marker, start, end, length, left: length };
  const before = characterBefore(text, start) || " ";
  const after = characterAt(text, end) || " ";
  const isBetween = SPACELESS.test(before) && SPACELESS.test(after);
  const separatesBefore =
    PUNCTUATION.test(before) && !SPACELESS.test(after) && !followsSpaceless(text, start);
  const separatesAfter =
    PUNCTUATION.test(after) && !SPACELESS.test(before) && !precedesSpaceless(text, end);
  const [isSpaceBefore, isSpaceAfter] = [WHITE_SPACE.test(before), WHITE_SPACE.test(after)];
  const opens = !isSpaceAfter && (!separatesAfter || isSpaceBefore || PUNCTUATION.test(before));
  const closes = !isSpaceBefore && (!separatesBefore || isSpaceAfter || PUNCTUATION.test(after));
  if (marker !== "_" || (isBetween && length > 1))
    return { ...run, canOpen: opens, canClose: closes };
  return {
    ...run,
    canOpen: opens && (!closes || PUNCTUATION.test(before)),
    canClose: closes && (!opens || PUNCTUATION.test(after)),
  };
}

function characterAt(text, at) {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)) : "";
}

function characterBefore(text, at) {
  const isPair = /[\udc00-\udfff]/.test(text[at - 1] ?? "") && at > 1;
  return at > 0 ? characterAt(text, at - (isPair ? 2 : 1)) : "";
}

function followsSpaceless(text, at) {
  for (let count = 0; count < MAX_PUNCTUATION_CHARS; count++) {
    const character = characterBefore(text, at);
    if (SPACELESS.test(character)) return true;
    if (MARKERS.includes(character) || !PUNCTUATION.test(character)) return false;
    at -= character.length;
  }
  return false;
}

function precedesSpaceless(text, at) {
  for (let count = 0; count < MAX_PUNCTUATION_CHARS; count++) {
    const character = characterAt(text, at);
    if (SPACELESS.test(character)) return true;
    if (MARKERS.includes(character) || !PUNCTUATION.test(character)) return false;
    at += character.length;
  }
  return false;
}
