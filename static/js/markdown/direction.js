// The direction of lists, quotations and tables. chat/rendering/direction.py has the same rule and
// explains it.

const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const LEFT_TO_RIGHT = /[A-Za-z\u00c0-\u058f\u0900-\u1fff\u2c00-\ud7ff\u{20000}-\u{3ffff}]/u;
const NO_WORDS =
  /^[ \t>]*(`{3,}|~{3,})[^]*?(?:\n[ \t>]*\1|$(?![^]))|`+[^`]*`+|\$[^$\n]*\$|\]\([^)\n]*\)|https?:\/\/[^\s)]*/gm;

/** @returns {string} `ltr` or `rtl` */
export function findDirection(source, outer) {
  if (outer === "ltr" && !RIGHT_TO_LEFT.test(source)) return outer;
  const words = source.replace(NO_WORDS, "");
  const [right, left] = [countLetters(words, RIGHT_TO_LEFT), countLetters(words, LEFT_TO_RIGHT)];
  if (!right) return left ? "ltr" : outer;
  const isFirst = !left || words.search(RIGHT_TO_LEFT) < words.search(LEFT_TO_RIGHT);
  return isFirst || right > left ? "rtl" : "ltr";
}

function countLetters(text, letter) {
  let count = 0;
  for (const character of text) if (letter.test(character)) count++;
  return count;
}
