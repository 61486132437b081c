/**
 * An index of words: which words each row has, as numbers.
 *
 * A search first finds the words that hold what is searched for, anywhere in them, then passes once over the numbers of
 * all rows. 100,000 rows of 3 kB are some twenty million numbers: eighty megabytes, and some hundredths of a second.
 */

import { owned } from "./owned.js";
import { wordsOf } from "./words.js";

const PAGE = 1 << 20;
const MOST_WORDS = 30;

export class SearchIndex {
  constructor() {
    /** @type {Map<string, number>} */
    this._numbers = new Map();
    /** @type {Uint32Array<ArrayBuffer>} of each word, the last row that has it, plus 1 */
    this._lastRow = new Uint32Array(PAGE);
    /** @type {Uint32Array<ArrayBuffer>[]} numbers of words, row by row */
    this._pages = [];
    this._used = 0;
    /** @type {number[]} where the words of each row begin */
    this._starts = [];
    /** @type {string | null} all words, each between line ends */
    this._vocabulary = null;
    /** @type {number[]} where each begins in it */
    this._offsets = [];
  }

  get rows() {
    return this._starts.length;
  }

  /** @param {string} folded the text of the next row */
  add(folded) {
    this._starts.push(this._used);
    this._vocabulary = null;
    const row = this._starts.length;
    for (const word of wordsOf(folded)) {
      let number = this._numbers.get(word);
      if (number === undefined) {
        number = this._numbers.size;
        this._numbers.set(owned(word), number);
        if (number === this._lastRow.length) this._lastRow = doubled(this._lastRow);
      }
      if (this._lastRow[number] === row) continue;
      this._lastRow[number] = row;
      this._push(number);
    }
  }

  /**
   * @param {readonly string[]} wanted folded words
   * @param {number} from first row
   * @param {number} to behind the last row
   * @returns {number[]} the rows that have all of them, each within a word
   */
  find(wanted, from, to) {
    const words = [...new Set(wanted)].slice(0, MOST_WORDS);
    const every = 2 ** words.length - 1;
    const masks = this._masks(words);
    /** @type {number[]} */
    const found = [];
    for (let row = from; row < to; row++) {
      const end = row + 1 < this._starts.length ? this._starts[row + 1] : this._used;
      let has = 0;
      for (let at = this._starts[row]; at < end && has !== every; at++) {
        has |= masks[this._pages[at >>> 20][at & (PAGE - 1)]];
      }
      if (has === every) found.push(row);
    }
    return found;
  }

  /** @param {readonly string[]} words @returns {Uint32Array} of each word of the index, a bit for each that it holds */
  _masks(words) {
    const masks = new Uint32Array(this._numbers.size);
    const text = this._text();
    words.forEach((word, bit) => {
      for (let at = text.indexOf(word); at >= 0; ) {
        const number = this._wordAt(at);
        masks[number] |= 1 << bit;
        const next = number + 1 < this._offsets.length ? this._offsets[number + 1] : text.length;
        at = text.indexOf(word, next);
      }
    });
    return masks;
  }

  /** @returns {string} */
  _text() {
    if (this._vocabulary === null) {
      const words = [...this._numbers.keys()];
      let offset = 0;
      this._offsets = words.map((word) => {
        const start = offset;
        offset += word.length + 1;
        return start;
      });
      this._vocabulary = words.join("\n");
    }
    return this._vocabulary;
  }

  /** @param {number} at @returns {number} the word that lies there */
  _wordAt(at) {
    let low = 0;
    let high = this._offsets.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this._offsets[middle] <= at) low = middle;
      else high = middle;
    }
    return low;
  }

  /** @param {number} number */
  _push(number) {
    const page = this._used >>> 20;
    if (page === this._pages.length) this._pages.push(new Uint32Array(PAGE));
    this._pages[page][this._used & (PAGE - 1)] = number;
    this._used += 1;
  }
}

/** @param {Uint32Array<ArrayBuffer>} old @returns {Uint32Array<ArrayBuffer>} */
function doubled(old) {
  const larger = new Uint32Array(old.length * 2);
  larger.set(old);
  return larger;
}
