/** All tables of an open archive, read when they are first asked for; tags and time blocks joined to rows. */

import { entryOf } from "../reader/names.js";
import { ArchiveProblem } from "../reader/problem.js";
import { Table } from "./table.js";

/** @typedef {import("../reader/archive.js").Archive} Archive */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Model} Model */

const TIME_BLOCKS = "timeBlocks";
const TAGS = "globalTags";

export class Shelf {
  /** @param {Archive} archive @param {Model} model @param {import("./linetext.js").TextBudget} budget */
  constructor(archive, model, budget) {
    this.archive = archive;
    this.model = model;
    this._budget = budget;
    /** @type {Map<string, Promise<Table>>} */
    this._tables = new Map();
    /** @type {Map<string, Table>} those that are there */
    this._read = new Map();
    /** @type {Map<string, Table>} those that are being read */
    this._growing = new Map();
    /** @type {Set<string>} those that were asked for and are damaged */
    this.broken = new Set();
    /** @type {Promise<void> | null} */
    this._joining = null;
    /** @type {Map<string, string[]>} id of a row → ids of the tags that other rows tie to it */
    this._ties = new Map();
    /** @type {Map<string, string>} id of a tag → its name */
    this._tagNames = new Map();
  }

  /** @param {string} name @param {(bytes: number) => void} [read] @returns {Promise<Table>} */
  table(name, read) {
    let table = this._tables.get(name);
    if (table === undefined) {
      const growing = Table.empty(this.archive, name, this.model, this._budget);
      this._growing.set(name, growing);
      table = growing.fill(this.archive, this.model, read).then(() => {
        this._growing.delete(name);
        this._read.set(name, growing);
        return growing;
      });
      this._tables.set(name, table);
    }
    return table;
  }

  /** @param {readonly string[]} names @returns {Table[]} what was read of some tables by now */
  partly(names) {
    return names.flatMap((name) => this._read.get(name) ?? this._growing.get(name) ?? []);
  }

  /** @param {readonly string[]} names @param {(bytes: number) => void} [read] @returns {Promise<Table[]>} those that the archive has */
  async tables(names, read) {
    const found = [];
    for (const name of names) if (this.archive.has("data", name)) found.push(await this.table(name, read));
    await (this._joining ??= this._join());
    return found;
  }

  /**
   * What damage left: whoever asks for many tables gets those that are whole, and can tell by `broken` which are not.
   * @param {readonly string[]} names
   * @param {(bytes: number) => void} [read]
   * @returns {Promise<Table[]>}
   */
  async readable(names, read) {
    const found = [];
    for (const name of names) {
      const table = this.archive.has("data", name) ? await this._readable(name, read) : null;
      if (table !== null) found.push(table);
    }
    await (this._joining ??= this._join());
    return found;
  }

  /** @param {(bytes: number) => void} [read] @returns {Promise<Table[]>} */
  async all(read) {
    return this.readable(this.archive.tables, read);
  }

  /** @param {string} name @param {(bytes: number) => void} [read] @returns {Promise<Table | null>} */
  async _readable(name, read) {
    try {
      return await this.table(name, read);
    } catch (error) {
      if (!(error instanceof ArchiveProblem)) throw error;
      this.broken.add(name);
      return null;
    }
  }

  /** @param {Table} table @param {number} index @returns {Item} */
  item(table, index) {
    const { title, repeats, archived, deleted, done, spaceId, flags, extra } = table.descriptions[index];
    const when = this.dates(table, index);
    return {
      table: table.name,
      app: table.app,
      index,
      id: table.ids[index],
      title,
      line: table.lines.at(index),
      ...when,
      written: table.written[index],
      repeats: repeats || when.repeats,
      tags: this.tags(table, index),
      archived,
      deleted,
      done,
      spaceId,
      flags,
      extra,
    };
  }

  /** @param {Table} table @param {number} index @returns {{date: string | null, dateEnd: string | null, repeats: boolean}} its own dates, or those of its time block */
  dates(table, index) {
    const own = table.descriptions[index];
    const blocks = own.dateVia === null ? undefined : this._read.get(TIME_BLOCKS);
    const at = blocks === undefined || own.dateVia === null ? -1 : blocks.place(own.dateVia);
    const { date, dateEnd, repeats } = blocks === undefined || at < 0 ? own : blocks.descriptions[at];
    return { date: date ?? own.date, dateEnd: dateEnd ?? own.dateEnd, repeats };
  }

  /** @param {Table} table @param {number} index @returns {string} by which lists are sorted; empty: no time is known */
  moment(table, index) {
    const own = table.descriptions[index];
    return (own.dateVia === null ? own.date : this.dates(table, index).date) ?? table.written[index] ?? "";
  }

  /** @param {Table} table @param {number} index @returns {string[]} names, each once */
  tags(table, index) {
    const { tags, tagIds } = table.descriptions[index];
    const tied = this._ties.get(table.ids[index]);
    if (tagIds.length === 0 && tied === undefined) return tags;
    const named = [...tagIds, ...(tied ?? [])].map((id) => this._tagNames.get(id));
    return [...new Set([...tags, ...named.filter((name) => name !== undefined)])];
  }

  /** Read the tables that say something about rows of others. */
  async _join() {
    for (const name of this.archive.tables) {
      const junction = this.model.junction(name);
      if (junction === null) continue;
      if (this.archive.has("data", junction.tagTable)) this._nameTags(await this._readable(junction.tagTable));
      this._tie(await this._readable(name), junction.entity, junction.tag);
    }
    if (this.archive.has("data", TAGS)) this._nameTags(await this._readable(TAGS));
    if (this.archive.has("data", TIME_BLOCKS)) await this._readable(TIME_BLOCKS);
  }

  /** @param {Table | null} tags */
  _nameTags(tags) {
    tags?.ids.forEach((id, index) => {
      if (!tags.descriptions[index].deleted) this._tagNames.set(id, tags.descriptions[index].title);
    });
  }

  /** @param {Table | null} table @param {string} entity @param {string} tag names of the fields that hold both ids */
  _tie(table, entity, tag) {
    for (const { deleted, links } of table?.descriptions ?? []) {
      const from = links.find((link) => link.field === entity);
      const to = links.find((link) => link.field === tag);
      if (deleted || from === undefined || to === undefined) continue;
      const tied = this._ties.get(from.id);
      if (tied === undefined) this._ties.set(from.id, [to.id]);
      else tied.push(to.id);
    }
  }

  /** @param {string} table @returns {number} bytes of its text, meta lines included */
  bytes(table) {
    const size = (/** @type {"data" | "meta"} */ folder) =>
      this.archive.container.entries.get(entryOf(folder, table))?.size ?? 0;
    return size("data") + size("meta");
  }
}
