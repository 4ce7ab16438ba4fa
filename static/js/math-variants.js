// The letters of mathematics. KaTeX marks them by `mathvariant`, which browsers with MathML Core
// no longer read: for them a bold or a script letter is a character of its own.

const GREEK_LETTERS = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡϴΣΤΥΦΧΨΩ∇αβγδεζηθικλμνξοπρςστυφχψω∂ϵϑϰϕϱϖ";

// Where the capitals, the small letters, the digits and the Greek letters of each alphabet begin.
const ALPHABETS = {
  bold: [0x1d400, 0x1d41a, 0x1d7ce, 0x1d6a8],
  italic: [0x1d434, 0x1d44e, 0, 0x1d6e2],
  "bold-italic": [0x1d468, 0x1d482, 0x1d7ce, 0x1d71c],
  script: [0x1d49c, 0x1d4b6],
  "bold-script": [0x1d4d0, 0x1d4ea],
  fraktur: [0x1d504, 0x1d51e],
  "double-struck": [0x1d538, 0x1d552, 0x1d7d8],
  "bold-fraktur": [0x1d56c, 0x1d586],
  "sans-serif": [0x1d5a0, 0x1d5ba, 0x1d7e2],
  "bold-sans-serif": [0x1d5d4, 0x1d5ee, 0x1d7ec, 0x1d756],
  "sans-serif-bold": [0x1d5d4, 0x1d5ee, 0x1d7ec, 0x1d756],
  "sans-serif-italic": [0x1d608, 0x1d622],
  "sans-serif-bold-italic": [0x1d63c, 0x1d656, 0x1d7ec, 0x1d790],
  monospace: [0x1d670, 0x1d68a, 0x1d7f6],
};

// Those that had a place in Unicode before the others.
const LETTERLIKE_SYMBOLS = {
  italic: { h: "ℎ", ı: "𝚤", ȷ: "𝚥" },
  script: { B: "ℬ", E: "ℰ", F: "ℱ", H: "ℋ", I: "ℐ", L: "ℒ", M: "ℳ", R: "ℛ", e: "ℯ", g: "ℊ", o: "ℴ" },
  fraktur: { C: "ℭ", H: "ℌ", I: "ℑ", R: "ℜ", Z: "ℨ" },
  "double-struck": { C: "ℂ", H: "ℍ", N: "ℕ", P: "ℙ", Q: "ℚ", R: "ℝ", Z: "ℤ" },
};

/** @returns the letter of that alphabet, or what was given where it has none */
export function toMathVariant(character, variant) {
  const [capital, small, digit, greek] = ALPHABETS[variant] ?? [];
  const earlier = LETTERLIKE_SYMBOLS[variant]?.[character];
  if (earlier) return earlier;
  if (capital && /^[A-Z]$/.test(character)) return String.fromCodePoint(capital + character.charCodeAt(0) - 65);
  if (small && /^[a-z]$/.test(character)) return String.fromCodePoint(small + character.charCodeAt(0) - 97);
  if (digit && /^\d$/.test(character)) return String.fromCodePoint(digit + Number(character));
  const place = greek ? GREEK_LETTERS.indexOf(character) : -1;
  return place < 0 ? character : String.fromCodePoint(greek + place);
}

/** Put these letters into a formula. Words in it stay words: a style sheet sees to them. */
export function applyMathVariants(math) {
  for (const part of math.querySelectorAll(":is(mi, mn, mo)[mathvariant]")) {
    const variant = part.getAttribute("mathvariant");
    const before = part.textContent;
    if (!Object.hasOwn(ALPHABETS, variant) || !before) continue;
    const after = [...before].map((character) => toMathVariant(character, variant)).join("");
    if (after === before) continue;
    part.textContent = after;
    part.removeAttribute("mathvariant");
  }
}
