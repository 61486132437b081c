/**
 * An index of words: which rows have each.
 *
 * A search finds the words that hold what is searched for, anywhere in them, and puts together the rows of these. 100,000
 * rows of 3 kB have some twenty million words: as many bytes, and some hundredths of a second.
 */

import { owned } from "./owned.js";
import { Postings } from "./postings.js";
import { wordsOf } from "./words.js";

const MOST_WORDS = 30;
/** What a word costs beside its letters: a string and its place in a map. */
const WORD_BYTES = 64;

export class SearchIndex {
  constructor() {
    this.rows = 0;
    /** @type {Map<string, number>} */
    this._numbers = new Map();
    this._postings = new Postings();
    this._letters = 0;
    /** @type {string | null} all words, each between line ends */
    this._vocabulary = null;
    /** @type {number[]} where each begins in it */
    this._offsets = [];
    /** @type {{key: string, found: Uint32Array} | null} of the last search: it is asked for table by table */
    this._answer = null;
  }

  /** Memory that it takes, in bytes, about. */
  get bytes() {
    return this._postings.bytes + this._letters + this._numbers.size * WORD_BYTES;
  }

  /** @param {string} folded the text of the next row */
  add(folded) {
    const row = this.rows++;
    this._vocabulary = null;
    this._answer = null;
    for (const word of wordsOf(folded)) {
      let number = this._numbers.get(word);
      if (number === undefined) {
        number = this._postings.word();
        this._numbers.set(owned(word), number);
        this._letters += word.length;
      }
      this._postings.add(number, row);
    }
  }

  /**
   * @param {readonly string[]} wanted folded words
   * @param {number} from first row
   * @param {number} to behind the last row
   * @returns {number[]} the rows that have all of them, each within a word
   */
  find(wanted, from, to) {
    const rows = this._rowsWith([...new Set(wanted)].slice(0, MOST_WORDS));
    /** @type {number[]} */
    const found = [];
    for (let row = from; row < to; row++) if ((rows[row >>> 5] >>> (row & 31)) & 1) found.push(row);
    return found;
  }

  /** @param {string[]} words @returns {Uint32Array} a bit for each row */
  _rowsWith(words) {
    const key = words.join("\n");
    if (this._answer?.key === key) return this._answer.found;
    const found = new Uint32Array(Math.ceil(this.rows / 32)).fill(0xffffffff);
    for (const word of words) {
      const rows = new Uint32Array(found.length);
      for (const number of this._holding(word)) this._postings.mark(number, rows);
      for (let at = 0; at < found.length; at++) found[at] &= rows[at];
    }
    this._answer = { key, found };
    return found;
  }

  /** @param {string} part @returns {Generator<number, void, void>} the words of the index that hold it */
  *_holding(part) {
    const text = this._text();
    for (let at = text.indexOf(part); at >= 0; ) {
      const number = this._wordAt(at);
      yield number;
      at = text.indexOf(part, number + 1 < this._offsets.length ? this._offsets[number + 1] : text.length);
    }
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
}
