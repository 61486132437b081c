/**
 * ZIP containers that may have been made to do harm.
 *
 * Before a byte is inflated the whole structure is checked: every byte of the file belongs to exactly one local header,
 * entry, descriptor, or the central directory; both headers agree; names, methods, flags, sizes and ratios are what the
 * format allows. While an entry is read, its size and CRC-32 are checked. Source: `formats/mana-v2.md`, "Container".
 */

import { joined } from "./bytes.js";
import { crc32 } from "./crc32.js";
import { readEnd } from "./endrecord.js";
import { STORED, centralEntry, locatedEntry } from "./headers.js";
import { InflateError, inflated } from "./inflate.js";
import { isLitter, kindOf, originalNames, printable } from "./names.js";
import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./headers.js").Entry} Entry */
/** @typedef {import("./limits.js").Limits} Limits */
/** @typedef {import("./source.js").Source} Source */

const CHUNK = 1024 * 1024;

/** A checked container. */
export class Container {
  /**
   * @param {Source} source
   * @param {Map<string, Entry>} entries by name, in the central directory's order
   * @param {boolean} renamed whether another program packed the entries again, under other names
   * @param {boolean} fixedEnd
   */
  constructor(source, entries, renamed, fixedEnd) {
    this.source = source;
    this.entries = entries;
    this.renamed = renamed;
    this._fixedEnd = fixedEnd;
  }

  /**
   * @param {Source} source
   * @param {Limits} limits
   * @returns {Promise<Container>}
   * @throws {ArchiveProblem} for anything that is no sound container
   */
  static async open(source, limits) {
    const end = await readEnd(source);
    const most = limits.entries + limits.blobs;
    if (end.count > most) throw new ArchiveProblem(`has more than ${most} entries`, "limit");
    if (end.size > limits.directoryBytes) throw new ArchiveProblem("has a central directory beyond all measure", "limit");
    const directory = await source.read(end.offset, end.size);
    if (directory.length !== end.size) throw new ArchiveProblem("is cut off", "truncated");
    const { found, renamed } = called(centralEntries(directory, end.count, limits));
    const blobs = found.filter((entry) => entry.kind === "blob").length;
    if (blobs > limits.blobs || found.length - blobs > limits.entries) {
      throw new ArchiveProblem(`has more than ${limits.entries} entries, or ${limits.blobs} files`, "limit");
    }
    if (found.reduce((bytes, entry) => bytes + entry.size, 0) > limits.totalBytes) {
      throw new ArchiveProblem(`would inflate to more than ${limits.totalBytes} bytes`, "limit");
    }
    const entries = new Map(found.map((entry) => [entry.name, entry]));
    let position = 0;
    for (const entry of [...found].sort((a, b) => a.headerOffset - b.headerOffset)) {
      if (entry.headerOffset !== position) {
        throw new ArchiveProblem("entries overlap, or bytes lie between them", "container", printable(entry.name));
      }
      const located = await locatedEntry(source, entry);
      position = located.next;
      entries.set(entry.name, located.entry);
    }
    if (position !== end.offset) {
      throw new ArchiveProblem("bytes lie between the entries and the central directory", "container");
    }
    return new Container(source, entries, renamed, end.fixed);
  }

  /** @param {import("./names.js").Kind} kind @returns {Entry[]} */
  ofKind(kind) {
    return [...this.entries.values()].filter((entry) => entry.kind === kind);
  }

  /**
   * @param {Entry} entry
   * @returns {AsyncGenerator<Bytes, void, void>} its content; size and CRC-32 have been checked when it ends
   */
  async *chunks(entry) {
    let produced = 0;
    let crc = 0;
    try {
      const stored = () => this._stored(entry);
      for await (const chunk of entry.method === STORED ? stored() : inflated(stored)) {
        produced += chunk.length;
        if (produced > entry.size) throw new ArchiveProblem("holds more than its header says", "size", printable(entry.name));
        crc = crc32(chunk, crc);
        yield chunk;
      }
    } catch (error) {
      if (!(error instanceof InflateError)) throw error;
      throw new ArchiveProblem(`damaged: ${error.message}`, "deflate", printable(entry.name));
    }
    if (produced !== entry.size) throw new ArchiveProblem("holds less than its header says", "size", printable(entry.name));
    if (crc !== entry.crc) throw new ArchiveProblem("damaged: its CRC-32 does not match", "crc", printable(entry.name));
  }

  /** @param {Entry} entry @param {number} limit @returns {Promise<Bytes>} the whole content of at most `limit` bytes */
  async read(entry, limit) {
    if (entry.size > limit) throw new ArchiveProblem(`larger than ${limit} bytes`, "limit", printable(entry.name));
    const parts = [];
    for await (const chunk of this.chunks(entry)) parts.push(chunk);
    return joined(parts);
  }

  /** Refuse the freedoms that ZIP leaves, as a sealed archive of manabackup must not use them. */
  requireFixedBytes() {
    const dates = new Set();
    for (const entry of this.entries.values()) {
      if (!entry.fixed) throw new ArchiveProblem("a header field has been changed", "container", printable(entry.name));
      dates.add(entry.date);
    }
    if (!this._fixedEnd || dates.size > 1) {
      throw new ArchiveProblem("a field of the end record has been changed", "container");
    }
  }

  /** @returns {boolean} whether another program made this container: none writes any header as manabackup does */
  isPackedAgain() {
    return this.renamed || ![...this.entries.values()].some((entry) => entry.fixed);
  }

  /** @param {Entry} entry @returns {AsyncGenerator<Bytes, void, void>} */
  async *_stored(entry) {
    const end = entry.dataOffset + entry.compressed;
    for (let at = entry.dataOffset; at < end; at += CHUNK) yield await this.source.read(at, Math.min(CHUNK, end - at));
  }
}

/** @param {Bytes} directory @param {number} count @param {Limits} limits @returns {Entry[]} */
function centralEntries(directory, count, limits) {
  const found = [];
  let at = 0;
  for (let number = 0; number < count; number++) {
    const { entry, next } = centralEntry(directory, at, limits);
    found.push(entry);
    at = next;
  }
  if (at !== directory.length) throw new ArchiveProblem("the central directory does not end where it should", "container");
  return found;
}

/** @param {Entry[]} entries @returns {{found: Entry[], renamed: boolean}} under the names that this format has for them */
function called(entries) {
  const originals = originalNames(entries.map((entry) => entry.name));
  const renamed = originals.size > 0;
  const seen = new Set();
  const found = entries.map((entry) => {
    const name = originals.get(entry.name) ?? entry.name;
    const beside = isLitter(entry.name) || (renamed && name === "");
    const kind = beside ? "other" : kindOf(name);
    const kept = beside ? entry.name : name;
    if (kind === null) throw new ArchiveProblem("an entry with a nested or absolute name", "entryName", printable(entry.name));
    if (seen.has(kept)) throw new ArchiveProblem("stands twice in the archive", "duplicateEntry", printable(entry.name));
    seen.add(kept);
    return { ...entry, name: kept, kind };
  });
  return { found, renamed };
}
