/**
 * The store: an archive that was opened, as screens use it. All work is done in a worker made of the page's own code;
 * where a browser allows none, in the page, in slices that keep it alive.
 *
 * Everything rejects with `ArchiveProblem` for what is wrong with the archive.
 */

import { ParseError, parseExact } from "../reader/json.js";
import { ArchiveProblem } from "../reader/problem.js";
import { Caller } from "./calls.js";
import { serve } from "./server.js";

/** @typedef {import("./types.js").Activity} Activity */
/** @typedef {import("./types.js").Facets} Facets */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").ListOptions} ListOptions */
/** @typedef {import("./types.js").OnProgress} OnProgress */
/** @typedef {import("./types.js").RowView} RowView */
/** @typedef {import("./types.js").SearchResult} SearchResult */
/** @typedef {import("./types.js").Summary} Summary */
/** @typedef {import("./types.js").VerifyResult} VerifyResult */

/**
 * @typedef {object} OpenOptions
 * @property {any} modules the content of `formats/modules.json`
 * @property {string} [code] the page's script (`main.js` and all behind it), which the worker is made of; without it the page does the work itself
 * @property {string | AskPassphrase} [passphrase] of a sealed archive
 * @property {OnProgress} [onProgress]
 * @property {AbortSignal} [signal] ends everything, and forgets
 * @property {number} [textBudget] bytes of rows' text that are kept in memory
 * @property {number} [indexBudget] bytes that the index of words may take, about
 */

/**
 * Is called when the archive is sealed, and whole as far as can be told without its passphrase; again after a wrong one.
 * @callback AskPassphrase
 * @param {Record<string, any>} outer the outer manifest: what the archive says of itself without its passphrase
 * @param {boolean} wrong whether the one before was wrong
 * @returns {Promise<string | null>} null: nobody knows it, or wants to
 */

/** An open archive. */
export class Store {
  /** @param {Caller} caller @param {() => void} end @param {Summary} summary */
  constructor(caller, end, summary) {
    this._caller = caller;
    this._end = end;
    this.summary = summary;
  }

  /**
   * @param {Blob} blob the archive
   * @param {OpenOptions} options
   * @returns {Promise<Store>}
   * @throws {ArchiveProblem} also `needsPassphrase` and, where the passphrase was given as text, `wrongPassphrase`
   */
  static async open(blob, options) {
    const { port, end } = await connect(options.code);
    const caller = new Caller(port);
    const forget = () => {
      end();
      caller.close(new DOMException("the archive was closed", "AbortError"));
    };
    options.signal?.addEventListener("abort", forget, { once: true });
    try {
      options.signal?.throwIfAborted();
      await caller.call("start", {
        modules: options.modules,
        textBudget: options.textBudget,
        indexBudget: options.indexBudget,
      });
      const opened = await caller.call("open", { blob }, options.onProgress);
      const summary = opened.sealed ? await unlock(caller, opened.outer, options) : opened.summary;
      return new Store(caller, forget, summary);
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Read everything and compare it with its sums. @param {OnProgress} [onProgress] @returns {Promise<VerifyResult>} */
  verify(onProgress) {
    return this._caller.call("verify", {}, onProgress);
  }

  /** @param {readonly string[]} tables @param {ListOptions} [options] @param {OnProgress} [onProgress] @returns {Promise<List>} */
  async list(tables, options = {}, onProgress) {
    const ask = () => this._caller.call("list", { tables: [...tables], options }, onProgress);
    const made = await ask();
    return new List(this._caller, made, async () => (await ask()).list);
  }

  /**
   * @param {string} table
   * @param {string | number} row its id, or its index
   * @param {number} [patience] milliseconds: what is not known by then is left out, and the view is not `complete`
   * @returns {Promise<RowView | null>} null: no such row
   */
  async row(table, row, patience) {
    const found = await this._caller.call("row", { table, row, patience });
    if (found === null) return null;
    const { text, ...view } = found;
    return { ...view, raw: text, row: parsed(text) };
  }

  /** @param {string} table @param {number} [from] @param {number} [count] @returns {Promise<Record<string, any>[]>} parsed, in the archive's order */
  async rows(table, from = 0, count = 1_000) {
    return (await this._caller.call("rows", { table, from, count })).map(parsed);
  }

  /**
   * All rows of a table whose link `field` names a row: the messages of a conversation.
   * @param {string} table @param {string} field @param {string} id
   * @returns {Promise<Record<string, any>[]>} parsed, oldest first
   */
  async linked(table, field, id) {
    const list = await this.list([table], { sort: "date", descending: false, filters: { parent: { field, id } } });
    const texts = await list.texts(0, list.total);
    list.release();
    return texts.map(({ text }) => parsed(text));
  }

  /**
   * @param {string} words
   * @param {{tables?: readonly string[], from?: number, count?: number}} [options]
   * @returns {Promise<SearchResult>} of the tables that are in the index by now
   */
  search(words, { tables, from = 0, count = 50 } = {}) {
    return this._caller.call("search", { words, tables: tables ? [...tables] : null, from, count });
  }

  /** Build the index of words, if that has not begun. @param {OnProgress} [onProgress] @returns {Promise<void>} when it is complete */
  index(onProgress) {
    return this._caller.call("index", {}, onProgress);
  }

  /** @param {readonly string[]} tables @param {OnProgress} [onProgress] @returns {Promise<Facets>} */
  facets(tables, onProgress) {
    return this._caller.call("facets", { tables: [...tables] }, onProgress);
  }

  /** @param {OnProgress} [onProgress] @returns {Promise<Activity>} reads all tables */
  activity(onProgress) {
    return this._caller.call("activity", {}, onProgress);
  }

  /**
   * Rows whose time touches the days from `from` to `to`, and series that began before `to`.
   * @param {readonly string[]} tables @param {string} from @param {string} to `YYYY-MM-DD`, both included
   * @returns {Promise<Item[]>}
   */
  between(tables, from, to) {
    return this._caller.call("between", { tables: [...tables], from, to });
  }

  /** @param {readonly string[]} tables @param {string} monthDay `MM-DD` @returns {Promise<Item[]>} of all years, newest first */
  onThisDay(tables, monthDay) {
    return this._caller.call("onThisDay", { tables: [...tables], monthDay });
  }

  /**
   * @param {boolean} pictures or other files
   * @param {number} from
   * @param {number} count
   * @param {number} [patience] milliseconds, as of a row
   * @returns {Promise<import("./types.js").Gallery>}
   */
  gallery(pictures, from, count, patience) {
    return this._caller.call("gallery", { pictures, from, count, patience });
  }

  /** @param {string} table @param {string[]} ids @returns {Promise<import("./types.js").FileTold[]>} that these rows refer to, lost ones as well */
  filesOf(table, ids) {
    return this._caller.call("filesOf", { table, ids });
  }

  /** @param {string} sha256 @param {number} [patience] milliseconds @returns {Promise<import("./types.js").ShownFile | null>} null: no such file */
  fileTold(sha256, patience) {
    return this._caller.call("fileTold", { sha256, patience });
  }

  /** @param {string} sha256 @returns {Promise<Blob>} the file's content, checked; of a picture with its type, else bytes */
  file(sha256) {
    return this._caller.call("file", { sha256 });
  }

  /** Let go of key and rows: the worker ends, and its memory with it. Whoever still waits gets an `AbortError`. */
  forget() {
    this._end();
  }
}

/** A list that was made; its items are asked for as they are shown. */
export class List {
  /**
   * @param {Caller} caller
   * @param {import("./types.js").MadeList} made
   * @param {() => Promise<number>} again
   */
  constructor(caller, { list, total, complete, left, broken }, again) {
    this._caller = caller;
    this._list = list;
    this._again = again;
    this.total = total;
    /** false: tables are still being read, and there will be more rows, perhaps in another order */
    this.complete = complete;
    /** Rows that were not searched for the list's words: the index has no room for them. */
    this.left = left;
    /** Tables that are damaged, those of other lists as well. */
    this.broken = broken;
  }

  /** @param {number} from @param {number} count @returns {Promise<Item[]>} */
  items(from, count) {
    return this._part("items", from, count);
  }

  /** @param {number} from @param {number} count @returns {Promise<{table: string, text: string}[]>} the rows' exact text */
  texts(from, count) {
    return this._part("texts", from, count);
  }

  /** Let it go. */
  release() {
    void this._caller.call("release", { list: this._list });
  }

  /** The store keeps some lists; one that it gave up is made again. @param {string} method @param {number} from @param {number} count */
  async _part(method, from, count) {
    const found = await this._caller.call(method, { list: this._list, from, count });
    if (found !== null) return found;
    this._list = await this._again();
    return this._caller.call(method, { list: this._list, from, count });
  }
}

/** @param {Caller} caller @param {Record<string, any>} outer @param {OpenOptions} options @returns {Promise<Summary>} */
async function unlock(caller, outer, { passphrase, onProgress }) {
  for (let wrong = false; ; wrong = true) {
    const given = typeof passphrase === "function" ? await passphrase(outer, wrong) : passphrase;
    if (given === undefined || given === null) {
      throw new ArchiveProblem("is sealed: a passphrase is needed", "passphrase", null, "needsPassphrase");
    }
    try {
      return await caller.call("unlock", { passphrase: given }, onProgress);
    } catch (error) {
      const again = error instanceof ArchiveProblem && error.verdict === "wrongPassphrase" && typeof passphrase === "function";
      if (!again) throw error;
    }
  }
}

/** @param {string} text @returns {Record<string, any>} */
function parsed(text) {
  try {
    return parseExact(text);
  } catch (error) {
    throw error instanceof SyntaxError ? new ParseError("not one JSON value") : error;
  }
}

/** @param {string | undefined} code @returns {Promise<{port: import("./calls.js").Port, end: () => void}>} */
async function connect(code) {
  const worker = code === undefined ? null : await startedWorker(code);
  if (worker !== null) return { port: worker, end: () => worker.terminate() };
  const { port1, port2 } = new MessageChannel();
  serve(port2);
  const end = () => {
    port1.close();
    port2.onmessage = null;
  };
  return { port: port1, end };
}

/** @param {string} code @returns {Promise<Worker | null>} null: the browser or its policy allows none */
async function startedWorker(code) {
  if (typeof Worker === "undefined") return null;
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    const worker = new Worker(trusted(address));
    // A policy that forbids it may be told by an event alone.
    return await new Promise((resolve) => {
      worker.onmessage = () => resolve(worker);
      worker.onerror = () => resolve(null);
    });
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** @type {any} */
let policy = null;

/** @param {string} address @returns {any} as browsers with trusted types ask for it */
function trusted(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (types === undefined) return address;
  policy ??= types.createPolicy("worker", { createScriptURL: (/** @type {string} */ url) => url });
  return policy.createScriptURL(address);
}
