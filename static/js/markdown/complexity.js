// How much of a text is formatted. chat/rendering/complexity.py has the same rule and explains the
// numbers; tests/js/test_markdown.py compares the results.

import { openFence, readCodeLine } from "./fences.js";

const MAX_COST = 300_000;
const MAX_DEPTH = 24;
const MAX_CELLS = 2000;
const MAX_BLOCK_CHARS = 60_000;
const MAX_PARAGRAPH_CHARS = 20_000;
export const MAX_INLINE_COST = 60_000;
const MIN_PLAIN_CHARS = 1000;

const [LINE_COST, BLOCK_COST, SIGN_COST, CELL_COST] = [30, 60, 60, 60];
const [FREE_SIGNS, EXTRA_SIGN_COST] = [20, 110];
const [MARKER_COST, BRACKET_COST, LINK_COST, FORMULA_COST] = [16, 32, 60, 30];
const BLOCK_START_CHARS = "#=-_*`~[";
const CHARS_PER_UNIT = 20;
const LONG_BLANK = /[ \t]{200,}/g;

const CONTAINERS = /^[ \t]*(?:(?:>|[-+*](?=[ \t]|$)|[0-9]{1,9}[.)](?=[ \t]|$))[ \t]*)+/;
const CONTAINER = /[-+*>]|[0-9]+[.)]/g;
const DELIMITERS = /^[|:\- \t>*+0-9.)]*$/;
const MATHS = /^[ \t>]*(?:\$\$|\\\[)/;
const MARKER_CODES = new Set([..."*_~`\\<&$[]"].map((sign) => sign.charCodeAt(0)));
const [OPEN, PAREN, COLON, SLASH, BACKSLASH, DOLLAR] = [..."[(:/\\$"].map((sign) =>
  sign.charCodeAt(0),
);

/** Counts, line by line, what it costs to format a text. */
class CostMeter {
  cost = 0;
  depth = 0;
  columns = 0;
  cells = 0;
  blockChars = 0;
  paragraphChars = 0;
  listSigns = 0;
  fences = [];
  canOpenFence = true;
  isAfterBlank = true;

  /** @param {string} line without its line end
   *  @returns {boolean} whether the line may be formatted */
  acceptLine(line) {
    const length = countCodePoints(line);
    this.cost += 2 + Math.floor(length / CHARS_PER_UNIT);
    this.blockChars += 1 + length;
    if (this.fences.length) this.#countCodeLine(line);
    else if (/^[ \t]*$/.test(line)) {
      this.isAfterBlank = true;
      this.columns = this.cells = this.paragraphChars = 0;
    } else {
      this.#countTextLine(line, length);
      this.isAfterBlank = false;
    }
    const within = this.depth <= MAX_DEPTH && this.cells <= MAX_CELLS;
    const short = this.blockChars <= MAX_BLOCK_CHARS && this.paragraphChars <= MAX_PARAGRAPH_CHARS;
    return within && short && this.cost <= MAX_COST;
  }

  #countCodeLine(line) {
    this.fences = readCodeLine(this.fences, line);
    if (!this.fences.length) this.isAfterBlank = true;
  }

  #countTextLine(line, length) {
    const count = CONTAINERS.exec(line)?.[0].match(CONTAINER).length ?? 0;
    const indent = /^[ \t]*/.exec(line)[0].length;
    if (this.isAfterBlank && !count && !indent)
      [this.depth, this.listSigns, this.blockChars] = [0, 0, 1 + length];
    if (count) this.depth = Math.max(this.depth, count + Math.floor(indent / 2));
    if (line.includes("-") && DELIMITERS.test(line))
      this.columns = Math.max(this.columns, line.split("|").length);
    this.paragraphChars += 1 + length;
    if (this.columns > 1) {
      this.cells += this.columns;
      this.cost += this.columns * CELL_COST;
    }
    this.listSigns += count;
    const further = Math.min(count, Math.max(0, this.listSigns - FREE_SIGNS));
    const starts =
      this.isAfterBlank || BLOCK_START_CHARS.includes(line[0]) || count > 0 || line.endsWith("  ");
    this.cost +=
      LINE_COST * (1 + this.depth) +
      BLOCK_COST * starts +
      SIGN_COST * count +
      EXTRA_SIGN_COST * further +
      estimateSignsCost(line);
    this.#openFence(line);
  }

  #openFence(line) {
    if (MATHS.test(line)) this.canOpenFence = false;
    if (this.canOpenFence && "`~".includes(line[0])) this.fences = openFence(line);
  }
}

/** The length in code points, as Python counts. */
function countCodePoints(text) {
  let pairs = 0;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) pairs++;
  return text.length - pairs;
}

function countSigns(text) {
  let [markers, brackets, links, formulas] = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN) brackets++;
    else if (code === COLON && text.charCodeAt(i + 1) === SLASH && text.charCodeAt(i + 2) === SLASH)
      links++;
    else if (code === DOLLAR) formulas++;
    else if (code === BACKSLASH && [PAREN, OPEN].includes(text.charCodeAt(i + 1))) formulas++;
    if (code < 127 && MARKER_CODES.has(code)) markers++;
  }
  return { markers, brackets, links, formulas };
}

function estimateSignsCost(line) {
  const { markers, brackets, links, formulas } = countSigns(line);
  let blanks = 0;
  for (const [blank] of line.matchAll(LONG_BLANK)) blanks += Math.floor(blank.length ** 2 / 400);
  return (
    markers * MARKER_COST +
    brackets * BRACKET_COST +
    links * LINK_COST +
    formulas * FORMULA_COST +
    blanks
  );
}

export function estimateInlineCost(text) {
  const { markers, brackets } = countSigns(text);
  return Math.floor((brackets * markers) / 4) + Math.floor((markers * countCodePoints(text)) / 400);
}

/** Finds the place in a growing text from which on it is shown as plain text. */
export class FormattingLimit {
  #meter = new CostMeter();
  #countedLength = 0; // without the line that still grows
  end = Infinity; // of the formatted part
  isFinal = false; // later text can't change `end`

  /** Count the lines that came since the last call, and the line that still grows. */
  countNewText(text) {
    for (
      let end;
      !this.isFinal && (end = text.indexOf("\n", this.#countedLength)) >= 0;
      this.#countedLength = end + 1
    ) {
      if (!this.#meter.acceptLine(text.slice(this.#countedLength, end)))
        this.stop(this.#countedLength);
    }
    if (this.isFinal) return;
    const trial = Object.assign(new CostMeter(), this.#meter);
    this.end =
      this.#countedLength === text.length || trial.acceptLine(text.slice(this.#countedLength))
        ? Infinity
        : this.#countedLength;
  }

  /** Format nothing from this position on. */
  stop(end) {
    [this.end, this.isFinal] = [end, true];
  }
}

/**
 * Split plain text into parts that a browser can lay out one by one. All but the last are final.
 */
export function* splitPlainText(text, start) {
  while (start < text.length) {
    const least = skipCodePoints(text, start, MIN_PLAIN_CHARS);
    const most = skipCodePoints(text, least, MIN_PLAIN_CHARS);
    const found = most < text.length ? text.slice(least, most).indexOf("\n") : -1;
    const end = found < 0 ? most : least + found;
    yield { text: text.slice(start, end), start, next: found < 0 ? end : end + 1 };
    start = found < 0 ? end : end + 1;
  }
}

function skipCodePoints(text, from, count) {
  let end = from;
  for (; count > 0 && end < text.length; count--) end += text.codePointAt(end) > 0xffff ? 2 : 1;
  return end;
}
