/**
 * Read an archive to its last byte, and say all that is wrong with it.
 *
 * A plain archive proves nothing against somebody who changes it and computes its sums anew; only the seal does.
 */

import { hasCiphertextForm, isCiphertext, mayBeCiphertext } from "./ciphertext.js";
import { badLine } from "./lines.js";
import { own } from "./manifest.js";
import { RESERVED, listedCiphertext, metaFault } from "./meta.js";
import { FILE_INDEX, MANIFEST, entryOf, printable, sha256Of, tableOf } from "./names.js";
import { ArchiveProblem } from "./problem.js";
import { lines, rowBlocks, rowId } from "./rows.js";
import { runningSha256 } from "./sha256.js";
import { byCodePoint, dataSha256 } from "./sums.js";

/** @typedef {import("./archive.js").Archive} Archive */
/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./problem.js").ProblemData} ProblemData */

const MOST_PROBLEMS = 1_000;
export const UNAUTHENTICATED = "not sealed: its checksums find damage, not somebody who changed it and computed them anew";

/**
 * @typedef {object} Report
 * @property {boolean} whole
 * @property {ProblemData[]} problems
 * @property {string[]} notes
 * @property {number} rows
 * @property {number} tables
 * @property {string | null} dataSha256
 */

/**
 * @typedef {object} VerifyOptions
 * @property {(table: string) => readonly string[]} [privateFields] the registry's encrypted fields of a table
 * @property {(done: number, total: number) => void} [onProgress] uncompressed bytes
 * @property {() => Promise<void> | void} [turn] is waited for now and then: more urgent work may come first
 * @property {AbortSignal} [signal]
 */

/** @param {Archive} archive @param {VerifyOptions} [options] @returns {Promise<Report>} damage is told, not thrown */
export async function verify(archive, options = {}) {
  const verification = new Verification(archive, options);
  await verification.run();
  return verification.report();
}

class Verification {
  /** @param {Archive} archive @param {VerifyOptions} options */
  constructor(archive, options) {
    this._archive = new Hashed(archive, async (bytes) => {
      this._read(bytes);
      await options.turn?.();
    });
    this._source = archive;
    this._options = options;
    /** @type {ProblemData[]} */
    this._problems = [];
    /** @type {Map<string, number>} */
    this._counts = new Map();
    this._done = 0;
    this._total = [...archive.container.entries.values()].reduce((bytes, entry) => bytes + entry.size, 0);
    /** @type {number | null} */
    this._actors = null;
  }

  async run() {
    for (const entry of this._source.container.entries.values()) {
      this._options.signal?.throwIfAborted();
      try {
        if (entry.kind === "data") this._counts.set(tableOf(entry.name), await this._table(tableOf(entry.name)));
        else if (entry.kind === "meta") await this._meta(tableOf(entry.name));
        else for await (const _ of this._archive.chunks(entry.name)) void _;
      } catch (error) {
        if (!(error instanceof ArchiveProblem)) throw error;
        this._add(error);
      }
    }
    if (this._problems.length === 0) this._compareCounts();
    this._dataSha256 = own(this._source.manifest, "dataSha256") ?? null;
    if (this._dataSha256 === null && this._problems.length === 0) this._dataSha256 = await dataSha256(this._archive.hashes);
  }

  /** @returns {Report} */
  report() {
    const { notes, sealed } = this._source;
    return {
      whole: this._problems.length === 0,
      problems: this._problems,
      notes: [...notes, ...(sealed ? [] : [UNAUTHENTICATED])],
      rows: [...this._counts.values()].reduce((sum, count) => sum + count, 0),
      tables: this._counts.size,
      dataSha256: this._dataSha256 ?? null,
    };
  }

  /** @param {string} table @returns {Promise<number>} its rows */
  async _table(table) {
    let rows = 0;
    const encrypted = this._source.manifest.fieldsPlaintext ? null : await this._encryptedFields(table);
    for await (const block of rowBlocks(/** @type {any} */ (this._archive), table)) {
      rows += block.lines.length;
      if (encrypted !== null) for (const line of block.lines) await encrypted(line);
    }
    return rows;
  }

  /**
   * Of an archive that was encrypted for an account: whether everything private in it is ciphertext.
   * @param {string} table
   */
  async _encryptedFields(table) {
    const { manifest, ours } = this._source;
    const name = entryOf("data", table);
    const registered = this._options.privateFields?.(table) ?? [];
    const metas = ours && this._source.has("meta", table) ? lines(this._source, entryOf("meta", table)) : null;
    let next = metas === null ? null : await metas.next();
    return async (/** @type {import("./lines.js").Line} */ line) => {
      while (metas !== null && next && !next.done && byCodePoint(String(next.value.value.id), line.value.id) < 0) {
        next = await metas.next();
      }
      const meta = next && !next.done && next.value.value.id === line.value.id ? next.value.value : null;
      const sealed = meta !== null && Array.isArray(meta.sealed) ? meta.sealed : [];
      for (const [field, value] of Object.entries(line.value)) {
        if (mayBeCiphertext(value) && isCiphertext(manifest, value, field, listedCiphertext(meta))) {
          if (hasCiphertextForm(value)) continue;
          this._add(badLine(`the field ${printable(field)} is no ciphertext that any key opens`, name, line.number, "notOpened"));
        } else if (value !== null && (registered.includes(field) || sealed.includes(field))) {
          this._add(badLine(`the private field ${printable(field)} stands in clear`, name, line.number, "notEncrypted"));
        }
      }
    };
  }

  /** Lines that others will rely on must say what the format says. @param {string} subject */
  async _meta(subject) {
    const name = entryOf("meta", subject);
    if (this._source.ours && name === FILE_INDEX) return this._files();
    const strict = this._source.ours && !RESERVED.includes(subject);
    let last = null;
    for await (const line of lines(/** @type {any} */ (this._archive), name)) {
      if (!strict) continue;
      const id = rowId(line, name);
      if (last !== null && byCodePoint(id, last) <= 0) throw badLine("not in the order of the ids", name, line.number, "order");
      last = id;
      this._actors ??= await this._countActors();
      const fault = metaFault(line.value, this._actors);
      if (fault !== null) throw badLine(fault, name, line.number);
    }
  }

  /** The index of the files: each line a file that is there so, or one that is lost; each file has its line. */
  async _files() {
    let last = "";
    let seen = 0;
    for await (const line of lines(/** @type {any} */ (this._archive), FILE_INDEX)) {
      const hash = indexedFile(line.value);
      if (hash === undefined) throw badLine("not a line of the index of files", FILE_INDEX, line.number, "blobs");
      if (hash === null) continue;
      const entry = this._source.container.entries.get(`blobs/${hash}`);
      if (hash <= last || entry === undefined || entry.kind !== "blob" || entry.size !== own(line.value, "size")) {
        throw badLine("a file that is not there so, or not in its order", FILE_INDEX, line.number, "blobs");
      }
      last = hash;
      seen += 1;
    }
    if (seen !== this._source.container.ofKind("blob").length) {
      throw new ArchiveProblem("lists other files than there are", "blobs", FILE_INDEX);
    }
  }

  async _countActors() {
    let count = 0;
    if (this._source.has("meta", "actors")) for await (const _ of lines(this._source, entryOf("meta", "actors"))) count += 1;
    return count;
  }

  /** The rows win over the manifest's counts; where manabackup wrote both, they must agree. */
  _compareCounts() {
    if (!this._source.ours) return;
    const stated = Object.keys(this._source.manifest.rowCounts);
    for (const table of [...new Set([...this._counts.keys(), ...stated])].sort()) {
      try {
        this._source.checkCount(table, this._counts.get(table) ?? 0);
      } catch (error) {
        if (error instanceof ArchiveProblem) this._add(new ArchiveProblem(error.problem, "counts", MANIFEST));
      }
    }
  }

  /** @param {ArchiveProblem} problem */
  _add(problem) {
    if (this._problems.length < MOST_PROBLEMS) this._problems.push(problem.toData());
  }

  /** @param {number} bytes */
  _read(bytes) {
    this._options.signal?.throwIfAborted();
    this._done += bytes;
    this._options.onProgress?.(Math.min(this._done, this._total), this._total);
  }
}

/**
 * @param {Record<string, any>} line of the index of files
 * @returns {string | null | undefined} the SHA-256 of a file, null for one that is lost, undefined for what is neither
 */
function indexedFile(line) {
  const texts = (/** @type {unknown} */ value) => value === undefined || (Array.isArray(value) && value.every((one) => typeof one === "string"));
  const rows = own(line, "rows") ?? [];
  if (!Array.isArray(rows) || !texts(own(line, "ids")) || !texts(own(line, "addresses"))) return undefined;
  const isPlace = (/** @type {any} */ row) =>
    typeof row === "object" && row !== null && ["table", "id", "field"].every((key) => typeof own(row, key) === "string");
  if (!rows.every(isPlace)) return undefined;
  const { sha256: hash, size, type, name, told, lost, reason } = /** @type {any} */ (line);
  if (typeof hash === "string" && Number.isInteger(size) && typeof type === "string") {
    const isNamed = name === undefined || name === null || typeof name === "string";
    const isTold = told === undefined || (typeof told === "object" && told !== null && !Array.isArray(told));
    return isNamed && isTold ? hash : undefined;
  }
  return typeof lost === "string" && typeof reason === "string" ? null : undefined;
}

/** An archive whose entries are hashed on their way, and compared with SHA256SUMS at their ends. */
class Hashed {
  /** @param {Archive} archive @param {(bytes: number) => Promise<void>} told */
  constructor(archive, told) {
    this._archive = archive;
    this._told = told;
    this.ours = archive.ours;
    this.limits = archive.limits;
    /** @type {Map<string, string>} */
    this.hashes = new Map();
  }

  /** @param {string} table @param {number} count */
  checkCount(table, count) {
    this._archive.checkCount(table, count);
  }

  /** @param {string} name @returns {AsyncGenerator<Bytes, void, void>} */
  async *chunks(name) {
    const hash = runningSha256(this._archive.container.entries.get(name)?.size ?? 0);
    for await (const chunk of this._archive.chunks(name)) {
      hash.update(chunk);
      await this._told(chunk.length);
      yield chunk;
    }
    const digest = await hash.digest();
    this.hashes.set(name, digest);
    if (this._archive.container.entries.get(name)?.kind === "blob" && sha256Of(name) !== digest) {
      throw new ArchiveProblem("a file that is not the one its name says", "blobs", printable(name));
    }
    if ((this._archive.sums.get(name) ?? digest) !== digest) {
      throw new ArchiveProblem("its SHA-256 is not the one in SHA256SUMS", "sums", printable(name));
    }
  }
}
