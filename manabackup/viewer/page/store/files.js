/**
 * The files of an archive: pictures and others under `blobs/`, told by `meta/blobs.jsonl`, where it also stands which rows
 * refer to each, and which files could not be had. Source: `formats/mana-v2.md`, "Files".
 */

import { idKey } from "../model/addresses.js";
import { own } from "../model/values.js";
import { lineBlocks } from "../reader/lines.js";
import { FILE_INDEX, printable } from "../reader/names.js";
import { ArchiveProblem } from "../reader/problem.js";
import { runningSha256 } from "../reader/sha256.js";
import { owned } from "./owned.js";

/** @typedef {import("../reader/archive.js").Archive} Archive */
/** @typedef {import("../reader/bytes.js").Bytes} Bytes */
/** @typedef {import("./types.js").FileTold} FileTold */
/** @typedef {import("./types.js").Referrer} Referrer */

const SHA256 = /^[0-9a-f]{64}$/;
/** Bytes of a file that a page can be given: it is in memory then. */
const LARGEST = 512 * 1024 * 1024;
/** What browsers show as a picture, and nothing that can hold a script. All else is bytes, whatever it calls itself. */
export const PICTURES = new Set(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"]);

/** What the index says. */
export class Files {
  /** @param {Archive} archive */
  constructor(archive) {
    this._archive = archive;
    /** @type {FileTold[]} */
    this.found = [];
    /** @type {FileTold[]} lost ones */
    this.lost = [];
    /** @type {Map<string, FileTold[]>} table and id of a row → its files, lost ones as well */
    this._ofRows = new Map();
  }

  /** @param {Archive} archive @returns {Promise<Files>} */
  static async read(archive) {
    const files = new Files(archive);
    if (!archive.container.entries.has(FILE_INDEX)) return files;
    for await (const block of lineBlocks(archive.chunks(FILE_INDEX), FILE_INDEX, archive.limits)) {
      for (const { value } of block.lines) files._add(toldBy(value));
    }
    return files;
  }

  /** @param {string} table @param {string} id @returns {FileTold[]} */
  ofRow(table, id) {
    return this._ofRows.get(`${table}\0${id}`) ?? [];
  }

  /** @returns {string[]} the tables whose rows refer to files */
  get tables() {
    return [...new Set(this.found.flatMap(({ rows }) => rows.map(({ table }) => table)))];
  }

  /**
   * @param {string} sha256
   * @returns {Promise<Blob>} its content, which is what its name says
   * @throws {ArchiveProblem}
   */
  async content(sha256) {
    const name = `blobs/${sha256}`;
    const entry = this._archive.container.entries.get(name);
    if (entry === undefined || entry.kind !== "blob") throw new ArchiveProblem("is missing", "missing", printable(name));
    if (entry.size > LARGEST) throw new ArchiveProblem(`larger than ${LARGEST} bytes`, "limit", printable(name));
    const hash = runningSha256(entry.size);
    /** @type {Bytes[]} */
    const parts = [];
    for await (const chunk of this._archive.chunks(name)) {
      hash.update(chunk);
      parts.push(chunk);
    }
    if ((await hash.digest()) !== sha256) {
      throw new ArchiveProblem("a file that is not the one its name says", "blobs", printable(name));
    }
    const type = this.found.find((file) => file.sha256 === sha256)?.type ?? "";
    return new Blob(parts, { type: PICTURES.has(type) ? type : "application/octet-stream" });
  }

  /** @param {FileTold | null} file */
  _add(file) {
    if (file === null) return;
    (file.lost === null ? this.found : this.lost).push(file);
    for (const { table, id } of file.rows) {
      const key = `${table}\0${id}`;
      const others = this._ofRows.get(key);
      if (others === undefined) this._ofRows.set(key, [file]);
      else if (!others.includes(file)) others.push(file);
    }
  }
}

/** @param {Record<string, any>} line @returns {FileTold | null} null: no line of such an index */
function toldBy(line) {
  const rows = Array.isArray(own(line, "rows")) ? line.rows.map(referrer).filter((/** @type {any} */ row) => row !== null) : [];
  const lost = own(line, "lost");
  const ways = [...texts(own(line, "ids")).map(idKey), ...texts(own(line, "addresses"))];
  if (typeof lost === "string") return { sha256: "", size: 0, type: "", name: "", taken: null, kept: null, rows, ways, lost };
  const hash = own(line, "sha256");
  const size = own(line, "size");
  if (typeof hash !== "string" || !SHA256.test(hash) || typeof size !== "number") return null;
  const told = own(line, "told");
  return {
    sha256: owned(hash),
    size,
    type: text(own(line, "type")).toLowerCase().replace(/;.*$/, "").trim(),
    name: text(own(line, "name")),
    taken: text(own(own(told, "exif"), "dateTaken")) || null,
    kept: text(own(told, "createdAt")) || null,
    rows,
    ways,
    lost: null,
  };
}

/** @param {any} row @returns {Referrer | null} */
function referrer(row) {
  const [table, id, field] = ["table", "id", "field"].map((name) => text(own(row, name)));
  return table === "" || id === "" ? null : { table, id, field };
}

/** @param {unknown} value @returns {string[]} */
function texts(value) {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string").map(owned) : [];
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" ? owned(value) : "";
}
