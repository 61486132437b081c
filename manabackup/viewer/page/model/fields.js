/**
 * A row as a person reads it: its texts, its facts each with what it means, and what is of use to machines alone.
 *
 * @typedef {import("./types.js").Label} Label
 * @typedef {import("./types.js").Moment} Moment
 * @typedef {import("./types.js").Money} Money
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./types.js").TextFormat} TextFormat
 *
 * @typedef {object} Text
 * @property {string} path
 * @property {TextFormat} format
 * @property {any} value a text; a list of texts; of `tiptap` the document
 *
 * @typedef {{path: string} & Meaning} Fact
 *
 * @typedef {{kind: "label", labels: Label[]}
 *   | {kind: "moment", moment: Moment, original: string}
 *   | {kind: "money", money: Money}
 *   | {kind: "number", text: string, unit: string}
 *   | {kind: "yes"} | {kind: "no"}
 *   | {kind: "names", names: string[]}
 *   | {kind: "words", text: string}
 *   | {kind: "web" | "mail" | "phone", text: string}
 *   | {kind: "place", latitude: number, longitude: number}
 *   | {kind: "weekdays", days: number[]}
 *   | {kind: "steps", steps: {text: string, done: boolean | null}[]}
 *   | {kind: "lines", lines: Fact[][]}
 *   | {kind: "color", text: string}
 *   | {kind: "duration", text: string, unit: "minutes" | "seconds" | "unknown"}
 *   | {kind: "hidden"} | {kind: "locked"}} Meaning
 *
 * @typedef {object} Reading
 * @property {Text[]} texts in the order in which they are read
 * @property {Fact[]} facts
 * @property {string[]} others keys that stand only in the raw row
 */
import { LOCKED, isLocked } from "./locked.js";
import { moment } from "./moments.js";
import { isHours, moneyOf } from "./money.js";
import { at, isEmpty, isObject, isUuid, own, textOf, texts } from "./values.js";
import { asLocal } from "./moments.js";
import { dueOf } from "./describe.js";

/** Flags stand beside the title, and the colour in front of it. */
const FLAGS = [
  "isArchived",
  "isPinned",
  "pinned",
  "isFavorite",
  "favorite",
  "isCompleted",
  "isDeleted",
  "isPreset",
  "color",
  "deletedAt",
];

/** Of use to machines, or shown elsewhere on the screen. */
const TECHNICAL = new Set([
  "id",
  "spaceId",
  "authorId",
  "userId",
  "visibilityChangedBy",
  "unlistedExpiresAt",
  "order",
  "sortOrder",
  ...FLAGS,
  "transcriptModel",
]);
const URLS = new Set(["website", "url", "originalUrl", "locationUrl", "linkedin", "twitter", "instagram", "github"]);
const PHONES = new Set(["phone", "mobile"]);

/**
 * @param {Table} table
 * @param {Row} row
 * @returns {Reading}
 */
export function readRow(table, row) {
  const found = textsOf(table, row);
  const keys = [...table.fields].filter((key) => Object.hasOwn(row, key));
  const unknown = Object.keys(row).filter((key) => !table.fields.has(key));
  /** @type {Fact[]} */
  const facts = placeOf(table, row);
  /** @type {string[]} */
  const others = [];
  for (const key of [...keys, ...unknown]) {
    if (isEmpty(row[key]) || isShown(table, key) || row[key] === false) continue;
    if (TECHNICAL.has(key) || key.startsWith("__") || isLink(table, key) || isIds(key, row[key])) others.push(key);
    else facts.push(...factsOf(table, key, row));
  }
  return { texts: found, facts, others };
}

/**
 * Title, texts and place stand elsewhere on the screen.
 *
 * @param {Table} table
 * @param {string} path
 */
function isShown(table, path) {
  if (table.texts.has(path) || table.texts.has(`${path}[]`) || table.geo.includes(path)) return true;
  return table.title.includes(path) && !table.enums.has(path);
}

/**
 * @param {Table} table
 * @param {string} key
 */
function isLink(table, key) {
  return table.references.has(key) || table.references.has(`${key}[]`) || table.tagIds.includes(`${key}[]`);
}

/**
 * Ids of rows and files tell a person nothing.
 *
 * @param {string} key
 * @param {unknown} value
 */
function isIds(key, value) {
  return /Ids?$/.test(key) && (Array.isArray(value) ? value : [value]).every((each) => isUuid(each));
}

/**
 * Of a newsletter's three texts, and of an article's two, one is shown: the others say the same again.
 *
 * @param {Table} table
 * @param {Row} row
 * @returns {Text[]}
 */
function textsOf(table, row) {
  const document = at(row, "content.tiptap.content");
  const rich = table.texts.has("content.tiptap") && Array.isArray(document) && document.length > 0;
  const html = !isEmpty(at(row, "content.html"));
  /** @type {Text[]} */
  const found = [];
  for (const [path, format] of table.texts) {
    const value = at(row, path);
    if (isEmpty(value) || (format === "tiptap") !== (rich && path.startsWith("content."))) continue;
    if (path === "content.plainText" && html) continue;
    if (path === "content" && !isEmpty(row.htmlContent)) continue;
    if (path === "body" && !isEmpty(row.htmlBody)) continue;
    if (table.title.includes(path) && !textOf(value).includes("\n")) continue;
    found.push({ path, format: isUsersOwn(path, row) ? "plain" : format, value });
  }
  return found;
}

/**
 * In chats models write Markdown, and people text.
 *
 * @param {string} path
 * @param {Row} row
 */
function isUsersOwn(path, row) {
  return (path === "messageText" && row.sender === "user") || (path === "content" && row.role === "user");
}

/**
 * @param {Table} table
 * @param {Row} row
 * @returns {Fact[]}
 */
function placeOf(table, row) {
  const [latitude, longitude] = table.geo.slice(0, 2).map((path) => Number(textOf(at(row, path)) || NaN));
  if (latitude === undefined || longitude === undefined || !(Math.abs(latitude) <= 90) || !(Math.abs(longitude) <= 180))
    return [];
  return latitude === 0 && longitude === 0 ? [] : [{ path: "place", kind: "place", latitude, longitude }];
}

/**
 * Objects whose members have meanings of their own give a fact each.
 *
 * @param {Table} table
 * @param {string} key
 * @param {Row} row
 * @returns {Fact[]}
 */
function factsOf(table, key, row) {
  if (table.secrets.has(key)) return [{ path: key, kind: "hidden" }];
  const value = row[key];
  if (isObject(value) && !isUnfolded(table, key)) {
    return Object.keys(value)
      .filter(
        (name) =>
          !isEmpty(value[name]) && !isShown(table, `${key}.${name}`) && !table.tagIds.includes(`${key}.${name}[]`),
      )
      .map((name) => ({ path: `${key}.${name}`, ...meaning(table, `${key}.${name}`, value[name], row) }));
  }
  return [{ path: key, ...meaning(table, key, value, row) }];
}

/**
 * @param {Table} table
 * @param {string} key
 */
function isUnfolded(table, key) {
  return table.enums.has(key) || table.money.some((field) => field.field === key);
}

/**
 * @param {Table} table
 * @param {string} path
 * @param {any} value
 * @param {Row} row
 * @returns {Meaning}
 */
function meaning(table, path, value, row) {
  if (isLocked(value)) return { kind: "locked" };
  const labels = table.enums.get(path);
  if (labels) return { kind: "label", labels: texts(value).map((text) => labels.get(text) ?? { de: text, en: text }) };
  const field = table.money.find((candidate) => candidate.field === path) ?? taxOf(table, path);
  const sum = field ? moneyOf(table, field, row, value) : null;
  if (sum) return { kind: "money", money: sum };
  if (typeof value === "boolean") return { kind: value ? "yes" : "no" };
  return (
    timeMeaning(table, path, value) ??
    unitMeaning(table, path, value, row) ??
    listMeaning(table, path, value, row) ??
    wordMeaning(path, value)
  );
}

/**
 * @param {Table} table
 * @param {string} path
 * @param {any} value
 * @returns {Meaning | null}
 */
function timeMeaning(table, path, value) {
  const kind = table.dates.get(path);
  const looksLike = typeof value === "string" && /(?:At|Date|date|birthday|deadline|Expiry)$/.test(path);
  if (!kind && !looksLike) return null;
  const found =
    table.name === "tasks" && path === "dueDate"
      ? dueOf(value)
      : kind === "datetime-local"
        ? asLocal(value)
        : moment(value);
  return found ? { kind: "moment", moment: found, original: textOf(value) } : null;
}

/**
 * @param {Table} table
 * @param {string} path
 * @param {any} value
 * @param {Row} row
 * @returns {Meaning | null}
 */
function unitMeaning(table, path, value, row) {
  const unit = path === VAT_RATE ? "percent" : (table.units.get(path) ?? "");
  if (unit.startsWith("0=Sunday") && Array.isArray(value))
    return { kind: "weekdays", days: value.map(Number).filter((day) => day >= 0 && day <= 6) };
  if (path === "routine.workDays" && Array.isArray(value))
    return { kind: "weekdays", days: value.map((day) => Number(day) % 7) };
  const text = textOf(value);
  if (text === "" || typeof value === "string") return null;
  if (path === "estimatedDuration" && table.name === "tasks")
    return { kind: "duration", text, unit: Number(text) <= 480 ? "minutes" : "seconds" };
  if (unit === "minutes") return { kind: "duration", text, unit: "minutes" };
  if (unit.startsWith("seconds")) return { kind: "duration", text, unit: "seconds" };
  if (table.money.some((field) => field.field === path && isHours(field, row)))
    return { kind: "number", text, unit: "hours" };
  return { kind: "number", text, unit };
}

/** Of an invoice's taxes, as its lines' own. */
const VAT_RATE = "totals.vatBreakdown[].rate";

/**
 * What an invoice's taxes are made of is in hundredths like its sums.
 *
 * @param {Table} table
 * @param {string} path
 */
function taxOf(table, path) {
  const taxes = path === "totals.vatBreakdown[].base" || path === "totals.vatBreakdown[].tax";
  return taxes ? table.money.find((field) => field.field === "totals.vat") : undefined;
}

/**
 * @param {Table} table
 * @param {string} path
 * @param {any} value
 * @param {Row} row
 * @returns {Meaning | null}
 */
function listMeaning(table, path, value, row) {
  if (isObject(value)) return { kind: "lines", lines: [lineOf(table, path, value, row)] };
  if (!Array.isArray(value)) return null;
  if (value.every((item) => typeof item !== "object" || item === null)) return { kind: "names", names: namesOf(value) };
  const objects = value.filter(isObject);
  if (objects.length < value.length) return { kind: "words", text: "…" };
  if (path === "subtasks") return { kind: "steps", steps: stepsOf(objects) };
  return { kind: "lines", lines: objects.map((item) => lineOf(table, `${path}[]`, item, row)) };
}

/**
 * A small object in a row. What is nested deeper stands in the raw row.
 *
 * @param {Table} table
 * @param {string} path
 * @param {Row} item
 * @param {Row} row
 * @returns {Fact[]}
 */
function lineOf(table, path, item, row) {
  return Object.keys(item)
    .filter((name) => name !== "id" && name !== "order" && !isEmpty(item[name]))
    .map((name) => {
      const value = item[name];
      const nested =
        typeof value === "object" &&
        (isObject(value) || value.some((/** @type {any} */ part) => typeof part === "object"));
      return {
        path: name,
        ...(nested
          ? { kind: /** @type {const} */ ("words"), text: "…" }
          : meaning(table, `${path}.${name}`, value, row)),
      };
    });
}

/**
 * @param {any[]} value
 * @returns {string[]} each once
 */
function namesOf(value) {
  return [...new Set(texts(value).map((name) => (isLocked(name) ? LOCKED : name)))];
}

/** @param {Row[]} items */
function stepsOf(items) {
  const order = (/** @type {Row} */ item) => Number(textOf(item.order)) || 0;
  return [...items]
    .sort((a, b) => order(a) - order(b))
    .map((item) => ({ text: textOf(item.title), done: own(item, "isCompleted") === true }));
}

/**
 * @param {string} path
 * @param {any} value
 * @returns {Meaning}
 */
function wordMeaning(path, value) {
  const text = textOf(value);
  if (URLS.has(path)) return { kind: "web", text };
  if (path === "email" || path.endsWith("Email")) return { kind: "mail", text };
  if (PHONES.has(path)) return { kind: "phone", text };
  if (/^#[0-9a-f]{6}$/i.test(text)) return { kind: "color", text };
  return typeof value === "number" ? { kind: "number", text, unit: "" } : { kind: "words", text };
}
