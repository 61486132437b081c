/**
 * What lists show of a row: title, first line, date, tags, flags, links (modules.md 2). Never throws, whatever a row holds.
 *
 * @typedef {import("../store/types.js").Description} Description
 * @typedef {import("../store/types.js").Link} Link
 * @typedef {import("./types.js").Moment} Moment
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./tables.js").Tables} Tables
 */
import { isSeries, spanOf } from "./blocks.js";
import { linksOf } from "./links.js";
import { LOCKED, isLocked, readable } from "./locked.js";
import { money } from "./money.js";
import { dayText, moment, wallClock } from "./moments.js";
import { clip, firstLine } from "./texts.js";
import { at, own, textOf, texts } from "./values.js";

const ENDS = ["endDate", "endedAt", "finishedAt", "periodEndDate"];
const GUESSED_DATES = ["date", "startDate", "createdAt"];

/**
 * @param {Tables} tables
 * @param {string} name of the table
 * @param {Row} row
 * @returns {Description}
 */
export function describe(tables, name, row) {
  const table = tables.table(name);
  const title = titleOf(table, row);
  const time = timeOf(table, row);
  return {
    title: title.text,
    line: lineOf(table, row, title.text),
    date: time.date,
    dateEnd: time.dateEnd,
    dateVia: time.via,
    repeats: name === "timeBlocks" && isSeries(row),
    tags: [...new Set(table.tagNames.flatMap((path) => readable(at(row, path))))],
    tagIds: [...new Set(table.tagIds.flatMap((path) => texts(at(row, path))))],
    archived: isArchived(table, row),
    deleted: textOf(row.deletedAt) !== "",
    done: isDone(table, row),
    spaceId: textOf(own(row, "spaceId")) || null,
    links: linksOf(tables, table, row),
    flags: flagsOf(table, row),
    extra: extraOf(table, row, title.path),
  };
}

/**
 * @param {Table} table
 * @param {Row} row
 * @returns {{text: string, path: string}} never empty: at last what else tells the row apart
 */
function titleOf(table, row) {
  if (table.name === "manaLinks") {
    const ends = [textOf(at(row, "cachedSource.title")), textOf(at(row, "cachedTarget.title"))];
    if (ends.every((end) => end !== "" && !isLocked(end))) return { text: clip(oneLine(ends.join(" → ")), 300), path: "" };
  }
  if (table.title.some((path) => isLocked(at(row, path)))) return { text: LOCKED, path: "" };
  const parts = table.title.map((path) => textOf(at(row, path)).trim());
  const joined = parts.filter((part) => part !== "").join(" ");
  if (joined !== "")
    return { text: clip(oneLine(joined), 300), path: table.title.length === 1 ? (table.title[0] ?? "") : "" };
  for (const path of otherTitles(table)) {
    if (texts(at(row, path)).some(isLocked)) return { text: LOCKED, path: "" };
    const text = firstLine(texts(at(row, path))[0] ?? "", table.texts.get(path) ?? "plain");
    if (text !== "") return { text, path };
  }
  return { text: textOf(row.id) || "–", path: "id" };
}

/** @param {Table} table */
function otherTitles(table) {
  const paths = [...table.titleElse, ...table.texts.keys(), ...table.enums.keys(), ...table.dates.keys()];
  return paths.filter((path) => path !== "visibility" && path !== "content.tiptap");
}

/**
 * @param {Table} table
 * @param {Row} row
 * @param {string} title
 */
function lineOf(table, row, title) {
  const paths = table.known ? table.texts.keys() : ["content", "text", "description", "notes"];
  for (const path of paths) {
    const line = firstLine(readable(at(row, path)).join("\n"), table.texts.get(path) ?? "plain", title);
    if (line !== "") return line;
  }
  return "";
}

/** @param {string} text */
function oneLine(text) {
  return text.replace(/\s*[\r\n\u2028\u2029]+\s*/g, " ");
}

/**
 * @param {Table} table
 * @param {Row} row
 * @returns {{date: string | null, dateEnd: string | null, via: string | null}}
 */
function timeOf(table, row) {
  if (table.name === "timeBlocks") {
    const span = spanOf(row);
    return { date: span ? clockText(span.start) : null, dateEnd: span?.end ? clockText(span.end) : null, via: null };
  }
  if (table.date?.includes(">")) {
    return { date: null, dateEnd: null, via: textOf(row[table.date.slice(0, table.date.indexOf(">"))]) || null };
  }
  const date = dateOf(table, row);
  const end = ENDS.find((path) => table.dates.has(path) && path !== table.date && textOf(row[path]) !== "");
  return { date: date ? clockText(date) : null, dateEnd: end && date ? clockText(moment(row[end])) : null, via: null };
}

/**
 * @param {Table} table
 * @param {Row} row
 * @returns {Moment | null}
 */
function dateOf(table, row) {
  const paths = table.known ? [table.date ?? "createdAt"] : GUESSED_DATES;
  for (const path of paths) {
    const value = at(row, path);
    const found = table.name === "tasks" ? dueOf(value) : moment(value);
    if (found && found.kind !== "time") return found;
  }
  return null;
}

/**
 * `dueDate` of tasks: forms write a day as midnight UTC; what the quick box writes as local midnight is a day as well.
 *
 * @param {unknown} value
 * @returns {Moment | null}
 */
export function dueOf(value) {
  const found = moment(value);
  if (found?.kind !== "instant") return found;
  if (/T00:00:00(?:\.0+)?Z$/i.test(found.text)) return { kind: "day", text: found.text.slice(0, 10) };
  const wall = wallClock(found.ms ?? 0);
  return wall.hour === 0 && wall.minute === 0 ? { kind: "day", text: dayText(wall) } : found;
}

/**
 * @param {Moment | null} value
 * @returns {string | null} what the reader's clock shows: `YYYY-MM-DD`, `YYYY-MM-DDTHH:mm` or `YYYY-MM`
 */
export function clockText(value) {
  if (!value || value.kind === "time") return null;
  if (value.kind === "local") return value.text.slice(0, 16);
  if (value.kind !== "instant") return value.text;
  const wall = wallClock(value.ms ?? 0);
  return `${dayText(wall)}T${String(wall.hour).padStart(2, "0")}:${String(wall.minute).padStart(2, "0")}`;
}

/**
 * @param {Table} table
 * @param {Row} row
 */
function isArchived(table, row) {
  if (row.isArchived === true) return true;
  if (table.name === "articles" || table.name === "questions") return row.status === "archived";
  return (table.name === "plants" || table.name === "links") && row.isActive === false;
}

/**
 * @param {Table} table
 * @param {Row} row
 */
function isDone(table, row) {
  if (table.name === "tasks") return row.isCompleted === true;
  return table.name === "eventItems" ? row.done === true : null;
}

/**
 * @param {Table} table
 * @param {Row} row
 */
function flagsOf(table, row) {
  const flags = [];
  if (row.isFavorite === true || row.favorite === true) flags.push("favorite");
  if (row.isPinned === true || row.pinned === true) flags.push("pinned");
  if (table.bin !== null && row[table.bin] === true) flags.push("bin");
  if (row.isPreset === true) flags.push("preset");
  return flags;
}

/**
 * Small things that a list shows beside the title.
 *
 * @param {Table} table
 * @param {Row} row
 * @param {string} titlePath
 */
function extraOf(table, row, titlePath) {
  /** @type {Record<string, any>} */
  const extra = {};
  const field = table.money.find((candidate) => !candidate.field.includes("[]") && !candidate.field.endsWith("vat"));
  const main = table.name === "invoices" ? table.money.find((candidate) => candidate.field === "totals.gross") : field;
  const sum = main ? money(table, main, row) : null;
  if (sum) extra.money = sum;
  if (table.enums.has(titlePath)) extra.titleEnum = titlePath;
  for (const path of ["status", "mood", "priority", "sender", "role", "kind"]) {
    if (table.enums.has(path) && textOf(row[path]) !== "") extra[path] = textOf(row[path]);
  }
  const color = textOf(row.color);
  if (/^#[0-9a-f]{6}$/i.test(color)) extra.color = color;
  return extra;
}
