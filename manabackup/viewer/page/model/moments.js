/**
 * Times as rows hold them (modules.md 1.6): a day, an instant with Z, a clock without a zone, a clock alone, a month.
 * Nothing is made more exact than it was written. `zone` is an IANA name, or undefined for the reader's own.
 *
 * @typedef {import('./types.js').Moment} Moment
 *
 * @typedef {object} Wall What a clock on a wall and a calendar beside it show.
 * @property {number} year
 * @property {number} month 1 to 12
 * @property {number} day
 * @property {number} hour
 * @property {number} minute
 * @property {number} second
 */

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)(:[0-5]\d)?$/;
const STAMP = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::(\d{2})(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/i;

export const HOUR = 3_600_000;
export const DAY_MS = 86_400_000;

/**
 * @param {unknown} value
 * @returns {Moment | null} null where it is none
 */
export function moment(value) {
  if (typeof value === "number") return Number.isFinite(value) && Math.abs(value) <= 8.64e15 ? instant(value) : null;
  if (typeof value !== "string") return null;
  const text = value.trim();
  if (DAY.test(text)) return isDay(text) ? { kind: "day", text } : null;
  if (MONTH.test(text)) return { kind: "month", text };
  if (TIME.test(text)) return { kind: "time", text: text.slice(0, 5) };
  const stamp = STAMP.exec(text);
  if (!stamp || !isDay(stamp[1] ?? "")) return null;
  const [, day, clock, seconds = "00", zone] = stamp;
  if (!zone)
    return Number.isNaN(Date.parse(`${day}T${clock}:${seconds}Z`))
      ? null
      : { kind: "local", text: `${day}T${clock}:${seconds}` };
  const ms = Date.parse(text.replace(" ", "T"));
  return Number.isNaN(ms) ? null : { kind: "instant", text, ms };
}

/**
 * @param {number} ms
 * @returns {Moment}
 */
export function instant(ms) {
  return { kind: "instant", text: new Date(ms).toISOString(), ms };
}

/**
 * The digits of a stamp as a clock on the wall, whatever zone it names: dreams write local clocks with a false Z.
 *
 * @param {unknown} value
 * @returns {Moment | null}
 */
export function asLocal(value) {
  const found = moment(typeof value === "string" ? value.trim().replace(/(Z|[+-]\d{2}:?\d{2})$/i, "") : value);
  return found?.kind === "local" || found?.kind === "day" ? found : null;
}

/**
 * The day that a stamp's digits name, without conversion.
 *
 * @param {unknown} value
 * @returns {Moment | null}
 */
export function asDay(value) {
  const text = typeof value === "string" ? value.trim().slice(0, 10) : "";
  return isDay(text) ? { kind: "day", text } : null;
}

/** @param {string} text */
export function isDay(text) {
  const parts = DAY.exec(text);
  if (!parts) return false;
  const date = new Date(Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])));
  if (Number(parts[1]) < 100) return false;
  return date.getUTCMonth() + 1 === Number(parts[2]) && date.getUTCDate() === Number(parts[3]);
}

/**
 * @param {Moment | null} value
 * @param {string} [zone]
 * @returns {string | null} the day it falls on, `YYYY-MM-DD`; null for times without a day
 */
export function dayOf(value, zone) {
  if (!value) return null;
  if (value.kind === "day") return value.text;
  if (value.kind === "local") return value.text.slice(0, 10);
  if (value.kind === "instant") return dayText(wallClock(value.ms ?? 0, zone));
  return value.kind === "month" ? `${value.text}-01` : null;
}

/**
 * @param {Moment | null} value
 * @param {string} [zone] in which days and clocks without a zone are meant
 * @returns {number | null} milliseconds since 1970, to sort by
 */
export function sortKey(value, zone) {
  if (!value) return null;
  if (value.kind === "instant") return value.ms ?? null;
  if (value.kind === "day") return instantOf(wallOf(`${value.text}T00:00:00`), zone);
  if (value.kind === "local") return instantOf(wallOf(value.text), zone);
  return value.kind === "month" ? instantOf(wallOf(`${value.text}-01T00:00:00`), zone) : null;
}

/**
 * @param {number} ms
 * @param {string} [zone]
 * @returns {Wall}
 */
export function wallClock(ms, zone) {
  const date = new Date(ms);
  if (zone === undefined) return readersWall(date);
  if (zone === "UTC") return utcWall(date);
  /** @type {Record<string, number>} */
  const parts = {};
  for (const { type, value } of formatOf(zone).formatToParts(date)) parts[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return { year, month, day, hour: hour % 24, minute, second };
}

/** @param {Date} date */
function readersWall(date) {
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
  };
}

/** @param {Date} date */
function utcWall(date) {
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {string} zone */
function formatOf(zone) {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  return format;
}

/**
 * The instant at which a clock of the zone shows this. Of a clock put back the first; one put forward is passed over.
 *
 * @param {Wall} wall
 * @param {string} [zone]
 * @returns {number} milliseconds since 1970
 */
export function instantOf(wall, zone) {
  const { year, month, day, hour, minute, second } = wall;
  if (zone === undefined) return new Date(year, month - 1, day, hour, minute, second).getTime();
  const utc = utcOf(wall);
  let guess = utc - offset(utc, zone);
  for (let round = 0; round < 2; round += 1) guess = utc - offset(guess, zone);
  const earlier = guess - HOUR;
  return utcOf(wallClock(earlier, zone)) === utc ? earlier : guess;
}

/**
 * @param {number} ms
 * @param {string} zone
 */
function offset(ms, zone) {
  return utcOf(wallClock(ms, zone)) - Math.floor(ms / 1000) * 1000;
}

/** @param {Wall} wall */
function utcOf(wall) {
  return Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second);
}

/**
 * @param {string} text `YYYY-MM-DDTHH:mm:ss`
 * @returns {Wall}
 */
export function wallOf(text) {
  const [year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0] = text.split(/[-T:]/).map(Number);
  return { year, month, day, hour, minute, second };
}

/** @param {Wall} wall */
export function dayText(wall) {
  return `${String(wall.year).padStart(4, "0")}-${two(wall.month)}-${two(wall.day)}`;
}

/** @param {number} value */
function two(value) {
  return String(value).padStart(2, "0");
}

/**
 * @param {string} day `YYYY-MM-DD`
 * @param {number} count of days, may be negative
 */
export function addDays(day, count) {
  return dayText(utcWall(new Date(dayNumber(day) * DAY_MS + count * DAY_MS)));
}

/**
 * @param {string} day `YYYY-MM-DD`
 * @returns {number} days since 1 January 1970
 */
export function dayNumber(day) {
  return Math.round(utcOf(wallOf(`${day}T00:00:00`)) / DAY_MS);
}

/**
 * @param {string} zone
 * @returns {boolean} whether this browser knows it
 */
export function isZone(zone) {
  try {
    formatOf(zone);
    return true;
  } catch {
    return false;
  }
}
