/**
 * The text of an entry's lines, any of them at once.
 *
 * What fits is kept in memory; beyond that the entry is inflated again up to the line that is asked for. So memory does
 * not grow with the archive, and what is looked at most stays at hand.
 */

import { joined, utf8 } from "../reader/bytes.js";

/** @typedef {import("../reader/bytes.js").Bytes} Bytes */

const AHEAD = 16;

/**
 * A stretch of an entry with whole lines in it.
 * @typedef {object} Stretch
 * @property {number} start in the entry
 * @property {number} bytes how many
 * @property {Bytes | null} text null: not in memory
 * @property {number} used when it was last asked for
 * @property {number} first the first of its lines
 */

/** How much text all tables together may keep in memory. */
export class TextBudget {
  /** @param {number} bytes */
  constructor(bytes) {
    this._left = bytes;
    this._clock = 0;
    /** @type {Set<Stretch>} */
    this._kept = new Set();
  }

  /** @param {Stretch} stretch @param {Bytes} text */
  keep(stretch, text) {
    if (stretch.text !== null) return;
    stretch.text = text;
    stretch.used = ++this._clock;
    this._kept.add(stretch);
    this._left -= stretch.bytes;
    while (this._left < 0 && this._kept.size > 1) this._drop();
  }

  /** @param {Stretch} stretch */
  touch(stretch) {
    stretch.used = ++this._clock;
  }

  _drop() {
    /** @type {Stretch | null} */
    let oldest = null;
    for (const stretch of this._kept) if (oldest === null || stretch.used < oldest.used) oldest = stretch;
    if (oldest === null) return;
    oldest.text = null;
    this._kept.delete(oldest);
    this._left += oldest.bytes;
  }
}

/** The lines of one entry. */
export class LineText {
  /** @param {() => AsyncIterable<Bytes>} chunks gives the entry's content, as often as asked @param {TextBudget} budget */
  constructor(chunks, budget) {
    this._chunks = chunks;
    this._budget = budget;
    /** @type {Stretch[]} */
    this._stretches = [];
    this._starts = new Uint32Array(1024);
    this._ends = new Uint32Array(1024);
    this.count = 0;
  }

  /** @param {import("../reader/lines.js").Block} block the next lines */
  add(block) {
    const stretch = { start: block.offset, bytes: block.bytes.length, text: null, used: 0, first: this.count };
    this._stretches.push(stretch);
    for (const line of block.lines) {
      if (this.count === this._starts.length) this._grow();
      this._starts[this.count] = line.start;
      this._ends[this.count] = line.end;
      this.count += 1;
    }
    this._budget.keep(stretch, block.bytes);
  }

  /** @param {number} index @returns {Promise<string>} */
  async text(index) {
    const at = this._find(index);
    const stretch = this._stretches[at];
    const text = stretch.text ?? (await this._again(at));
    this._budget.touch(stretch);
    return utf8(text.subarray(this._starts[index], this._ends[index])) ?? "";
  }

  /** @param {number} index @returns {number} the stretch that it lies in */
  _find(index) {
    let low = 0;
    let high = this._stretches.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this._stretches[middle].first <= index) low = middle;
      else high = middle;
    }
    return low;
  }

  /** @param {number} wanted @returns {Promise<Bytes>} a stretch that was dropped, and some behind it for the next calls */
  async _again(wanted) {
    const last = Math.min(wanted + AHEAD, this._stretches.length - 1);
    /** @type {Bytes | null} */
    let found = null;
    let position = 0;
    let at = wanted;
    /** @type {Bytes[]} */
    let parts = [];
    for await (const chunk of this._chunks()) {
      let from = 0;
      while (at <= last) {
        const { start, bytes } = this._stretches[at];
        const begin = Math.max(start - position, from);
        const end = start + bytes - position;
        if (begin >= chunk.length) break;
        parts.push(chunk.slice(begin, Math.min(end, chunk.length)));
        if (end > chunk.length) break;
        const text = joined(parts);
        found ??= text;
        this._budget.keep(this._stretches[at], text);
        parts = [];
        at += 1;
        from = end;
      }
      position += chunk.length;
      if (at > last) break;
    }
    if (found === null) throw new TypeError("an entry that became shorter");
    return found;
  }

  _grow() {
    const grown = (/** @type {Uint32Array<ArrayBuffer>} */ old) => {
      const larger = new Uint32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this._starts = grown(this._starts);
    this._ends = grown(this._ends);
  }
}
