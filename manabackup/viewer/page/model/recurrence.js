/**
 * The rules that Mana writes (modules.md 3), a part of RFC 5545: `FREQ`, `INTERVAL`, weekly `BYDAY`, `COUNT`, `UNTIL`.
 * A rule with anything else is not guessed at.
 *
 * @typedef {object} Rule
 * @property {"DAILY" | "WEEKLY" | "MONTHLY" | "YEARLY"} freq
 * @property {number} interval
 * @property {number[]} weekdays 0 = Monday, ascending; empty: that of the start
 * @property {number} count of occurrences; Infinity where none is said
 * @property {string} until the last day, `YYYY-MM-DD`; "9999-12-31" where none is said
 */
import { addDays, dayNumber, isDay } from "./moments.js";

const WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQUENCIES = ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
const END_OF_TIME = "9999-12-31";

/**
 * @param {string} text with or without `RRULE:` in front
 * @returns {Rule | null} null where it is no rule that this reads
 */
export function parseRule(text) {
  /** @type {Map<string, string>} */
  const parts = new Map();
  for (const part of text
    .trim()
    .replace(/^RRULE:/i, "")
    .split(";")) {
    const [name = "", value = ""] = part.split("=");
    if (part !== "") parts.set(name.toUpperCase(), value.toUpperCase());
  }
  const freq = parts.get("FREQ") ?? "";
  const weekdays = (parts.get("BYDAY") ?? "").split(",").filter((day) => day !== "");
  const known = ["FREQ", "INTERVAL", "BYDAY", "COUNT", "UNTIL", "WKST"];
  if (!FREQUENCIES.includes(freq) || [...parts.keys()].some((name) => !known.includes(name))) return null;
  if (weekdays.length > 0 && (freq !== "WEEKLY" || weekdays.some((day) => !WEEKDAYS.includes(day)))) return null;
  const interval = parts.has("INTERVAL") ? Number(parts.get("INTERVAL")) : 1;
  const count = parts.has("COUNT") ? Number(parts.get("COUNT")) : Infinity;
  const until = parts.has("UNTIL") ? untilDay(parts.get("UNTIL") ?? "") : END_OF_TIME;
  if (!(Number.isInteger(interval) && interval > 0) || !(count > 0) || until === null) return null;
  return {
    freq: /** @type {Rule["freq"]} */ (freq),
    interval,
    weekdays: weekdays.map((day) => WEEKDAYS.indexOf(day)).sort((a, b) => a - b),
    count,
    until,
  };
}

/** @param {string} text `YYYYMMDD`, with or without a time */
function untilDay(text) {
  const day = `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}`;
  return isDay(day) ? day : null;
}

/**
 * The days of a series that fall into a span, both ends inclusive. The clock time of an occurrence is the first one's.
 *
 * @param {Rule} rule
 * @param {string} start the first day, `YYYY-MM-DD`
 * @param {string} from
 * @param {string} to
 * @returns {string[]} ascending
 */
export function daysOfSeries(rule, start, from, to) {
  /** @type {string[]} */
  const days = [];
  const last = rule.until < to ? rule.until : to;
  let seen = 0;
  for (const day of candidates(rule, start, rule.count === Infinity ? from : start, last)) {
    seen += 1;
    if (seen > rule.count) break;
    if (day >= from) days.push(day);
  }
  return days;
}

/**
 * @param {Rule} rule
 * @param {string} start
 * @param {string} from days before it may be left out
 * @param {string} last
 * @returns {Generator<string>}
 */
function candidates(rule, start, from, last) {
  if (rule.freq === "DAILY") return everyFewDays(start, rule.interval, from, last);
  if (rule.freq === "WEEKLY") return weekly(rule, start, from, last);
  return byMonth(start, rule.freq === "MONTHLY" ? rule.interval : rule.interval * 12, last);
}

/**
 * @param {string} start
 * @param {number} step in days
 * @param {string} from
 * @param {string} last
 */
function* everyFewDays(start, step, from, last) {
  const skipped = Math.max(0, Math.floor((dayNumber(from) - dayNumber(start)) / step));
  for (let day = addDays(start, skipped * step); day <= last; day = addDays(day, step)) yield day;
}

/**
 * @param {Rule} rule
 * @param {string} start
 * @param {string} from
 * @param {string} last
 */
function* weekly(rule, start, from, last) {
  const weekdays = rule.weekdays.length > 0 ? rule.weekdays : [weekdayOf(start)];
  const monday = addDays(start, -weekdayOf(start));
  for (const week of everyFewDays(monday, 7 * rule.interval, addDays(from, -6), last)) {
    for (const weekday of weekdays) {
      const day = addDays(week, weekday);
      if (day >= start && day <= last) yield day;
    }
  }
}

/**
 * A month without such a day (31 April, 29 February) has no occurrence.
 *
 * @param {string} start
 * @param {number} step in months
 * @param {string} last
 */
function* byMonth(start, step, last) {
  const [year = 1970, month = 1] = start.split("-").map(Number);
  for (let index = month - 1; ; index += step) {
    const name = `${String(year + Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`;
    if (`${name}-01` > last) return;
    const day = `${name}-${start.slice(8)}`;
    if (isDay(day) && day <= last) yield day;
  }
}

/**
 * @param {string} day
 * @returns {number} 0 = Monday
 */
export function weekdayOf(day) {
  return (((dayNumber(day) + 3) % 7) + 7) % 7;
}
