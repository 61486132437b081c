/**
 * The calendar: a month, its series expanded, all-day entries on their days; and the same as a list.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../model/calendar.js").Occurrence} Occurrence
 *
 * @typedef {object} Entry what stands on a day
 * @property {string} day
 * @property {string} lastDay
 * @property {string} clock "" = all day
 * @property {string} clockEnd
 * @property {string} title
 * @property {string} color
 * @property {Route} route
 */
import { birthdaysBetween, Calendar, PLANNED_TYPES } from "../model/calendar.js";
import { addDays, dayOf, dayText, isDay, moment, wallClock } from "../model/moments.js";
import { weekdayOf } from "../model/recurrence.js";
import { textOf } from "../model/values.js";
import { button, el, own } from "./dom.js";
import { viewTabs } from "./homes.js";
import { allRows } from "./loading.js";
import { heading, link } from "./screen.js";

const SHOWN = 4;

/**
 * @param {App} app
 * @param {Route} route
 * @returns {Promise<Screen>}
 */
export async function calendarScreen(app, route) {
  const { words } = app;
  const { calendar, contacts } = await loaded(app);
  const month = route.month ?? app.kept.get("month") ?? monthOf(app);
  app.kept.set("month", month);
  const everything = route.chosen?.show === "everything";
  const [from, to] = weeksOf(month, words.weekStart);
  const entries = entriesBetween(app, calendar, contacts, { from, to, everything });
  const inMonth = entries.filter((entry) => entry.day.slice(0, 7) <= month && entry.lastDay.slice(0, 7) >= month);
  const node = el(
    "div",
    {},
    heading(words.date(month), viewTabs(app, "calendar", "calendar")),
    toolbar(app, route, month, everything),
    monthTable(app, month, from, to, entries),
    el("section", { class: "sheet" }, el("h2", {}, words.say("calendarAgenda")), agenda(app, month, inMonth)),
    el(
      "p",
      { class: "quiet small" },
      words.say("calendarZone", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone }),
    ),
    calendar.unread > 0 ? el("p", { class: "notice" }, words.say("calendarUnread", { count: calendar.unread })) : null,
  );
  return { title: words.say("calendar"), node };
}

/** @param {App} app */
async function loaded(app) {
  let calendar = app.kept.get("calendar");
  const contacts = await allRows(app, "contacts");
  if (!calendar) {
    const [blocks, events, calendars] = await Promise.all(
      ["timeBlocks", "events", "calendars"].map((table) => allRows(app, table)),
    );
    const ids = new Set((events ?? []).filter((row) => textOf(row.deletedAt) === "").map((row) => textOf(row.id)));
    const exists = (/** @type {string} */ table, /** @type {string} */ id) => table !== "events" || ids.has(id);
    calendar = new Calendar({ blocks: blocks ?? [], events: events ?? [], calendars: calendars ?? [] }, exists);
    app.kept.set("calendar", calendar);
  }
  return { calendar: /** @type {Calendar} */ (calendar), contacts };
}

/**
 * The month that the archive is from: what came later it does not know.
 *
 * @param {App} app
 */
function monthOf(app) {
  const made = moment(app.store.summary.manifest.exportedAt);
  return (dayOf(made) ?? dayText(wallClock(Date.now()))).slice(0, 7);
}

/**
 * Whole weeks around a month.
 *
 * @param {string} month
 * @param {number} weekStart 0 = Sunday
 * @returns {[string, string]}
 */
function weeksOf(month, weekStart) {
  const first = `${month}-01`;
  const last = addDays(`${nextMonth(month, 1)}-01`, -1);
  const before = (/** @type {string} */ day) => (weekdayOf(day) + 1 - weekStart + 7) % 7;
  return [addDays(first, -before(first)), addDays(last, 6 - before(last))];
}

/**
 * @param {string} month
 * @param {number} step
 */
function nextMonth(month, step) {
  const [year = 1970, number = 1] = month.split("-").map(Number);
  const index = year * 12 + number - 1 + step;
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`;
}

/**
 * @param {App} app
 * @param {Calendar} calendar
 * @param {Record<string, any>[]} contacts
 * @param {{from: string, to: string, everything: boolean}} wanted
 * @returns {Entry[]}
 */
function entriesBetween(app, calendar, contacts, { from, to, everything }) {
  const occurrences = calendar.between(from, to, everything ? undefined : PLANNED_TYPES);
  const entries = occurrences.map(({ source, day, lastDay, clock, clockEnd }) => ({
    day,
    lastDay,
    clock,
    clockEnd,
    title: source.title || app.words.say("untitled"),
    color: source.color,
    route: { screen: "row", table: source.target.table, row: source.target.id },
  }));
  return [...birthdays(app, contacts, from, to), ...entries].sort((a, b) =>
    a.day + (a.clock || "0") < b.day + (b.clock || "0") ? -1 : 1,
  );
}

/**
 * @param {App} app
 * @param {Record<string, any>[]} contacts
 * @param {string} from
 * @param {string} to
 * @returns {Entry[]}
 */
function birthdays({ words }, contacts, from, to) {
  return contacts.flatMap((row) => {
    const birthday = textOf(row.birthday);
    if (!isDay(birthday) || textOf(row.deletedAt) !== "") return [];
    const name = [row.firstName, row.lastName].map(textOf).filter(Boolean).join(" ");
    return birthdaysBetween(birthday, from, to).map((day) => ({
      day,
      lastDay: day,
      clock: "",
      clockEnd: "",
      title: words.say("calendarBirthdayAge", {
        name,
        age: String(Number(day.slice(0, 4)) - Number(birthday.slice(0, 4))),
      }),
      color: "",
      route: { screen: "row", table: "contacts", row: textOf(row.id) },
    }));
  });
}

/**
 * @param {App} app
 * @param {Route} route
 * @param {string} month
 * @param {boolean} everything
 */
function toolbar(app, route, month, everything) {
  const { words } = app;
  const go = (/** @type {string} */ to) => app.replace({ ...route, screen: "calendar", app: "calendar", month: to });
  const today = dayText(wallClock(Date.now())).slice(0, 7);
  const pick = el("input", {
    type: "month",
    id: "month",
    value: month,
    onchange: (event) => isDay(`${event.target.value}-01`) && go(event.target.value),
  });
  const show = el("input", {
    type: "checkbox",
    id: "everything",
    checked: everything,
    onchange: (event) => app.replace({ ...route, month, chosen: event.target.checked ? { show: "everything" } : {} }),
  });
  return el(
    "div",
    { class: "toolbar steps-of-months no-print" },
    button("‹", () => go(nextMonth(month, -1)), { "aria-label": words.date(nextMonth(month, -1)) }),
    button(words.say("calendarToday"), () => go(today)),
    button("›", () => go(nextMonth(month, 1)), { "aria-label": words.date(nextMonth(month, 1)) }),
    el(
      "label",
      { class: "pick", for: "month" },
      el("span", { class: "visually-hidden" }, words.say("calendarMonth")),
      pick,
    ),
    el("label", { class: "check", for: "everything" }, show, words.say("calendarEverything")),
    button(words.say("print"), () => print()),
  );
}

/**
 * @param {App} app
 * @param {string} month
 * @param {string} from
 * @param {string} to
 * @param {Entry[]} entries
 */
function monthTable(app, month, from, to, entries) {
  const { words } = app;
  const weekdays = [0, 1, 2, 3, 4, 5, 6].map((place) => (words.weekStart + place) % 7);
  /** @type {HTMLElement[]} */
  const rows = [];
  for (let monday = from; monday <= to; monday = addDays(monday, 7)) {
    rows.push(
      el(
        "tr",
        {},
        [0, 1, 2, 3, 4, 5, 6].map((step) => dayCell(app, addDays(monday, step), month, entries)),
      ),
    );
  }
  return el(
    "div",
    { class: "sheet-table" },
    el(
      "table",
      { class: "month" },
      el("caption", { class: "visually-hidden" }, words.date(month)),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          weekdays.map((day) => el("th", { scope: "col", abbr: words.weekday(day, "long") }, words.weekday(day))),
        ),
      ),
      el("tbody", {}, rows),
    ),
  );
}

/**
 * @param {App} app
 * @param {string} day
 * @param {string} month
 * @param {Entry[]} entries
 */
function dayCell(app, day, month, entries) {
  const { words } = app;
  const here = entries.filter((entry) => entry.day <= day && entry.lastDay >= day);
  const today = day === dayText(wallClock(Date.now()));
  const classes = [day.startsWith(month) ? "" : "outside", today ? "today" : ""].join(" ").trim();
  const more = here.length - SHOWN;
  return el(
    "td",
    { class: classes },
    el(
      "span",
      { class: "date" },
      el("span", { "aria-hidden": "true" }, String(Number(day.slice(8)))),
      el("span", { class: "visually-hidden" }, words.date(day, "weekday")),
    ),
    here.slice(0, more > 1 ? SHOWN - 1 : SHOWN).map((entry) => entryLink(app, entry, day)),
    more > 1 ? el("span", { class: "quiet small more" }, words.say("calendarMore", { count: more + 1 })) : null,
  );
}

/**
 * @param {App} app
 * @param {Entry} entry
 * @param {string} day on which it stands; it may have begun before
 */
function entryLink(app, entry, day) {
  const clock =
    day > entry.day
      ? day === entry.lastDay && entry.clockEnd
        ? `– ${app.words.clock(entry.clockEnd)}`
        : "…"
      : app.words.clock(entry.clock);
  const label = `${entry.clock ? `${clock} ` : ""}${entry.title}`;
  const node = link(app, entry.route, { class: entry.clock ? "entry" : "entry whole", title: label }, own(label));
  if (entry.color) node.style.borderInlineStartColor = entry.color;
  return node;
}

/**
 * @param {App} app
 * @param {string} month
 * @param {Entry[]} entries
 */
function agenda(app, month, entries) {
  const { words } = app;
  const days = [...new Set(entries.map((entry) => (entry.day < `${month}-01` ? `${month}-01` : entry.day)))].sort();
  if (days.length === 0) return el("p", { class: "quiet" }, words.say("calendarNone"));
  const line = (/** @type {Entry} */ entry) =>
    el(
      "li",
      {},
      el("span", { class: "quiet number" }, clockOf(app, entry)),
      " ",
      link(app, entry.route, {}, own(entry.title)),
    );
  const starts = (/** @type {Entry} */ entry, /** @type {string} */ day) =>
    entry.day === day || (entry.day < day && day === `${month}-01`);
  return el(
    "ol",
    { class: "agenda" },
    days.map((day) =>
      el(
        "li",
        {},
        el("strong", {}, words.format({ weekday: "short", day: "numeric", month: "short" }, noon(day))),
        el("ul", {}, entries.filter((entry) => starts(entry, day)).map(line)),
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {Entry} entry
 */
function clockOf({ words }, { clock, clockEnd, day, lastDay }) {
  if (clock === "") return day === lastDay ? words.say("calendarAllDay") : `– ${words.date(lastDay)}`;
  return clockEnd === "" ? words.clock(clock) : `${words.clock(clock)} – ${words.clock(clockEnd)}`;
}

/** @param {string} day */
function noon(day) {
  return new Date(`${day}T12:00:00`).getTime();
}
