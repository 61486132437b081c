/**
 * `timeBlocks`: every span of time in Mana. How a block's two stamps are meant depends on who wrote them (modules.md 3).
 *
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Moment} Moment
 *
 * @typedef {object} Span
 * @property {Moment} start
 * @property {Moment | null} end of an all-day span the last day, inclusive; null: a point in time
 * @property {boolean} allDay
 */
import { asDay, asLocal, dayOf, moment } from "./moments.js";
import { textOf } from "./values.js";

/** The table whose row a block's `sourceId` names. */
const OWNERS = new Map([
  ["calendar", "events"],
  ["events", "socialEvents"],
  ["todo", "tasks"],
  ["body", "bodyWorkouts"],
  ["plants", "wateringLogs"],
  ["dreams", "dreams"],
  ["skilltree", "activities"],
  ["period", "periods"],
  ["guides", "runs"],
  ["cards", "cardDecks"],
  ["presi", "presiDecks"],
  ["moodlit", "moods"],
  ["places", "places"],
  ["music", "songs"],
]);

/**
 * @param {Row} block
 * @param {string} [zone] of the calendar; undefined: the reader's
 * @returns {Span | null} null where it has no start that can be read
 */
export function spanOf(block, zone) {
  const module = textOf(block.sourceModule);
  if (module === "period") return daySpan(asDay(block.startDate), asDay(block.endDate));
  const read = module === "dreams" ? asLocal : moment;
  const start = read(block.startDate);
  const end = read(block.endDate);
  if (!start || start.kind === "time") return null;
  if (block.allDay === true) return daySpan(asDayOf(start, zone), asDayOf(end, zone));
  return { start, end: end?.kind === "time" ? null : end, allDay: start.kind === "day" };
}

/**
 * @param {Moment | null} start
 * @param {Moment | null} end
 * @returns {Span | null}
 */
function daySpan(start, end) {
  if (!start) return null;
  return { start, end: end && end.text > start.text ? end : start, allDay: true };
}

/**
 * @param {Moment | null} value
 * @param {string} [zone]
 * @returns {Moment | null}
 */
function asDayOf(value, zone) {
  const day = dayOf(value, zone);
  return day === null ? null : { kind: "day", text: day };
}

/**
 * @param {Row} block
 * @returns {{table: string, id: string} | null} the row whose time this is
 */
export function ownerOf(block) {
  const id = textOf(block.sourceId);
  const module = textOf(block.sourceModule);
  if (id === "") return null;
  if (module === "habits")
    return { table: isSeries(block) || textOf(block.kind) === "scheduled" ? "habits" : "habitLogs", id };
  if (module === "times")
    return id.startsWith("focus-") || id.startsWith("break-") ? null : { table: "timeEntries", id };
  const table = OWNERS.get(module);
  return table ? { table, id } : null;
}

/** @param {Row} block */
export function isSeries(block) {
  return textOf(block.recurrenceRule) !== "" && textOf(block.parentBlockId) === "";
}
