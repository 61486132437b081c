/**
 * What can be wrong with an archive, in words that are stable.
 *
 * Source: `formats/mana-v2.md`, "Problems". Messages name entry and line, never content.
 */

/**
 * What a person has to be told, as the reader's order of checks tells it apart:
 *
 * - `needsPassphrase`: sealed, and whole as far as can be told without the passphrase
 * - `wrongPassphrase`: whole, and the passphrase does not open it
 * - `damaged`: bytes are missing or altered; another copy may be whole
 * - `tampered`: it opens, and its parts contradict each other: somebody edited it
 * - `weakSeal`: the seal is so weak that it is opened only by force
 * - `newer`: a format that this page does not know yet
 * - `older`: format version 1, which holds events in place of rows
 * - `limit`: larger or deeper than this page takes
 * - `notAnArchive`: some other file
 * - `unreadable`: the browser cannot read the file (any more), or lacks what it takes
 * @typedef {'needsPassphrase' | 'wrongPassphrase' | 'damaged' | 'tampered' | 'weakSeal' | 'newer' | 'older' | 'limit'
 *   | 'notAnArchive' | 'unreadable'} Verdict
 */

/**
 * A problem as plain data, as it crosses from the worker to the page.
 * @typedef {object} ProblemData
 * @property {Verdict} verdict what a person has to be told
 * @property {string} code stable word of the format's document, or `passphrase`
 * @property {string | null} where entry and line, e.g. `data/notes.jsonl:3`
 * @property {string} message in plain English, for experts and logs
 */

/** @type {Readonly<Record<string, Verdict>>} */
const VERDICTS = Object.freeze({
  tampered: "tampered",
  plaintextSha256: "damaged",
  formatVersion: "newer",
  schemaVersion: "newer",
  limit: "limit",
  notAnArchive: "notAnArchive",
  unreadable: "unreadable",
  older: "older",
  weakKdf: "weakSeal",
});

/** An archive that cannot be opened, or not trusted. */
export class ArchiveProblem extends Error {
  /**
   * @param {string} message what is wrong, in plain English
   * @param {string} code a word of the format's document
   * @param {string | null} [where] entry, or entry and line
   * @param {Verdict} [verdict] where the code alone does not tell
   */
  constructor(message, code, where = null, verdict = VERDICTS[code] ?? "damaged") {
    super(where === null ? message : `${where}: ${message}`);
    this.name = "ArchiveProblem";
    this.problem = message;
    this.code = code;
    this.where = where;
    this.verdict = verdict;
  }

  /** @returns {ProblemData} what crosses to another thread */
  toData() {
    return { verdict: this.verdict, code: this.code, where: this.where, message: this.problem };
  }

  /** @param {ProblemData} data @returns {ArchiveProblem} */
  static fromData(data) {
    return new ArchiveProblem(data.message, data.code, data.where, data.verdict);
  }
}
