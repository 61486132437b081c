/**
 * For each word of an index, the rows that have it: in ascending order, each as its distance from the one before.
 *
 * All of it lies in a few large pages. A word has slices in them, each larger than the last, the address of the next one
 * at the end of each; so a word that one row has takes some bytes, and one that all have a byte a row.
 */

const PAGE_BITS = 20;
const PAGE = 1 << PAGE_BITS;
/** Bytes of the first slices of a word that hold distances; all further ones are as the last. */
const ROOM = [4, 8, 16, 32, 64, 128, 256, 1_024];
const ADDRESS = 4;

export class Postings {
  constructor() {
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this._pages = [];
    this._next = 0;
    this._words = 0;
    /** Of each word: where its first slice is, where it goes on, where its last slice ends, which slice that is, its last row plus 1. */
    this._first = new Uint32Array(1024);
    this._at = new Uint32Array(1024);
    this._end = new Uint32Array(1024);
    this._level = new Uint8Array(1024);
    this._last = new Uint32Array(1024);
  }

  /** Memory that it takes, in bytes. */
  get bytes() {
    return this._pages.length * PAGE + this._first.length * 17;
  }

  /** @returns {number} a new word */
  word() {
    if (this._words === this._first.length) this._grow();
    const word = this._words++;
    this._first[word] = this._at[word] = this._slice(0);
    this._end[word] = this._at[word] + ROOM[0];
    return word;
  }

  /** @param {number} word @param {number} row not before the last one that it was given */
  add(word, row) {
    let distance = row + 1 - this._last[word];
    if (distance === 0) return;
    this._last[word] = row + 1;
    for (; distance > 127; distance >>>= 7) this._put(word, (distance & 127) | 128);
    this._put(word, distance);
  }

  /** @param {number} word @param {Uint32Array} rows a bit for each row, which is set for those that have it */
  mark(word, rows) {
    let at = this._first[word];
    let level = 0;
    let end = at + ROOM[0];
    let row = -1;
    let distance = 0;
    let shift = 0;
    for (const stop = this._at[word]; at !== stop; ) {
      if (at === end) {
        at = this._address(end);
        level = Math.min(level + 1, ROOM.length - 1);
        end = at + ROOM[level];
        continue;
      }
      const byte = this._pages[at >>> PAGE_BITS][at & (PAGE - 1)];
      at += 1;
      distance |= (byte & 127) << shift;
      shift += 7;
      if (byte > 127) continue;
      row += distance;
      rows[row >>> 5] |= 1 << (row & 31);
      distance = shift = 0;
    }
  }

  /** @param {number} word @param {number} byte */
  _put(word, byte) {
    if (this._at[word] === this._end[word]) this._lengthen(word);
    const at = this._at[word]++;
    this._pages[at >>> PAGE_BITS][at & (PAGE - 1)] = byte;
  }

  /** @param {number} word */
  _lengthen(word) {
    const level = Math.min(this._level[word] + 1, ROOM.length - 1);
    const slice = this._slice(level);
    const end = this._end[word];
    new DataView(this._pages[end >>> PAGE_BITS].buffer).setUint32(end & (PAGE - 1), slice);
    this._level[word] = level;
    this._at[word] = slice;
    this._end[word] = slice + ROOM[level];
  }

  /** @param {number} end of a slice @returns {number} where the next one begins */
  _address(end) {
    return new DataView(this._pages[end >>> PAGE_BITS].buffer).getUint32(end & (PAGE - 1));
  }

  /** @param {number} level @returns {number} where there is room for it, within one page */
  _slice(level) {
    const size = ROOM[level] + ADDRESS;
    if (this._next + size > this._pages.length * PAGE) {
      this._next = this._pages.length * PAGE;
      this._pages.push(new Uint8Array(PAGE));
    }
    const slice = this._next;
    this._next += size;
    return slice;
  }

  _grow() {
    for (const name of /** @type {const} */ (["_first", "_at", "_end", "_last"])) {
      const larger = new Uint32Array(this[name].length * 2);
      larger.set(this[name]);
      this[name] = larger;
    }
    const larger = new Uint8Array(this._level.length * 2);
    larger.set(this._level);
    this._level = larger;
  }
}
