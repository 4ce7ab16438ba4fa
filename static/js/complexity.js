// How much of a text is formatted: one rule for the page and the server. chat/rendering/complexity.py says
// what the numbers mean, and counts the same: tests/js/test_markdown.py compares what both make.

const MAX_COST = 300_000;
const MAX_DEPTH = 24;
const MAX_CELLS = 2000;
const MAX_BLOCK_CHARS = 60_000;
const MAX_PARAGRAPH_CHARS = 20_000;
export const MAX_INLINE_COST = 60_000;
const PLAIN_CHARS = 1000;

const [LINE, BLOCK, SIGN, CELL] = [30, 60, 60, 60];
const [FEW_SIGNS, FURTHER_SIGN] = [20, 110];
const [MARKER, BRACKET, LINK, FORMULA] = [16, 32, 60, 30];
const STARTS = "#=-_*`~[";
const CHARS_PER_UNIT = 20;
const LONG_BLANK = /[ \t]{200,}/g;

const CONTAINERS = /^[ \t]*(?:(?:>|[-+*](?=[ \t]|$)|[0-9]{1,9}[.)](?=[ \t]|$))[ \t]*)+/;
const CONTAINER = /[-+*>]|[0-9]+[.)]/g;
const DELIMITERS = /^[|:\- \t>*+0-9.)]*$/;
const FENCE = /^(?:(`{3,})[^`]*$|(~{3,}))/;
const FENCE_END = /^ {0,3}(`{3,}|~{3,})[ \t]*$/;
const MATHS = /^[ \t>]*(?:\$\$|\\\[)/;
const MARKERS = new Set([..."*_~`\\<&$[]"].map((sign) => sign.charCodeAt(0)));
const [OPEN, PAREN, COLON, SLASH, BACKSLASH, DOLLAR] = [..."[(:/\\$"].map((sign) => sign.charCodeAt(0));

/** Counts line by line what a text costs to format. */
class Meter {
  cost = 0;
  depth = 0;
  columns = 0;
  cells = 0;
  chars = 0;
  paragraph = 0;
  signs = 0;
  fence = "";
  knowsFences = true;
  afterBlank = true;

  /** Count a line, given without its end. Is it still to be formatted? */
  takes(line) {
    const length = points(line);
    this.cost += 2 + Math.floor(length / CHARS_PER_UNIT);
    this.chars += 1 + length;
    if (this.fence) this.#takeCode(line);
    else if (/^[ \t]*$/.test(line)) {
      this.afterBlank = true;
      this.columns = this.cells = this.paragraph = 0;
    } else {
      this.#takeText(line, length);
      this.afterBlank = false;
    }
    const within = this.depth <= MAX_DEPTH && this.cells <= MAX_CELLS;
    const short = this.chars <= MAX_BLOCK_CHARS && this.paragraph <= MAX_PARAGRAPH_CHARS;
    return within && short && this.cost <= MAX_COST;
  }

  #takeCode(line) {
    if (!FENCE_END.exec(line)?.[1].startsWith(this.fence)) return;
    this.fence = "";
    this.afterBlank = true;
  }

  #takeText(line, length) {
    const count = CONTAINERS.exec(line)?.[0].match(CONTAINER).length ?? 0;
    const indent = /^[ \t]*/.exec(line)[0].length;
    if (this.afterBlank && !count && !indent) [this.depth, this.signs, this.chars] = [0, 0, 1 + length];
    if (count) this.depth = Math.max(this.depth, count + Math.floor(indent / 2));
    if (line.includes("-") && DELIMITERS.test(line)) this.columns = Math.max(this.columns, line.split("|").length);
    this.paragraph += 1 + length;
    if (this.columns > 1) {
      this.cells += this.columns;
      this.cost += this.columns * CELL;
    }
    this.signs += count;
    const further = Math.min(count, Math.max(0, this.signs - FEW_SIGNS));
    const starts = this.afterBlank || STARTS.includes(line[0]) || count > 0 || line.endsWith("  ");
    this.cost += LINE * (1 + this.depth) + BLOCK * starts + SIGN * count + FURTHER_SIGN * further + signsCost(line);
    this.#openFence(line);
  }

  #openFence(line) {
    if (MATHS.test(line)) this.knowsFences = false;
    const fence = this.knowsFences && FENCE.exec(line);
    if (fence) this.fence = fence[1] ?? fence[2];
  }
}

/** Characters as the server counts them: those of two code units once. */
function points(text) {
  let pairs = 0;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) pairs++;
  return text.length - pairs;
}

function count(text) {
  let [markers, brackets, links, formulas] = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === OPEN) brackets++;
    else if (code === COLON && text.charCodeAt(i + 1) === SLASH && text.charCodeAt(i + 2) === SLASH) links++;
    else if (code === DOLLAR) formulas++;
    else if (code === BACKSLASH && [PAREN, OPEN].includes(text.charCodeAt(i + 1))) formulas++;
    if (code < 127 && MARKERS.has(code)) markers++;
  }
  return { markers, brackets, links, formulas };
}

function signsCost(line) {
  const { markers, brackets, links, formulas } = count(line);
  let blanks = 0;
  for (const [blank] of line.matchAll(LONG_BLANK)) blanks += Math.floor(blank.length ** 2 / 400);
  return markers * MARKER + brackets * BRACKET + links * LINK + formulas * FORMULA + blanks;
}

export function inlineCost(text) {
  const { markers, brackets } = count(text);
  return Math.floor((brackets * markers) / 4) + Math.floor((markers * points(text)) / 400);
}

/** Where a growing text stops being formatted. */
export class Bound {
  #meter = new Meter();
  #counted = 0; // up to the line that still grows
  end = Infinity; // of what is formatted
  settled = false; // whatever comes

  /** Count the lines of a text that came since the last time, and the one that still grows. */
  follow(text) {
    for (let end; !this.settled && (end = text.indexOf("\n", this.#counted)) >= 0; this.#counted = end + 1) {
      if (!this.#meter.takes(text.slice(this.#counted, end))) this.stop(this.#counted);
    }
    if (this.settled) return;
    const trial = Object.assign(new Meter(), this.#meter);
    this.end = this.#counted === text.length || trial.takes(text.slice(this.#counted)) ? Infinity : this.#counted;
  }

  /** Format nothing from there on. */
  stop(end) {
    [this.end, this.settled] = [end, true];
  }
}

/** A plain text, from there on, in parts that can be laid out one by one. All but the last are final. */
export function* plainParts(text, start) {
  while (start < text.length) {
    const least = advance(text, start, PLAIN_CHARS);
    const most = advance(text, least, PLAIN_CHARS);
    const found = most < text.length ? text.slice(least, most).indexOf("\n") : -1;
    const end = found < 0 ? most : least + found;
    yield { text: text.slice(start, end), start, next: found < 0 ? end : end + 1 };
    start = found < 0 ? end : end + 1;
  }
}

function advance(text, from, count) {
  let end = from;
  for (; count > 0 && end < text.length; count--) end += text.codePointAt(end) > 0xffff ? 2 : 1;
  return end;
}
