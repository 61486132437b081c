/** Everything that is asked of an archive, where its rows are: in a worker, or, where there is none, in the page. */

import { Archive, SealedBody, openOuter, openPlain } from "../reader/archive.js";
import { isSealed } from "../reader/manifest.js";
import { ArchiveProblem } from "../reader/problem.js";
import { BlobSource } from "../reader/source.js";
import { verify } from "../reader/verify.js";
import { FILE_INDEX } from "../reader/names.js";
import { Files, PICTURES } from "./files.js";
import { Pointed, historyOf } from "./history.js";
import { TextBudget } from "./linetext.js";
import { activityOf, byMoment, everyRow, facetsOf, listed } from "./lists.js";
import { Searching } from "./searching.js";
import { Shelf } from "./shelf.js";
import { Turns } from "./turns.js";

/** @typedef {import("./lists.js").Place} Place */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").ListOptions} ListOptions */
/** @typedef {import("./types.js").Model} Model */
/** @typedef {import("./types.js").OnProgress} OnProgress */

const TEXT_BUDGET = 320 * 1024 * 1024;
const MOST_LINKS_IN = 1_000;
const MOST_LISTS = 32;
const MOST_ROWS_OF_FILE = 20;

export class Engine {
  /**
   * @param {Model} model
   * @param {number} [textBudget] bytes of rows' text that are kept in memory
   * @param {number} [indexBudget] bytes that the index of words may take
   */
  constructor(model, textBudget = TEXT_BUDGET, indexBudget = undefined) {
    this._model = model;
    this._textBudget = textBudget;
    this._indexBudget = indexBudget;
    /** @type {SealedBody | null} */
    this._body = null;
    /** @type {Archive | null} */
    this._archive = null;
    /** @type {Shelf | null} */
    this._shelf = null;
    /** @type {Searching | null} */
    this._searching = null;
    /** @type {Promise<Pointed> | null} */
    this._pointed = null;
    /** @type {Promise<Files> | null} */
    this._files = null;
    /** @type {Promise<Map<boolean, import("./types.js").ShownFile[]>> | null} pictures (true) and other files */
    this._shown = null;
    /** @type {Map<number, Place[]>} */
    this._lists = new Map();
    this._nextList = 1;
    /** @type {Promise<void> | null} */
    this._indexing = null;
    this._turns = new Turns();
  }

  /**
   * @param {{blob: Blob}} asked
   * @param {OnProgress} onProgress
   * @returns {Promise<{sealed: false, summary: import("./types.js").Summary} | {sealed: true, outer: Record<string, any>}>}
   */
  async open({ blob }, onProgress) {
    onProgress({ done: 0, total: 1, what: "checking" });
    const outer = await openOuter(new BlobSource(blob));
    if (!isSealed(outer.manifest)) return { sealed: false, summary: this._opened(await openPlain(outer)) };
    this._body = await SealedBody.check(outer);
    return { sealed: true, outer: outer.manifest };
  }

  /** @param {{passphrase: string}} asked @param {OnProgress} onProgress @returns {Promise<import("./types.js").Summary>} */
  async unlock({ passphrase }, onProgress) {
    if (this._body === null) throw new TypeError("open a sealed archive first");
    onProgress({ done: 0, total: 1, what: "unlocking" });
    const archive = await this._body.open(passphrase);
    this._body = null;
    return this._opened(archive);
  }

  /** @param {object} _ @param {OnProgress} onProgress @returns {Promise<import("./types.js").VerifyResult>} */
  async verify(_, onProgress) {
    const told = (/** @type {number} */ done, /** @type {number} */ total) => onProgress({ done, total, what: "verifying" });
    const turn = () => this._turns.background();
    return verify(this._open.archive, { privateFields: this._model.privateFields, onProgress: told, turn });
  }

  /**
   * @param {{tables: string[], options: ListOptions}} asked
   * @param {OnProgress} onProgress
   * @returns {Promise<import("./types.js").MadeList>}
   */
  async list({ tables, options }, onProgress) {
    const shelf = this._open;
    const read = this._reading(tables, onProgress);
    const reading = this._turns.foreground(tables.length > 1 ? shelf.readable(tables, read) : shelf.tables(tables, read));
    if (options.patience !== undefined && !(await settles(reading, options.patience))) {
      return this._listed(everyRow(shelf.partly(tables)), { ...options, words: "" }, false);
    }
    const found = await reading;
    if (found.length === 0) await shelf.tables(tables);
    const query = this._search.query(options.words ?? "");
    if (query.words.length === 0) return this._listed(everyRow(found), options, true);
    for (const table of found) await this._search.add(table.name);
    return { ...this._listed(await this._search.find(query, found), options, true), left: this._search.left };
  }

  /** @param {Place[]} places @param {ListOptions} options @param {boolean} complete @returns {import("./types.js").MadeList} */
  _listed(places, options, complete) {
    const list = this._nextList++;
    const kept = listed(this._open, places, options);
    this._lists.set(list, kept);
    if (this._lists.size > MOST_LISTS) this._lists.delete(/** @type {number} */ (this._lists.keys().next().value));
    return { list, total: kept.length, complete, left: 0, broken: [...this._open.broken] };
  }

  /** @param {{list: number, from: number, count: number}} asked @returns {Promise<Item[] | null>} null: the list was given up */
  async items({ list, from, count }) {
    const places = this._lists.get(list);
    if (places === undefined) return null;
    this._lists.delete(list);
    this._lists.set(list, places);
    return places.slice(from, from + count).map(({ table, index }) => this._open.item(table, index));
  }

  /** @param {{list: number, from: number, count: number}} asked @returns {Promise<{table: string, text: string}[] | null>} */
  async texts({ list, from, count }) {
    const places = this._lists.get(list);
    if (places === undefined) return null;
    const texts = [];
    for (const { table, index } of places.slice(from, from + count)) {
      texts.push({ table: table.name, text: await table.rows.text(index) });
    }
    return texts;
  }

  /** @param {{list: number}} asked */
  async release({ list }) {
    this._lists.delete(list);
  }

  /** @param {{table: string, from: number, count: number}} asked @returns {Promise<string[]>} texts of rows in the archive's order */
  async rows({ table, from, count }) {
    if (!this._open.archive.has("data", table)) return [];
    const found = await this._open.table(table);
    const texts = [];
    for (let index = from; index < Math.min(from + count, found.count); index++) texts.push(await found.rows.text(index));
    return texts;
  }

  /** @param {{table: string, row: string | number, patience?: number}} asked @returns {Promise<any>} `RowView`, but for what is parsed */
  async row({ table: name, row, patience }) {
    const shelf = this._open;
    const reading = this._turns.foreground(shelf.tables([name]));
    const isRead = patience === undefined || (await settles(reading, patience));
    let [table] = isRead ? await reading : shelf.partly([name]);
    if (!isRead && placeOf(table, row) < 0) [table] = await reading;
    const index = placeOf(table, row);
    if (table === undefined || index < 0) return null;
    const text = await table.rows.text(index);
    const metaText = await table.metaText(index);
    const history = historyOf(metaText === null ? null : JSON.parse(metaText), JSON.parse(text), await this._whoAndWhere());
    const files = await this.filesOf({ table: name, ids: [table.ids[index]] });
    const linking = this._links(table, index);
    const complete = isRead && (patience === undefined || (await settles(linking, patience)));
    const links = complete ? await linking : { linksOut: [], linksMissing: [], linksIn: [] };
    return { item: shelf.item(table, index), text, history, files, complete, broken: [...shelf.broken], ...links };
  }

  /** @param {{table: string, ids: string[]}} asked @returns {Promise<import("./types.js").FileTold[]>} that these rows refer to, lost ones as well */
  async filesOf({ table, ids }) {
    const { archive } = this._open;
    const index = await this._unlessDamaged(FILE_INDEX, this._fileIndex(), () => new Files(archive));
    return [...new Set(ids.flatMap((id) => index.ofRow(table, id)))];
  }

  /** @returns {Promise<Pointed>} */
  _whoAndWhere() {
    this._pointed ??= Pointed.read(this._open.archive);
    return this._unlessDamaged("meta", this._pointed, () => new Pointed([], []));
  }

  /**
   * What stands beside rows is no reason not to show them.
   * @template T
   * @param {string} name under which the damage is told @param {Promise<T>} reading @param {() => T} none
   * @returns {Promise<T>}
   */
  async _unlessDamaged(name, reading, none) {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof ArchiveProblem)) throw error;
      this._open.broken.add((error.where ?? name).replace(/:\d+$/, ""));
      return none();
    }
  }

  /**
   * Pictures, or other files, by when they were made.
   * @param {{pictures: boolean, from: number, count: number, patience?: number}} asked
   * @returns {Promise<import("./types.js").Gallery>}
   */
  async gallery({ pictures, from, count, patience }) {
    const { lost } = await this._fileIndex();
    this._shown ??= this._fileTables().then((tables) => this._datedFiles(tables));
    const complete = patience === undefined || (await settles(this._shown, patience));
    const shown = complete ? await this._shown : await this._datedFiles(new Map());
    const reasons = [...new Set(lost.map((file) => file.lost ?? ""))].sort();
    return {
      pictures: shown.get(true)?.length ?? 0,
      others: shown.get(false)?.length ?? 0,
      lost: reasons.map((reason) => ({ reason, files: lost.filter((file) => file.lost === reason).length })),
      files: shown.get(pictures)?.slice(from, from + count) ?? [],
      complete,
    };
  }

  /** @param {{sha256: string, patience?: number}} asked @returns {Promise<import("./types.js").ShownFile | null>} null: there is no such file */
  async fileTold({ sha256, patience }) {
    const file = (await this._fileIndex()).found.find((each) => each.sha256 === sha256);
    if (file === undefined) return null;
    const reading = this._fileTables([...new Set(file.rows.map(({ table }) => table))]);
    const complete = patience === undefined || (await settles(reading, patience));
    return { ...this._dated(file, complete ? await reading : new Map()), complete };
  }

  /** @param {{sha256: string}} asked @returns {Promise<Blob>} the content of a file, checked */
  async file({ sha256 }) {
    return this._turns.foreground((await this._fileIndex()).content(sha256));
  }

  /** @returns {Promise<Files>} */
  _fileIndex() {
    this._files ??= Files.read(this._open.archive);
    return this._files;
  }

  /** @param {string[]} [names] @returns {Promise<Map<string, import("./table.js").Table>>} whose rows refer to files */
  async _fileTables(names) {
    const tables = await this._turns.foreground(this._open.readable(names ?? (await this._fileIndex()).tables));
    return new Map(tables.map((table) => [table.name, table]));
  }

  /** @param {Map<string, import("./table.js").Table>} tables */
  async _datedFiles(tables) {
    const files = (await this._fileIndex()).found.map((file) => this._dated(file, tables));
    files.sort((a, b) => (a.date === b.date ? 0 : a.date < b.date ? 1 : -1));
    return new Map([true, false].map((pictures) => [pictures, files.filter(({ type }) => PICTURES.has(type) === pictures)]));
  }

  /**
   * By the camera's clock; else when its row is from; else when the service took it.
   * @param {import("./types.js").FileTold} file @param {Map<string, import("./table.js").Table>} tables
   * @returns {import("./types.js").ShownFile}
   */
  _dated(file, tables) {
    const items = [];
    for (const { table: name, id } of file.rows.slice(0, MOST_ROWS_OF_FILE)) {
      const table = tables.get(name);
      const index = table?.place(id) ?? -1;
      if (table !== undefined && index >= 0) items.push(this._open.item(table, index));
    }
    const { clock } = this._model;
    const own = items.find(({ date }) => date !== null)?.date ?? items.find(({ written }) => written !== null)?.written ?? null;
    return { ...file, items, complete: true, date: clock(file.taken) ?? clock(own) ?? clock(file.kept) ?? "" };
  }

  /** @param {{tables: string[]}} asked @param {OnProgress} onProgress */
  async facets({ tables }, onProgress) {
    const found = await this._open.readable(tables, this._reading(tables, onProgress));
    const facets = facetsOf(this._open, found);
    const types = new Map((await this._whoAndWhere()).spaces.map((space) => [space.id, space.type]));
    for (const space of facets.spaces) space.type = typeof types.get(space.space) === "string" ? types.get(space.space) : null;
    return facets;
  }

  /** @param {object} _ @param {OnProgress} onProgress */
  async activity(_, onProgress) {
    const { tables } = this._open.archive;
    const found = await this._open.all(this._reading(tables, onProgress));
    return { ...activityOf(this._open, found), broken: [...this._open.broken] };
  }

  /**
   * Rows of some tables whose time touches some days: those that begin before their end and end after their beginning,
   * and all series that have begun.
   * @param {{tables: string[], from: string, to: string}} asked days, both included
   * @returns {Promise<Item[]>} at most 20,000, in the order of time
   */
  async between({ tables, from, to }) {
    const shelf = this._open;
    const places = everyRow(await shelf.tables(tables)).filter(({ table, index }) => {
      if (table.descriptions[index].deleted) return false;
      const { date, dateEnd, repeats } = shelf.dates(table, index);
      if (date === null || date.slice(0, to.length) > to) return false;
      return repeats || (dateEnd ?? date).slice(0, from.length) >= from || from.startsWith(date);
    });
    return byMoment(shelf, places, false).slice(0, 20_000).map(({ table, index }) => shelf.item(table, index));
  }

  /** @param {{tables: string[], monthDay: string}} asked `MM-DD` @returns {Promise<Item[]>} rows of that day, all years, newest first */
  async onThisDay({ tables, monthDay }) {
    const shelf = this._open;
    const places = everyRow(await shelf.tables(tables)).filter(({ table, index }) => {
      return !table.descriptions[index].deleted && shelf.moment(table, index).slice(5, 10) === monthDay;
    });
    return byMoment(shelf, places, true).slice(0, 1_000).map(({ table, index }) => shelf.item(table, index));
  }

  /**
   * @param {{words: string, tables: string[] | null, from: number, count: number}} asked
   * @returns {Promise<import("./types.js").SearchResult>}
   */
  async search({ words: text, tables, from, count }) {
    const shelf = this._open;
    const names = tables ?? shelf.archive.tables;
    void this.index({}, () => {});
    const query = this._search.query(text);
    const { words } = query;
    const ready = this._search.has(names);
    const broken = [...shelf.broken];
    if (words.length === 0) return { total: 0, tables: [], hits: [], ready, left: this._search.left, broken };
    const found = await shelf.readable(names.filter((name) => this._search.has([name])));
    const every = await this._search.find(query, found);
    const places = every.filter(({ table, index }) => !table.descriptions[index].deleted);
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { table } of places) counts.set(table.name, (counts.get(table.name) ?? 0) + 1);
    const ordered = this._search.titlesFirst(byMoment(shelf, places, true), words);
    const hits = [];
    for (const place of ordered.slice(from, from + count)) hits.push(await this._search.hit(place, words));
    const perTable = [...counts].map(([table, rows]) => ({ table, rows })).sort((a, b) => b.rows - a.rows);
    return { total: places.length, tables: perTable, hits, ready, left: this._search.left, broken };
  }

  /** Build the index of words, once. @param {object} _ @param {OnProgress} onProgress @returns {Promise<void>} */
  async index(_, onProgress) {
    this._indexing ??= this._buildIndex(onProgress);
    await this._indexing;
  }

  /** @param {OnProgress} onProgress */
  async _buildIndex(onProgress) {
    const { archive } = this._open;
    const read = this._progress("indexing", archive.tables.reduce((sum, table) => sum + this._open.bytes(table), 0), onProgress);
    const turn = () => this._turns.background();
    for (const table of archive.tables) {
      try {
        await this._search.add(table, read, turn);
      } catch (error) {
        if (!(error instanceof ArchiveProblem)) throw error;
        this._open.broken.add(table);
        this._search.skip(table);
      }
    }
  }

  /** @param {import("./table.js").Table} table @param {number} index */
  async _links(table, index) {
    const shelf = this._open;
    const tables = await shelf.all();
    const byName = new Map(tables.map((other) => [other.name, other]));
    const linksOut = [];
    const linksMissing = [];
    for (const link of table.descriptions[index].links) {
      const targets = link.table === null ? tables : [byName.get(link.table)];
      const target = targets.find((other) => other !== undefined && other.place(link.id) >= 0);
      // What lies in a damaged table is not missing.
      if (target === undefined && link.table !== null && shelf.broken.has(link.table)) continue;
      if (target === undefined) linksMissing.push({ field: link.field, id: link.id, table: link.table });
      else linksOut.push({ field: link.field, item: shelf.item(target, target.place(link.id)) });
    }
    return { linksOut, linksMissing, linksIn: this._linksTo(table, index, tables) };
  }

  /** @param {import("./table.js").Table} table @param {number} index @param {import("./table.js").Table[]} tables */
  _linksTo(table, index, tables) {
    const id = table.ids[index];
    const found = [];
    for (const other of tables) {
      for (let at = 0; at < other.count; at++) {
        for (const link of other.descriptions[at].links) {
          if (link.id !== id || (link.table !== null && link.table !== table.name)) continue;
          found.push({ field: link.field, item: this._open.item(other, at) });
          if (found.length === MOST_LINKS_IN) return found;
        }
      }
    }
    return found;
  }

  /** @param {Archive} archive @returns {import("./types.js").Summary} */
  _opened(archive) {
    this._archive = archive;
    this._shelf = new Shelf(archive, this._model, new TextBudget(this._textBudget));
    this._searching = new Searching(this._shelf, this._indexBudget);
    const { manifest, sealed, size, notes } = archive;
    const tables = archive.tables.map((table) => {
      const stated = archive.statedCount(table);
      const rows = typeof stated === "number" ? stated : 0;
      return { app: this._model.appOf(table), table, rows, bytes: this._open.bytes(table) };
    });
    const files = archive.container.ofKind("account").map(({ name }) => name);
    const blobs = archive.container.ofKind("blob").length;
    return { manifest, sealed, size, tables, files, notes, blobs, filesTold: archive.container.entries.has(FILE_INDEX) };
  }

  get _open() {
    if (this._shelf === null) throw new ArchiveProblem("is not open", "passphrase", null, "needsPassphrase");
    return this._shelf;
  }

  get _search() {
    if (this._searching === null) throw new TypeError("no archive is open");
    return this._searching;
  }

  /** @param {readonly string[]} tables @param {OnProgress} onProgress */
  _reading(tables, onProgress) {
    return this._progress("reading", tables.reduce((sum, table) => sum + this._open.bytes(table), 0), onProgress);
  }

  /** @param {import("./types.js").Progress["what"]} what @param {number} total @param {OnProgress} onProgress @returns {(bytes: number) => void} */
  _progress(what, total, onProgress) {
    let done = 0;
    return (bytes) => onProgress({ done: Math.min((done += bytes), total), total, what });
  }
}

/** @param {import("./table.js").Table | undefined} table @param {string | number} row its id, or its index @returns {number} -1: no such row by now */
function placeOf(table, row) {
  if (table === undefined) return -1;
  const index = typeof row === "number" ? row : table.place(row);
  return index >= 0 && index < table.count ? index : -1;
}

/** @param {Promise<unknown>} promise @param {number} milliseconds @returns {Promise<boolean>} whether it settled by then; what it rejects with, whoever awaits it gets */
function settles(promise, milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), milliseconds);
    const settled = () => {
      clearTimeout(timer);
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
