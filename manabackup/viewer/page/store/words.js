/** Words in texts, and which of them were searched for. */

/** @typedef {import("./types.js").Mark} Mark */

/** Overlong ones come in pieces: a regular expression runs out of stack on ten megabytes without a blank. */
const WORD = /[^\s\p{P}\p{Z}\p{C}]{1,256}/gu;
const LONGEST = 256;

/**
 * @param {string} text
 * @returns {string[]} its words in order. Of what has no blank in more than 256 characters, only those that it begins
 *   with: it is data, and an index of it would be as large as the data
 */
export function wordsOf(text) {
  const found = text.match(WORD) ?? [];
  if (!found.some((word) => word.length >= LONGEST)) return found;
  return found.filter((_, at) => at === 0 || found[at - 1].length < LONGEST);
}

/**
 * What is searched for.
 * @typedef {object} Query
 * @property {string[]} words folded; a row has all of them, each anywhere within a word
 * @property {string[][]} phrases folded words that follow each other; they stand among `words`, too
 */

/** In the quotation marks of several languages. */
const QUOTED = /"([^"]*)"|„([^“”"]*)[“”"]|“([^”]*)”|«([^»]*)»|»([^«]*)«/g;

/** @param {string} text as it was typed @param {(text: string) => string} fold @returns {Query} */
export function queryOf(text, fold) {
  const phrases = [...text.matchAll(QUOTED)].map((match) => wordsOf(fold(match.slice(1).find((part) => part) ?? "")));
  return { words: wordsOf(fold(text)), phrases: phrases.filter((phrase) => phrase.length > 1) };
}

/** @param {string} folded @param {readonly string[][]} phrases @returns {boolean} whether a text holds all phrases */
export function holdsPhrases(folded, phrases) {
  const words = ` ${wordsOf(folded).join(" ")}`;
  // The first and the last word may be part of a longer one, as words are that are searched for alone.
  return phrases.every((phrase) => words.includes(phrase.join(" ")));
}

/**
 * @param {string} text
 * @param {readonly string[]} wanted folded words
 * @param {(text: string) => string} fold
 * @returns {Mark[]} the text in pieces
 */
export function marked(text, wanted, fold) {
  /** @type {Mark[]} */
  const marks = [];
  let done = 0;
  for (const match of text.matchAll(WORD)) {
    for (const [start, end] of hitsIn(match[0], wanted, fold)) {
      const from = match.index + start;
      if (from > done) marks.push({ text: text.slice(done, from), hit: false });
      done = match.index + end;
      marks.push({ text: text.slice(from, done), hit: true });
    }
  }
  if (done < text.length) marks.push({ text: text.slice(done), hit: false });
  return marks;
}

/**
 * @param {string} text
 * @param {readonly string[]} wanted
 * @param {(text: string) => string} fold
 * @param {number} length about how many characters
 * @returns {Mark[]} what stands around the first hit; empty without a hit
 */
export function excerpt(text, wanted, fold, length) {
  for (const match of text.matchAll(WORD)) {
    if (hitsIn(match[0], wanted, fold).length === 0) continue;
    const from = boundary(text, Math.max(0, match.index - length / 4));
    const cut = text.slice(from, from + length).replace(/\s+/g, " ");
    const marks = marked(cut, wanted, fold);
    if (from > 0) marks.unshift({ text: "… ", hit: false });
    if (from + length < text.length) marks.push({ text: " …", hit: false });
    return marks;
  }
  return [];
}

/** @param {string} text @param {number} at @returns {number} where a word begins, not far from there */
function boundary(text, at) {
  const start = Math.floor(at);
  if (start === 0) return 0;
  const blank = text.slice(start, start + 40).search(/\s/);
  return blank < 0 ? start : start + blank + 1;
}

/**
 * @param {string} word
 * @param {readonly string[]} wanted
 * @param {(text: string) => string} fold
 * @returns {[number, number][]} where it holds what was searched for; the whole word where folding changed its length
 */
function hitsIn(word, wanted, fold) {
  const folded = fold(word);
  /** @type {[number, number] | null} */
  let found = null;
  for (const part of wanted) {
    const at = folded.indexOf(part);
    if (at < 0) continue;
    if (folded.length !== word.length) return [[0, word.length]];
    if (found === null || part.length > found[1] - found[0]) found = [at, at + part.length];
  }
  return found === null ? [] : [found];
}
