/** One table that was read: where its rows are, and what each means. */

import { entryOf } from "../reader/names.js";
import { lineBlocks } from "../reader/lines.js";
import { rowBlocks } from "../reader/rows.js";
import { LineText } from "./linetext.js";
import { owned, same } from "./owned.js";
import { ShortTexts } from "./shorttexts.js";
import { pause } from "./turns.js";

/** @typedef {import("../reader/archive.js").Archive} Archive */
/** @typedef {import("./types.js").Description} Description */
/** @typedef {import("./types.js").Model} Model */

/** What a table tells without its text. */
export class Table {
  /** @param {string} name @param {string} app @param {LineText} rows @param {LineText | null} metas */
  constructor(name, app, rows, metas) {
    this.name = name;
    this.app = app;
    this.rows = rows;
    this._metas = metas;
    /** @type {string[]} */
    this.ids = [];
    /** @type {Description[]} without their lines */
    this.descriptions = [];
    this.lines = new ShortTexts();
    /** @type {(string | null)[]} the earliest time in each row's meta line */
    this.written = [];
    /** @type {Map<string, number>} */
    this._places = new Map();
    /** @type {Map<string, number>} of rows whose meta line is not at their own place */
    this._metaPlaces = new Map();
  }

  /**
   * @param {Archive} archive
   * @param {string} name
   * @param {Model} model
   * @param {import("./linetext.js").TextBudget} budget
   * @returns {Table} without a row yet
   */
  static empty(archive, name, model, budget) {
    const entry = entryOf("data", name);
    const metaEntry = entryOf("meta", name);
    const metas = archive.has("meta", name) ? new LineText(() => archive.chunks(metaEntry), budget) : null;
    return new Table(name, model.appOf(name), new LineText(() => archive.chunks(entry), budget), metas);
  }

  /**
   * Read it to its end. On the way there the table has the rows that were read, and nothing is known of the others.
   * @param {Archive} archive
   * @param {Model} model
   * @param {(bytes: number) => void} [read] is told how many more bytes were read
   */
  async fill(archive, model, read = () => {}) {
    for await (const block of rowBlocks(archive, this.name)) {
      await this.rows.add(block);
      for (const { value } of block.lines) {
        this._places.set(value.id, this.ids.length);
        const description = model.describe(this.name, value);
        this.lines.add(description.line);
        this.descriptions.push(compact(description));
        this.written.push(earliest(fieldMeta(value)));
        this.ids.push(value.id);
      }
      read(block.bytes.length);
      await pause();
    }
    if (this._metas !== null) await this._readMetas(archive, entryOf("meta", this.name), this._metas, read);
  }

  get count() {
    return this.ids.length;
  }

  /** @param {string} id @returns {number} -1: there is no such row */
  place(id) {
    return this._places.get(id) ?? -1;
  }

  /** @param {number} index @returns {Promise<string | null>} the text of the row's meta line */
  async metaText(index) {
    const at = this._metaPlaces.get(this.ids[index]) ?? index;
    if (this._metas === null || at >= this._metas.count) return null;
    const text = await this._metas.text(at);
    return JSON.parse(text).id === this.ids[index] ? text : null;
  }

  /** @param {Archive} archive @param {string} entry @param {LineText} metas @param {(bytes: number) => void} read */
  async _readMetas(archive, entry, metas, read) {
    for await (const block of lineBlocks(archive.chunks(entry), entry, archive.limits)) {
      let at = metas.count;
      await metas.add(block);
      for (const { value } of block.lines) {
        const row = typeof value.id === "string" ? this.place(value.id) : -1;
        if (row >= 0) {
          if (row !== at) this._metaPlaces.set(value.id, at);
          this.written[row] = earliest([value, ...objects(value.fields)]);
        }
        at += 1;
      }
      read(block.bytes.length);
      await pause();
    }
  }
}

/** @type {any[]} */
const NONE = [];
Object.freeze(NONE);

/** @param {Description} description @returns {Description} the same in less memory: there may be a million of them */
function compact(description) {
  description.title = owned(description.title);
  description.line = "";
  if (description.spaceId !== null) description.spaceId = same(description.spaceId);
  for (const link of description.links) link.id = same(link.id);
  for (const name of /** @type {const} */ (["tags", "tagIds", "flags", "links"])) {
    if (description[name].length === 0) description[name] = NONE;
  }
  return description;
}

/** @param {Record<string, any>} row of the web app's own archives @returns {any[]} its stamps */
function fieldMeta(row) {
  return Object.hasOwn(row, "__fieldMeta") ? objects(row.__fieldMeta) : [];
}

/** @param {any} value @returns {any[]} the objects in an object */
function objects(value) {
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).filter((member) => member !== null && typeof member === "object");
}

/** @param {any[]} stamps @returns {string | null} */
function earliest(stamps) {
  let first = null;
  for (const { at } of stamps) if (typeof at === "string" && at !== "" && (first === null || at < first)) first = at;
  return first;
}
