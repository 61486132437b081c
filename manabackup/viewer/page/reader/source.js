/** Where an archive's bytes come from: a file that is read by slices, or memory. */

import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

/**
 * Bytes at any place, without a position.
 * @typedef {object} Source
 * @property {number} size in bytes
 * @property {(offset: number, count: number) => Promise<Bytes>} read `count` bytes from `offset`, fewer at the end
 */

const WINDOW = 256 * 1024;

/** A file, of which only what is asked for is read. Headers lie close together: they come out of one window. */
export class BlobSource {
  /** @param {Blob} blob */
  constructor(blob) {
    this.size = blob.size;
    this._blob = blob;
    this._start = 0;
    /** @type {Bytes} */
    this._window = new Uint8Array(0);
  }

  /** @param {number} offset @param {number} count @returns {Promise<Bytes>} */
  async read(offset, count) {
    const start = Math.min(Math.max(offset, 0), this.size);
    const end = Math.min(start + count, this.size);
    if (end - start > WINDOW / 4) return this._slice(start, end);
    if (start < this._start || end > this._start + this._window.length) {
      this._window = await this._slice(start, Math.min(start + WINDOW, this.size));
      this._start = start;
    }
    return this._window.slice(start - this._start, end - this._start);
  }

  /** @param {number} start @param {number} end @returns {Promise<Bytes>} */
  async _slice(start, end) {
    try {
      const bytes = new Uint8Array(await this._blob.slice(start, end).arrayBuffer());
      if (bytes.length === end - start) return bytes;
    } catch {
      // A file that was changed, moved or unplugged since it was chosen: the browser gives no more of it.
    }
    throw new ArchiveProblem("cannot be read any more: it changed, or it is gone", "unreadable");
  }
}

/** Bytes in memory: the body of a sealed archive. */
export class BytesSource {
  /** @param {Bytes} bytes */
  constructor(bytes) {
    this.size = bytes.length;
    this._bytes = bytes;
  }

  /** @param {number} offset @param {number} count @returns {Promise<Bytes>} */
  async read(offset, count) {
    return this._bytes.subarray(Math.min(offset, this.size), Math.min(offset + count, this.size));
  }
}
