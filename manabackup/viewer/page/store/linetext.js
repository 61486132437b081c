/**
 * The text of an entry's lines, any of them at once.
 *
 * What is looked at most stays at hand, and the rest is kept deflated as far as it fits; beyond that the entry is inflated
 * again up to the line that is asked for. So memory does not grow with the archive's text.
 */

import { joined, utf8 } from "../reader/bytes.js";
import { packed, unpacked } from "./packing.js";

/** @typedef {import("../reader/bytes.js").Bytes} Bytes */

/** Bytes that lines are kept together in: what is inflated for one of them. */
const STRETCH = 32 * 1024;
const AHEAD = 128;

/**
 * A stretch of an entry with whole lines in it.
 * @typedef {object} Stretch
 * @property {number} start in the entry
 * @property {number} bytes how many
 * @property {Bytes | null} text null: not at hand
 * @property {Bytes | null} packed the text deflated; null: not in memory
 * @property {number} first the first of its lines
 */

/** Stretches, the one that was asked for last at the end, and how many bytes they may have together. */
class Kept {
  /** @param {number} bytes @param {number} least how many stay, however large they are */
  constructor(bytes, least) {
    this._left = bytes;
    this._least = least;
    /** @type {Map<Stretch, number>} */
    this._sizes = new Map();
  }

  /** @param {Stretch} stretch @param {number} bytes */
  add(stretch, bytes) {
    this._left -= bytes - (this._sizes.get(stretch) ?? 0);
    this._sizes.delete(stretch);
    this._sizes.set(stretch, bytes);
  }

  /** @param {Stretch} stretch */
  touch(stretch) {
    const bytes = this._sizes.get(stretch);
    if (bytes !== undefined) this.add(stretch, bytes);
  }

  /** @returns {Stretch | null} one that has to go */
  drop() {
    if (this._left >= 0 || this._sizes.size <= this._least) return null;
    const [[stretch, bytes]] = this._sizes;
    this._sizes.delete(stretch);
    this._left += bytes;
    return stretch;
  }
}

/** How much text all tables together may keep in memory: some as it is, the rest deflated. */
export class TextBudget {
  /** @param {number} bytes */
  constructor(bytes) {
    this._plain = new Kept(bytes / 5, 1);
    this._packed = new Kept((bytes * 4) / 5, 0);
  }

  /**
   * @param {Stretch} stretch
   * @param {Bytes} text
   * @returns {Promise<void>} when there is room for the next
   */
  async keep(stretch, text) {
    stretch.text = text;
    this._plain.add(stretch, stretch.bytes);
    for (let old = this._plain.drop(); old !== null; old = this._plain.drop()) await this._pack(old);
  }

  /** @param {Stretch} stretch that was asked for */
  touch(stretch) {
    this._plain.touch(stretch);
    this._packed.touch(stretch);
  }

  /** @param {Stretch} stretch */
  async _pack(stretch) {
    const { text } = stretch;
    stretch.text = null;
    if (text === null || stretch.packed !== null) return;
    stretch.packed = await packed(text);
    this._packed.add(stretch, stretch.packed.length);
    for (let old = this._packed.drop(); old !== null; old = this._packed.drop()) old.packed = null;
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
  async add(block) {
    for (let at = 0; at < block.lines.length; ) {
      const { start } = block.lines[at];
      const first = this.count;
      let end = start;
      for (; at < block.lines.length && (end === start || block.lines[at].end - start <= STRETCH); at++) {
        end = block.lines[at].end;
        if (this.count === this._starts.length) this._grow();
        this._starts[this.count] = block.lines[at].start - start;
        this._ends[this.count] = end - start;
        this.count += 1;
      }
      const stretch = { start: block.offset + start, bytes: end - start, text: null, packed: null, first };
      this._stretches.push(stretch);
      await this._budget.keep(stretch, block.bytes.slice(start, end));
    }
  }

  /** @param {number} index @returns {Promise<string>} */
  async text(index) {
    const at = this._find(index);
    const stretch = this._stretches[at];
    const text = stretch.text ?? (await this._unpacked(stretch)) ?? (await this._again(at));
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

  /** @param {Stretch} stretch @returns {Promise<Bytes | null>} null: it was dropped */
  async _unpacked(stretch) {
    if (stretch.packed === null) return null;
    const text = await unpacked(stretch.packed);
    await this._budget.keep(stretch, text);
    return text;
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
        await this._budget.keep(this._stretches[at], text);
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
