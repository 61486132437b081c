/**
 * One folding of text, for the index of words and for the marks on hits: who types `strasse` finds `Straße`.
 */

const SINGLE = new Map([
  ["ß", "ss"],
  ["ẞ", "ss"],
  ["æ", "ae"],
  ["œ", "oe"],
  ["ø", "o"],
  ["đ", "d"],
  ["ł", "l"],
  ["ı", "i"],
]);

const PLAIN = /^[\x20-\x7e\n\r\t]*$/;
const MARKS = /\p{M}+/gu;
const LETTERS = /[ßẞæœøđłı]/gu;

/**
 * Text without case, accents and compatibility forms (Unicode NFKD, marks taken out).
 *
 * @param {string} text
 * @returns {string}
 */
export function fold(text) {
  if (PLAIN.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .replace(MARKS, "")
    .toLowerCase()
    .replace(MARKS, "")
    .replace(LETTERS, (letter) => SINGLE.get(letter) ?? letter);
}

/**
 * The words of a question: all of them must stand in a row. Words in quotation marks stay together.
 *
 * @param {string} question as it was typed
 * @returns {string[]} folded, each once, none empty
 */
export function words(question) {
  /** @type {Set<string>} */
  const found = new Set();
  for (const part of question.matchAll(/["„“”»«]([^"„“”»«]+)["„“”»«]?|([^\s"„“”»«]+)/gu)) {
    const word = fold(part[1] ?? part[2] ?? "").trim();
    if (word !== "") found.add(word);
  }
  return [...found];
}

/**
 * Where words stand in a text, in the text's own characters. Spans neither touch nor overlap.
 *
 * @param {string} text
 * @param {string[]} folded words, folded
 * @returns {[number, number][]} from, to (exclusive), ascending
 */
export function marks(text, folded) {
  if (folded.length === 0 || text === "") return [];
  const { flat, starts } = foldedWithPlaces(text);
  /** @type {[number, number][]} */
  const spans = [];
  for (const word of folded) {
    for (let from = flat.indexOf(word); from !== -1; from = flat.indexOf(word, from + word.length)) {
      const last = from + word.length - 1;
      spans.push([
        starts[from] ?? 0,
        starts[last + 1] === starts[last] ? after(starts, last, text) : (starts[last + 1] ?? text.length),
      ]);
    }
  }
  return joined(spans);
}

/**
 * @param {number[]} starts
 * @param {number} place
 * @param {string} text
 */
function after(starts, place, text) {
  let next = place + 1;
  while (next < starts.length && starts[next] === starts[place]) next += 1;
  return starts[next] ?? text.length;
}

/**
 * The folded text, and for each of its characters where in the text it comes from.
 *
 * @param {string} text
 */
function foldedWithPlaces(text) {
  let flat = "";
  /** @type {number[]} */
  const starts = [];
  let place = 0;
  for (const letter of text) {
    const piece = fold(letter);
    for (let unit = 0; unit < piece.length; unit += 1) starts.push(place);
    flat += piece;
    place += letter.length;
  }
  return { flat, starts };
}

/** @param {[number, number][]} spans */
function joined(spans) {
  spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  /** @type {[number, number][]} */
  const whole = [];
  for (const [from, to] of spans) {
    const last = whole.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else whole.push([from, to]);
  }
  return whole;
}
