/**
 * A calendar from time blocks: series expanded, their stored copies left out, all-day spans by their days (modules.md 3).
 *
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Moment} Moment
 * @typedef {import("./blocks.js").Span} Span
 * @typedef {import("./recurrence.js").Rule} Rule
 *
 * @typedef {object} Source a block that stands for itself, and what is needed to place it
 * @property {Row} block
 * @property {{table: string, id: string}} target the row to open: the owner where there is one, else the block itself
 * @property {Span} span
 * @property {Rule | null} rule of a series
 * @property {string} zone whose clock the series keeps; "" = the reader's
 * @property {string} title
 * @property {string} color `#rrggbb` or ""
 * @property {string} type as stored: `event`, `task`, …
 *
 * @typedef {object} Occurrence
 * @property {Source} source
 * @property {string} day the first, `YYYY-MM-DD`, on the reader's clock
 * @property {string} lastDay the last, inclusive
 * @property {string} clock `HH:mm` on the reader's clock; "" = all day
 * @property {string} clockEnd `HH:mm`, or ""
 */
import { LOCKED, isLocked } from "./locked.js";
import { isSeries, ownerOf, spanOf } from "./blocks.js";
import { addDays, dayNumber, dayOf, dayText, instantOf, isZone, sortKey, wallClock, wallOf } from "./moments.js";
import { daysOfSeries, parseRule } from "./recurrence.js";
import { textOf } from "./values.js";

/** What a calendar of appointments shows; the rest (songs heard, places seen, …) is a record, not a plan. */
export const PLANNED_TYPES = new Set(["event", "task", "habit", "period"]);

export class Calendar {
  /**
   * @param {{blocks: Row[], events: Row[], calendars: Row[]}} rows living rows of `timeBlocks`, `events`, `calendars`
   * @param {(table: string, id: string) => boolean} [exists] whether a row is in the archive, and lives
   */
  constructor({ blocks, events, calendars }, exists = () => true) {
    /** @private */
    this.calendars = new Map(calendars.map((row) => [textOf(row.id), row]));
    /** @private */
    this.byDefault = calendars.find((row) => row.isDefault === true) ?? calendars[0];
    /** @private */
    this.events = new Map(events.map((row) => [textOf(row.id), row]));
    const living = blocks.filter((block) => textOf(block.deletedAt) === "");
    const series = new Map(living.filter(isSeries).map((block) => [textOf(block.id), block]));
    /** @type {Source[]} */
    this.sources = [];
    /** How many blocks have no time that can be read, or a rule that cannot. */
    this.unread = 0;
    /** @type {Map<string, Set<string>>} days on which a copy that was changed stands in for the series */
    this.replaced = new Map();
    for (const block of living) this.add(block, series, exists);
  }

  /**
   * @private
   * @param {Row} block
   * @param {Map<string, Row>} series
   * @param {(table: string, id: string) => boolean} exists
   */
  add(block, series, exists) {
    const zone = this.zoneOf(block);
    const span = spanOf(block, zone || undefined);
    const rule = isSeries(block) ? parseRule(textOf(block.recurrenceRule)) : null;
    if (!span || (isSeries(block) && !rule)) this.unread += 1;
    if (!span) return;
    const parent = series.get(textOf(block.parentBlockId));
    if (parent && this.sameAsSeries(block, span, parent)) return;
    if (parent)
      this.replace(
        textOf(parent.id),
        textOf(block.recurrenceDate).slice(0, 10) || (dayOf(span.start, zone || undefined) ?? ""),
      );
    const owner = ownerOf(block);
    const target = owner && exists(owner.table, owner.id) ? owner : { table: "timeBlocks", id: textOf(block.id) };
    this.sources.push({
      block,
      target,
      span,
      rule,
      zone,
      title: this.titleOf(block, owner),
      color: this.colorOf(block),
      type: textOf(block.type),
    });
  }

  /**
   * Copies are made 30 days ahead, also for the series' own first day; those that equal what the rule gives add nothing.
   *
   * @private
   * @param {Row} copy
   * @param {Span} span
   * @param {Row} parent
   */
  sameAsSeries(copy, span, parent) {
    const zone = this.zoneOf(parent) || undefined;
    const first = spanOf(parent, zone);
    if (!first || !parseRule(textOf(parent.recurrenceRule))) return false;
    if (span.allDay !== first.allDay || textOf(copy.title) !== textOf(parent.title)) return false;
    const sameDay =
      textOf(copy.recurrenceDate).slice(0, 10) === "" ||
      Math.abs(dayNumber(textOf(copy.recurrenceDate)) - dayNumber(dayOf(span.start, "UTC") ?? "")) <= 1;
    return (
      sameDay &&
      clockIn(span.start, zone) === clockIn(first.start, zone) &&
      lengthOf(span, zone) === lengthOf(first, zone)
    );
  }

  /**
   * @private
   * @param {string} series
   * @param {string} day
   */
  replace(series, day) {
    const days = this.replaced.get(series) ?? new Set();
    this.replaced.set(series, days.add(day));
  }

  /**
   * @private
   * @param {Row} block
   */
  calendarOf(block) {
    const event = textOf(block.sourceModule) === "calendar" ? this.events.get(textOf(block.sourceId)) : undefined;
    return this.calendars.get(textOf(event?.calendarId)) ?? this.byDefault;
  }

  /**
   * @private
   * @param {Row} block
   * @returns {string} "" = the reader's
   */
  zoneOf(block) {
    const zone = textOf(this.calendarOf(block)?.timezone);
    return zone !== "" && isZone(zone) ? zone : "";
  }

  /**
   * @private
   * @param {Row} block
   * @param {{table: string, id: string} | null} owner
   */
  titleOf(block, owner) {
    const event = owner?.table === "events" ? this.events.get(owner.id) : undefined;
    const title = textOf(event?.title) || textOf(block.title);
    return isLocked(title) ? LOCKED : title.trim();
  }

  /**
   * @private
   * @param {Row} block
   */
  colorOf(block) {
    const event = this.events.get(textOf(block.sourceId));
    const colors = [event?.color, block.color, textOf(block.type) === "event" ? this.calendarOf(block)?.color : ""];
    return colors.map(textOf).find((color) => /^#[0-9a-f]{6}$/i.test(color)) ?? "";
  }

  /**
   * @param {string} from first day, `YYYY-MM-DD`
   * @param {string} to last day
   * @param {ReadonlySet<string>} [types] of blocks; absent: all
   * @returns {Occurrence[]} by day, all-day ones first, then by clock
   */
  between(from, to, types) {
    /** @type {Occurrence[]} */
    const found = [];
    for (const source of this.sources) {
      if (types && !types.has(source.type)) continue;
      for (const occurrence of this.occurrences(source, from, to)) {
        if (occurrence.day <= to && occurrence.lastDay >= from) found.push(occurrence);
      }
    }
    return found.sort(
      (a, b) => compare(a.day, b.day) || compare(a.clock, b.clock) || compare(a.source.title, b.source.title),
    );
  }

  /**
   * @private
   * @param {Source} source
   * @param {string} from
   * @param {string} to
   * @returns {Occurrence[]}
   */
  occurrences(source, from, to) {
    const zone = source.zone || undefined;
    const first = dayOf(source.span.start, zone) ?? "";
    if (!source.rule) return [placed(source, first, zone)];
    const length = Math.ceil(lengthOf(source.span, zone) / 86_400_000) + 1;
    const replaced = this.replaced.get(textOf(source.block.id));
    return daysOfSeries(source.rule, first, addDays(from, -length), addDays(to, 1))
      .filter((day) => !replaced?.has(day))
      .map((day) => placed(source, day, zone));
  }
}

/**
 * An occurrence on a day of its own zone, told by the reader's clock.
 *
 * @param {Source} source
 * @param {string} day
 * @param {string} [zone]
 * @returns {Occurrence}
 */
function placed(source, day, zone) {
  const { span } = source;
  if (span.allDay) {
    const length = dayNumber(dayOf(span.end, zone) ?? day) - dayNumber(dayOf(span.start, zone) ?? day);
    return { source, day, lastDay: addDays(day, Math.max(0, length || 0)), clock: "", clockEnd: "" };
  }
  if (span.start.kind === "local") return floating(source, day);
  const start = instantOf({ ...wallClock(span.start.ms ?? 0, zone), ...dateOf(day) }, zone);
  const end = start + lengthOf(span, zone);
  const wall = wallClock(start);
  const wallEnd = wallClock(end);
  return {
    source,
    day: dayText(wall),
    lastDay: dayText(end > start ? wallClock(end - 1000) : wall),
    clock: clockText(wall),
    clockEnd: end > start ? clockText(wallEnd) : "",
  };
}

/**
 * A clock without a zone stays what it says.
 *
 * @param {Source} source
 * @param {string} day
 * @returns {Occurrence}
 */
function floating(source, day) {
  const clock = source.span.start.text.slice(11, 16);
  const start = instantOf(wallOf(`${day}T${clock}:00`), undefined);
  const length = lengthOf(source.span, undefined);
  const end = wallClock(start + length);
  return {
    source,
    day,
    lastDay: length > 0 ? dayText(wallClock(start + length - 1000)) : day,
    clock,
    clockEnd: length > 0 ? clockText(end) : "",
  };
}

/**
 * @param {Span} span
 * @param {string} [zone]
 * @returns {number} milliseconds, 0 for a point in time
 */
function lengthOf(span, zone) {
  const start = sortKey(span.start, zone);
  const end = sortKey(span.end, zone);
  return start === null || end === null ? 0 : Math.max(0, end - start);
}

/**
 * @param {Moment} start
 * @param {string} [zone]
 */
function clockIn(start, zone) {
  if (start.kind === "local") return start.text.slice(11, 16);
  return start.kind === "instant" ? clockText(wallClock(start.ms ?? 0, zone)) : "";
}

/** @param {{hour: number, minute: number}} wall */
function clockText({ hour, minute }) {
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

/** @param {string} day */
function dateOf(day) {
  const { year, month, day: date } = wallOf(`${day}T00:00:00`);
  return { year, month, day: date };
}

/**
 * @param {string} a
 * @param {string} b
 */
function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}

/**
 * @param {string} birthday `YYYY-MM-DD`
 * @param {string} from
 * @param {string} to
 * @returns {string[]} the days on which it is kept; 29 February on 28 February where a year has none
 */
export function birthdaysBetween(birthday, from, to) {
  const days = [];
  const last = Number(to.slice(0, 4));
  for (let year = Math.max(Number(from.slice(0, 4)), Number(birthday.slice(0, 4)) + 1); year <= last; year += 1) {
    const leap = new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
    const rest = birthday.slice(4) === "-02-29" && !leap ? "-02-28" : birthday.slice(4);
    const day = `${String(year).padStart(4, "0")}${rest}`;
    if (day >= from && day <= to) days.push(day);
  }
  return days;
}
