/** Many short texts in little memory: as UTF-8, one behind the other. An engine's own strings take two to three times that. */

/** Bytes of a page: each larger than the last, for most tables are small. */
const SMALLEST = 1 << 10;
const LARGEST = 1 << 18;

export class ShortTexts {
  constructor() {
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this._pages = [new Uint8Array(0)];
    this._at = 0;
    this._count = 0;
    /** Where each begins: the page and the place in it, and how long it is. */
    this._page = new Uint32Array(64);
    this._start = new Uint32Array(64);
    this._length = new Uint32Array(64);
    this._encoder = new TextEncoder();
    this._decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  }

  /** @param {string} text at most some thousand characters; halves of characters become U+FFFD */
  add(text) {
    if (this._count === this._length.length) this._grow();
    // No unit of UTF-16 takes more than three bytes.
    const most = text.length * 3;
    if (this._at + most > this._pages[this._pages.length - 1].length) {
      const size = Math.min(SMALLEST * 2 ** this._pages.length, LARGEST);
      this._pages.push(new Uint8Array(Math.max(size, most)));
      this._at = 0;
    }
    const page = this._pages.length - 1;
    const { written } = this._encoder.encodeInto(text, this._pages[page].subarray(this._at));
    this._page[this._count] = page;
    this._start[this._count] = this._at;
    this._length[this._count] = written;
    this._at += written;
    this._count += 1;
  }

  /** @param {number} index @returns {string} */
  at(index) {
    const start = this._start[index];
    return this._decoder.decode(this._pages[this._page[index]].subarray(start, start + this._length[index]));
  }

  _grow() {
    for (const name of /** @type {const} */ (["_page", "_start", "_length"])) {
      const larger = new Uint32Array(this[name].length * 2);
      larger.set(this[name]);
      this[name] = larger;
    }
  }
}
