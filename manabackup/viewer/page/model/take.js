/**
 * Rows to take along: as JSON (exactly as stored), CSV (for spreadsheets) and Markdown (to read). Secrets stay behind, counted.
 *
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./tables.js").Tables} Tables
 * @typedef {{table: string, text: string}} Stored a row's exact text
 *
 * @typedef {object} Speaker words for fields and values, in the reader's language
 * @property {(path: string) => string} field
 * @property {(fact: import("./fields.js").Fact) => string} fact
 * @property {(table: string, row: Row) => string} title
 */
import { parseExact } from "../reader/json.js";
import { readRow } from "./fields.js";
import { membersOf, without } from "./members.js";
import { plainText } from "./texts.js";
import { isObject, texts } from "./values.js";

/**
 * @param {Tables} tables
 * @param {Stored[]} rows
 * @returns {string} a JSON object: tables, each a list of rows
 */
export function toJson(tables, rows) {
  /** @type {Map<string, string[]>} */
  const byTable = new Map();
  for (const { table, text } of rows) {
    const list = byTable.get(table) ?? [];
    list.push(without(text, tables.table(table).secrets));
    byTable.set(table, list);
  }
  const parts = [...byTable].map(([table, list]) => `  ${JSON.stringify(table)}: [\n    ${list.join(",\n    ")}\n  ]`);
  return `{\n${parts.join(",\n")}\n}\n`;
}

/**
 * @param {Tables} tables
 * @param {Stored[]} rows
 * @returns {string} RFC 4180, with a byte order mark for spreadsheets; a column for each field of any row
 */
export function toCsv(tables, rows) {
  const columns = new Set(["table", "id"]);
  const read = rows.map(({ table, text }) => {
    const { secrets } = tables.table(table);
    /** @type {Map<string, string>} */
    const cells = new Map([["table", table]]);
    for (const { name, text: member } of membersOf(text)) {
      if (secrets.has(name)) continue;
      const label = name === "table" ? "table (field)" : name;
      columns.add(label);
      cells.set(label, cellOf(member.slice(JSON.stringify(name).length).replace(/^[^:]*:/, "")));
    }
    return cells;
  });
  const lines = [[...columns], ...read.map((cells) => [...columns].map((column) => cells.get(column) ?? ""))];
  return `\ufeff${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

/**
 * @param {string} json of a value
 * @returns {string} texts as they are, lists of texts joined by `; `, all else as JSON
 */
function cellOf(json) {
  const text = json.trim();
  // A number's own text: engines that tell parsers no texts of numbers would round it.
  if (/^[-\d]/.test(text)) return text;
  const value = JSON.parse(text);
  if (value === null) return "";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join("; ");
  return text;
}

/**
 * A cell that a spreadsheet would take for a formula gets an apostrophe in front, as does one that begins with an apostrophe:
 * so whoever takes one away has the text again. Numbers and telephone numbers are no formulas.
 *
 * @param {string} cell
 */
function quoted(cell) {
  const formula = /^\s*[=+\-@＝＋－＠\t\r]/.test(cell) && !/^\s*[+-]?\d[\d\s().,]*$/.test(cell);
  const safe = formula || cell.startsWith("'") ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/**
 * @param {Tables} tables
 * @param {Stored[]} rows
 * @param {Speaker} speaker
 */
export function toMarkdown(tables, rows, speaker) {
  return rows.map(({ table, text }) => rowToMarkdown(tables, table, parseExact(text), speaker)).join("\n---\n\n");
}

/**
 * @param {Tables} tables
 * @param {string} name
 * @param {Row} row
 * @param {Speaker} speaker
 */
function rowToMarkdown(tables, name, row, speaker) {
  const table = tables.table(name);
  const { texts: prose, facts } = readRow(table, row);
  const lines = [`# ${oneLine(speaker.title(name, row))}`, ""];
  for (const fact of facts)
    if (fact.kind !== "hidden") lines.push(`* ${speaker.field(fact.path)}: ${escaped(oneLine(speaker.fact(fact)))}`);
  if (facts.length > 0) lines.push("");
  for (const { format, value } of prose) {
    const parts = isObject(value) ? [documentText(value)] : texts(value);
    for (const part of parts) lines.push(format === "markdown" ? part : escapedBlock(plainText(part, format)), "");
  }
  return lines.join("\n");
}

/**
 * The text of a TipTap document, a block a paragraph.
 *
 * @param {Row} document
 */
function documentText(document) {
  /** @type {string[]} */
  const parts = [];
  /** @type {any[]} */
  const open = [document];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (typeof node?.text === "string") parts.push(node.text);
    else if (["paragraph", "heading", "listItem"].includes(node?.type)) parts.push("\n\n");
    if (Array.isArray(node?.content)) open.push(...[...node.content].reverse());
  }
  return parts.join("").trim();
}

/** @param {string} text */
function oneLine(text) {
  return text.replace(/\s*[\r\n]+\s*/g, " ").trim();
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[\\`*_[\]<>#|]/g, "\\$&");
}

/**
 * Plain text keeps its lines and does not become Markdown by chance.
 *
 * @param {string} text
 */
function escapedBlock(text) {
  return text
    .split(/\r?\n/)
    .map((line) => (line.trim() === "" ? "" : `${escaped(line).replace(/^(\s*)([-+]|\d+[.)])(?=\s)/, "$1\\$2")}  `))
    .join("\n");
}
