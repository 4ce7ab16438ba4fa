// The direction of lists, quotations and tables. chat/rendering/direction.py has the same rule and
// explains it.

const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/gu;
const LEFT_TO_RIGHT = /[A-Za-z\u00c0-\u058f\u0900-\u1fff\u2c00-\ud7ff\u{20000}-\u{3ffff}]/gu;
const NO_WORDS =
  /^[ \t>]*(`{3,}|~{3,})[^]*?(?:\n[ \t>]*\1|$(?![^]))|`+[^`]*`+|\$[^$\n]*\$|\]\([^()\n]*\)|https?:\/\/[^\s)]*/gm;

/** @returns {string} `ltr` or `rtl` */
export function findDirection(source, outer) {
  if (outer === "ltr" && source.search(RIGHT_TO_LEFT) < 0) return outer;
  const words = source.replace(NO_WORDS, "");
  const [right, left] = [RIGHT_TO_LEFT, LEFT_TO_RIGHT].map((letter) => words.match(letter) ?? []);
  if (!right.length) return left.length ? "ltr" : outer;
  const isFirst = !left.length || words.indexOf(right[0]) < words.indexOf(left[0]);
  return isFirst || right.length > left.length ? "rtl" : "ltr";
}
