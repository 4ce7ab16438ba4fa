// Pipes of formulas in tables. chat/rendering/tables.py has the same rule and explains it.

const HIDDEN_PIPE = "\ufdd0";
const FORMULA =
  /\$\$(?:\\.|[^$\\]){1,300}\$\$|(?<![A-Za-z0-9$\\])\$(?![ \t$])(?:\\.|[^$`\\]){1,300}(?<![ \t])\$(?![A-Za-z0-9$])|\\\((?:(?!\\\)).){1,300}\\\)/gu;
const CONTAINERS = /^(?:[ \t>]|[-+*][ \t]|[0-9]{1,9}[.)][ \t])*/;
const DELIMITER = /^[ \t]*:?-+:?[ \t]*$/;
const CELL_END = /(?<!\\)\|/g;
const TIGHT_PIPE = /(?<![\\ \t])\||(?<!\\)\|(?![ \t])/g;
const SPACED_ROW = /\|[ \t]/;
const LETTER = /\p{L}|\\/u;

/** Hide the pipes of formulas in tables. The result is as long as the text. */
export function hidePipes(text) {
  if (!text.includes("|") || !(text.includes("$") || text.includes("\\("))) return text;
  return [...hideInLines(text.split("\n"))].join("\n");
}

export function showPipes(text) {
  return text.replaceAll(HIDDEN_PIPE, "|");
}

function* hideInLines(lines) {
  let columns = 0;
  for (const [i, line] of lines.entries()) {
    if (/^[ \t>]*$/.test(line)) columns = 0;
    if (columns) yield hideInRow(line, columns);
    else if ((columns = countColumns(lines[i + 1] ?? ""))) yield hideInHead(line, columns);
    else yield line;
  }
}

function hideInHead(line, columns) {
  const rows = [line, hideMatches(line, TIGHT_PIPE), hideMatches(line, CELL_END)];
  return rows.find((row) => countCells(row) === columns) ?? line;
}

function hideInRow(line, columns) {
  const tight = hideMatches(line, TIGHT_PIPE);
  if (countCells(line) <= columns) return SPACED_ROW.test(line) ? tight : line;
  return countCells(tight) <= columns ? tight : hideMatches(line, CELL_END);
}

function hideMatches(line, pipe) {
  return line.replace(FORMULA, (formula) =>
    LETTER.test(formula) ? formula.replace(pipe, HIDDEN_PIPE) : formula,
  );
}

function countCells(line) {
  return cutEnds(line.replace(CONTAINERS, "").split(CELL_END)).length;
}

function countColumns(line) {
  if (!line.includes("|") || !line.includes("-")) return 0;
  const cells = cutEnds(line.replace(CONTAINERS, "").split("|"));
  return cells.every((cell) => DELIMITER.test(cell)) ? cells.length : 0;
}

function cutEnds(cells) {
  const isBlank = (cell) => /^[ \t]*$/.test(cell);
  return cells.slice(isBlank(cells[0]) ? 1 : 0, isBlank(cells.at(-1)) ? -1 : undefined);
}
