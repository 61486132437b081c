/**
 * The words of a row that somebody may look for: its texts, names and labels; no ids, stamps, colours, secrets.
 *
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./tables.js").Tables} Tables
 * @typedef {import("./types.js").Table} Table
 */
import { isLocked } from "./locked.js";
import { plainText } from "./texts.js";
import { at, textOf } from "./values.js";

const TECHNICAL = /(?:^id|Ids?|At|By|Token|Path|Key|Model|Date|Blob|Index|Version|hash|checksum)$/;
const TECHNICAL_NAMES = new Set([
  "color",
  "icon",
  "visibility",
  "tiptap",
  "style",
  "theme",
  "timezone",
  "recurrenceRule",
  "params",
]);

/**
 * @param {Tables} tables
 * @param {string} name
 * @param {Row} row
 * @returns {string} one piece of text a line: title, texts, what else is said, labels
 */
export function searchText(tables, name, row) {
  const { text, labels } = searchPieces(tables, name, row);
  return [text, ...labels].filter((piece) => piece !== "").join("\n");
}

/**
 * @param {Tables} tables
 * @param {string} name
 * @param {Row} row
 * @returns {{text: string, labels: string[]}} what somebody wrote, one piece a line, title first; and the labels of what was
 *   chosen, in all languages: found by anybody, and shown to nobody who did not look for them
 */
export function searchPieces(tables, name, row) {
  const table = tables.table(name);
  const title = table.title.map((path) => textOf(at(row, path)).trim()).filter((part) => part !== "" && !isLocked(part));
  const first = new Set([...table.title, ...[...table.texts.keys()].map((path) => path.split(/[.[]/)[0] ?? "")]);
  /** @type {string[]} */
  const texts = [];
  /** @type {string[]} */
  const others = [];
  /** @type {string[]} */
  const labels = [];
  for (const key of Object.keys(row)) {
    if (!isSpoken(key) || table.secrets.has(key) || table.references.has(key) || table.dates.has(key)) continue;
    const label = table.enums.get(key)?.get(textOf(row[key]));
    if (label) labels.push(label.de, label.en);
    else if (!table.title.includes(key)) gather(table, key, row[key], first.has(key) ? texts : others);
  }
  const text = [title.join(" "), ...texts, ...others].filter((piece) => piece !== "").join("\n");
  return { text, labels: [...new Set(labels)] };
}

/** @param {string} key */
function isSpoken(key) {
  return !TECHNICAL.test(key) && !TECHNICAL_NAMES.has(key) && !key.startsWith("__");
}

/**
 * Walks without recursion: a row may hold 10,000 nested lists.
 *
 * @param {Table} table
 * @param {string} path
 * @param {unknown} value
 * @param {string[]} pieces
 */
function gather(table, path, value, pieces) {
  /** @type {[string, any][]} */
  const open = [[path, value]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [place, found] = next;
    if (typeof found === "string") {
      if (found !== "" && !isLocked(found)) pieces.push(plainText(found, table.texts.get(place) ?? "plain"));
    } else if (Array.isArray(found)) {
      for (let index = found.length - 1; index >= 0; index -= 1) open.push([place, found[index]]);
    } else if (typeof found === "object" && found !== null) {
      for (const key of Object.keys(found).reverse()) if (isSpoken(key)) open.push([`${place}.${key}`, found[key]]);
    } else if (typeof found === "number" && isAmount(table, place)) {
      pieces.push(String(found));
    }
  }
}

/**
 * Of numbers people look for amounts and years; counts and settings would be hits that nobody understands.
 *
 * @param {Table} table
 * @param {string} path
 */
function isAmount(table, path) {
  return path === "year" || table.money.some(({ field }) => field === path);
}
