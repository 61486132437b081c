/** Search over the rows of an archive: the index is built table by table, in the background or where it is waited for. */

import { SearchIndex } from "./searchindex.js";
import { pause } from "./turns.js";
import { excerpt, holdsPhrases, marked, queryOf } from "./words.js";

/** @typedef {import("./lists.js").Place} Place */
/** @typedef {import("./shelf.js").Shelf} Shelf */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./types.js").Hit} Hit */

const EXCERPT = 220;
const SLICE = 64;
const BUDGET = 384 * 1024 * 1024;
const MOST_TITLES = 20_000;

export class Searching {
  /** @param {Shelf} shelf @param {number} [budget] bytes that the index may take, about */
  constructor(shelf, budget = BUDGET) {
    this._shelf = shelf;
    this._budget = budget;
    /** Rows that the index has no room for. */
    this.left = 0;
    this._index = new SearchIndex();
    /** @type {Map<string, {from: number, to: number}>} table → its rows in the index */
    this._ranges = new Map();
    /** @type {Promise<void>} */
    this._last = Promise.resolve();
    /** @type {Map<string, Promise<void>>} */
    this._adding = new Map();
  }

  /** @param {readonly string[]} tables @returns {boolean} whether all of them are in the index */
  has(tables) {
    return tables.every((table) => this._ranges.has(table));
  }

  /**
   * Take a table into the index; one after the other.
   * @param {string} name
   * @param {(bytes: number) => void} [read] is told how many more bytes were read
   * @param {() => Promise<void>} [turn] is waited for now and then: more urgent work may come first
   * @returns {Promise<void>}
   */
  add(name, read = () => {}, turn = pause) {
    let adding = this._adding.get(name);
    if (adding === undefined) {
      adding = this._last.then(() => this._add(name, read, turn));
      this._adding.set(name, adding);
      this._last = adding.catch(() => {});
    }
    return adding;
  }

  /** Of a table that cannot be read nothing is found. @param {string} name */
  skip(name) {
    this._ranges.set(name, { from: this._index.rows, to: this._index.rows });
  }

  /** @param {string} text as it was typed @returns {import("./words.js").Query} */
  query(text) {
    return queryOf(text, this._shelf.model.fold);
  }

  /**
   * @param {import("./words.js").Query} query
   * @param {readonly Table[]} tables those that are not in the index yet have no hits
   * @returns {Promise<Place[]>} rows that have all words and phrases, table by table
   */
  async find({ words, phrases }, tables) {
    const places = tables.flatMap((table) => {
      const range = this._ranges.get(table.name);
      if (range === undefined) return [];
      return this._index.find(words, range.from, range.to).map((row) => ({ table, index: row - range.from }));
    });
    return phrases.length === 0 ? places : this._withPhrases(places, phrases);
  }

  /** The index knows no order of words: what may hit is read. @param {Place[]} places @param {string[][]} phrases */
  async _withPhrases(places, phrases) {
    const { fold, searchText } = this._shelf.model;
    const kept = [];
    for (const [number, place] of places.entries()) {
      const row = JSON.parse(await place.table.rows.text(place.index));
      if (holdsPhrases(fold(searchText(place.table.name, row)), phrases)) kept.push(place);
      if (number % SLICE === SLICE - 1) await pause();
    }
    return kept;
  }

  /**
   * @param {readonly Place[]} places
   * @param {readonly string[]} words folded
   * @returns {Place[]} those with all words in their titles first; else the order stays
   */
  titlesFirst(places, words) {
    if (places.length > MOST_TITLES) return [...places];
    const { fold } = this._shelf.model;
    const inTitle = places.map(({ table, index }) => {
      const title = fold(table.descriptions[index].title);
      return words.every((word) => title.includes(word));
    });
    return [...places.filter((_, at) => inTitle[at]), ...places.filter((_, at) => !inTitle[at])];
  }

  /** @param {Place} place @param {readonly string[]} words folded @returns {Promise<Hit>} */
  async hit({ table, index }, words) {
    const { fold, searchPieces } = this._shelf.model;
    const item = this._shelf.item(table, index);
    const row = JSON.parse(await table.rows.text(index));
    const { text, labels } = searchPieces(table.name, row);
    const behindTitle = text.startsWith(item.title) ? text.slice(item.title.length) : text;
    const written = excerpt(behindTitle, words, fold, EXCERPT);
    const label = written.length > 0 ? undefined : labels.find((each) => excerpt(each, words, fold, EXCERPT).length > 0);
    const found = label === undefined ? written : marked(label, words, fold);
    return {
      item,
      title: marked(item.title, words, fold),
      excerpt: found.length > 0 || item.line === "" ? found : [{ text: item.line, hit: false }],
    };
  }

  /** @param {string} name @param {(bytes: number) => void} read @param {() => Promise<void>} turn */
  async _add(name, read, turn) {
    const { fold, searchText } = this._shelf.model;
    const table = await this._shelf.table(name);
    const from = this._index.rows;
    let bytes = 0;
    for (let index = 0; index < table.count; index++) {
      if (this._index.bytes > this._budget) {
        this.left += table.count - index;
        break;
      }
      const text = await table.rows.text(index);
      this._index.add(fold(searchText(name, JSON.parse(text))));
      bytes += text.length;
      if (index % SLICE === SLICE - 1) {
        read(bytes);
        bytes = 0;
        await turn();
      }
    }
    read(bytes);
    this._ranges.set(name, { from, to: this._index.rows });
  }
}
