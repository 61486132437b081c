/**
 * Links from a row to others: foreign keys, ids in lists, `manaLinks`, and the few pairs in JSON (modules.md 1.5).
 *
 * @typedef {import("../store/types.js").Link} Link
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./tables.js").Tables} Tables
 */
import { ownerOf } from "./blocks.js";
import { at, isObject, textOf, texts } from "./values.js";

/** Tags are shown as such, and are no links but in the tables that tie them to things. */
const TAGS = new Set(["globalTags", "uloadTags"]);

/** What `writingDrafts.references[].kind` names. */
const KINDS = new Map([
  ["article", "articles"],
  ["note", "notes"],
  ["library", "libraryEntries"],
  ["kontext", "kontextDoc"],
  ["goal", "goals"],
  ["image", "images"],
]);

/**
 * @param {Tables} tables
 * @param {Table} table
 * @param {Row} row
 * @returns {Link[]}
 */
export function linksOf(tables, table, row) {
  /** @type {Link[]} */
  const links = [];
  for (const [path, target] of table.references) {
    if (TAGS.has(target) && table.junction === null) continue;
    const field = path.replace(/\[\]$/, "");
    for (const id of texts(at(row, field))) links.push({ field, table: target, id });
  }
  const { junction } = table;
  if (junction?.oldTag && textOf(row[junction.tag]) === "" && textOf(row[junction.oldTag]) !== "") {
    links.push({ field: junction.tag, table: junction.tagTable, id: textOf(row[junction.oldTag]) });
  }
  links.push(...unusual(tables, table.name, row));
  return links;
}

/**
 * @param {Tables} tables
 * @param {string} name
 * @param {Row} row
 * @returns {Link[]}
 */
function unusual(tables, name, row) {
  if (name === "timeBlocks") {
    const owner = ownerOf(row);
    return owner ? [{ field: "sourceId", ...owner }] : [];
  }
  if (name === "manaLinks") return pairOf(tables, row);
  if (name === "lasts")
    return linkTo(tables, "inferredFrom", at(row, "inferredFrom.refTable"), at(row, "inferredFrom.refId"));
  if (name === "lastsCooldown") return linkTo(tables, "refId", row.refTable, row.refId);
  if (name === "aiMissions") return inputsOf(tables, row);
  return name === "writingDrafts" ? sourcesOf(row) : [];
}

/**
 * Two rows stand for one link; the one that points forward tells it.
 *
 * @param {Tables} tables
 * @param {Row} row
 * @returns {Link[]}
 */
function pairOf(tables, row) {
  if (row.direction === "reverse") return [];
  /** @type {Link[]} */
  const links = [];
  for (const side of ["source", "target"]) {
    const id = textOf(row[`${side}Id`]);
    const table = tables.table(textOf(row[`${side}Collection`]));
    if (id !== "")
      links.push({ field: `${side}Id`, table: table.app === textOf(row[`${side}App`]) ? table.name : null, id });
  }
  return links;
}

/**
 * @param {Tables} tables
 * @param {string} field
 * @param {unknown} table
 * @param {unknown} id
 * @returns {Link[]}
 */
function linkTo(tables, field, table, id) {
  const name = textOf(table);
  return textOf(id) === "" ? [] : [{ field, table: tables.table(name).known ? name : null, id: textOf(id) }];
}

/**
 * @param {Tables} tables
 * @param {Row} row
 */
function inputsOf(tables, row) {
  const inputs = Array.isArray(row.inputs) ? row.inputs.filter(isObject) : [];
  return inputs.flatMap((input) => linkTo(tables, "inputs", input.table, input.id));
}

/**
 * @param {Row} row
 * @returns {Link[]}
 */
function sourcesOf(row) {
  const sources = Array.isArray(row.references) ? row.references.filter(isObject) : [];
  return sources.flatMap((source) => {
    const id = textOf(source.targetId);
    return id === "" ? [] : [{ field: "references", table: KINDS.get(textOf(source.kind)) ?? null, id }];
  });
}
