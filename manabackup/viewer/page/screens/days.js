/**
 * Journal and dreams by day, to be read one after the other; what was written on this day in other years; and the diary to print.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").Item} Item
 */
import { parseExact } from "../reader/json.js";
import { readRow } from "../model/fields.js";
import { dayText, wallClock } from "../model/moments.js";
import { button, el, own, picker } from "./dom.js";
import { DIARIES, viewTabs } from "./homes.js";
import { flagsOf, itemLink, titleOf } from "./items.js";
import { textNode } from "./richtext.js";
import { PATIENCE, appLabel, heading, link } from "./screen.js";

const PART = 40;

/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function daysScreen(app, route, signal) {
  const { words, store } = app;
  const id = route.app ?? "journal";
  const table = DIARIES.get(id) ?? "journalEntries";
  const year = route.chosen?.year ?? "";
  const descending = route.chosen?.sort !== "dateUp";
  const filters = year === "" ? {} : { from: year, to: year };
  const list = await store.list([table], { sort: "date", descending, filters, patience: PATIENCE });
  signal.addEventListener("abort", () => list.release(), { once: true });
  const today = dayText(wallClock(Date.now())).slice(5);
  const beside = Promise.all([store.facets([table]), store.onThisDay([table], today)]);
  const [facets, remembered] = list.complete ? await beside : [null, []];
  if (!list.complete)
    void beside.then(
      () => signal.aborted || app.replace(route),
      () => {},
    );
  const days = new Days(app, list);
  await days.more(PART);
  const node = el(
    "div",
    {},
    heading(appLabel(app, id), viewTabs(app, id, "days")),
    facets ? toolbar(app, route, facets, days) : el("progress", { "aria-label": words.say("progressReading") }),
    facets && year === "" ? onThisDay(app, remembered) : null,
    list.total > 0 ? days.node : el("p", { class: "sheet quiet" }, words.say(facets ? "nothing" : "loading")),
  );
  return { title: appLabel(app, id), node };
}

/** Entries in their days, some at a time. */
class Days {
  /**
   * @param {App} app
   * @param {import("../store/client.js").List} list
   */
  constructor(app, list) {
    this.app = app;
    this.list = list;
    this.shown = 0;
    this.day = "";
    this.section = el("section", { class: "day" });
    this.entries = el("div", {});
    this.button = button(app.words.say("showMore"), () => void this.more(PART), { class: "button no-print" });
    this.node = el("div", {}, this.entries, this.button);
  }

  /** @param {number} count */
  async more(count) {
    const [items, texts] = await Promise.all([this.list.items(this.shown, count), this.list.texts(this.shown, count)]);
    items.forEach((item, place) => this.add(item, texts[place]?.text ?? "{}", this.shown + place));
    this.shown += items.length;
    this.button.hidden = this.shown >= this.list.total;
  }

  /** All of them, for a printer. */
  async all() {
    while (this.shown < this.list.total) await this.more(500);
  }

  /** The other way round: a book begins with its first day. */
  turn() {
    for (const part of [this.entries, ...this.entries.children]) {
      const [title, ...others] = part === this.entries ? [null, ...part.children] : part.children;
      part.replaceChildren(...[title, ...others.reverse()].filter((child) => child !== null && child !== undefined));
    }
  }

  /**
   * @private
   * @param {Item} item
   * @param {string} text
   * @param {number} place in the list
   */
  add(item, text, place) {
    const { words } = this.app;
    const day = (item.date ?? "").slice(0, 10);
    if (day !== this.day || this.entries.childElementCount === 0) {
      this.day = day;
      this.section = el(
        "section",
        { class: "day" },
        el("h2", {}, day === "" ? words.say("activityUndated", { count: 1 }) : words.date(day, "weekday")),
      );
      this.entries.append(this.section);
    }
    this.section.append(article(this.app, item, text, { list: this.list, place }));
  }
}

/**
 * @param {App} app
 * @param {Item} item
 * @param {string} text
 * @param {{list: import("../store/client.js").List, place: number}} around
 */
function article(app, item, text, around) {
  const { words } = app;
  const { texts } = readRow(app.tables.table(item.table), parseExact(text));
  const titled = texts.every((part) => !String(part.value).startsWith(item.title.replace(/…$/, "")));
  const tags = [...flagsOf(app, item), ...item.tags];
  return el(
    "article",
    {},
    el(
      "h3",
      { class: titled ? false : "untitled" },
      link(
        app,
        { screen: "row", table: item.table, row: item.index, around },
        {},
        titled ? own(titleOf(app, item)) : el("span", { class: "quiet" }, words.say("untitled")),
      ),
    ),
    tags.length > 0
      ? el(
          "p",
          { class: "small" },
          tags.map((tag) => el("span", { class: "tag" }, own(tag))),
        )
      : null,
    texts.map((part) => textNode(words, part.value, part.format, 3)),
  );
}

/**
 * @param {App} app
 * @param {Route} route
 * @param {import("../store/types.js").Facets} facets
 * @param {Days} days
 */
function toolbar(app, route, facets, days) {
  const { words } = app;
  const choose = (/** @type {string} */ name) => (/** @type {string} */ value) =>
    app.replace({ ...route, chosen: { ...route.chosen, [name]: value } });
  const years = [
    { value: "", label: words.say("daysAll") },
    ...facets.years.map(({ year, rows }) => ({ value: year, label: `${year} (${rows})` })).reverse(),
  ];
  const sorts = ["dateDown", "dateUp"].map((value) => ({
    value,
    label: words.say(value === "dateDown" ? "sortDateDown" : "sortDateUp"),
  }));
  const state = el("span", { role: "status", class: "small quiet" });
  const printAll = async () => {
    state.replaceChildren(words.say("printPreparing"));
    await days.all();
    state.replaceChildren();
    const turned = route.chosen?.sort !== "dateUp";
    if (turned) days.turn();
    print();
    if (turned) days.turn();
  };
  return el(
    "div",
    { class: "toolbar no-print" },
    picker(words.say("filterYear"), "days-year", years, route.chosen?.year ?? "", choose("year")),
    picker(words.say("listSort"), "days-sort", sorts, route.chosen?.sort ?? "dateDown", choose("sort")),
    button(words.say("printDiary"), () => void printAll()),
    state,
  );
}

/**
 * @param {App} app
 * @param {Item[]} items
 */
function onThisDay(app, items) {
  const { words } = app;
  const now = wallClock(Date.now());
  const past = items.filter((item) => !item.deleted && Number(item.date?.slice(0, 4)) < now.year);
  const ago = (/** @type {Item} */ item) =>
    words.say("daysYearsAgo", { count: now.year - Number(item.date?.slice(0, 4)) });
  return el(
    "section",
    { class: "sheet reading no-print" },
    el("h2", {}, `${words.say("daysOnThisDay")}, ${words.format({ day: "numeric", month: "long" }, Date.now())}`),
    past.length === 0
      ? el("p", { class: "quiet" }, words.say("daysNone"))
      : el(
          "ul",
          { class: "plain-list" },
          past
            .slice(0, 20)
            .map((item) => el("li", {}, el("span", { class: "quiet small" }, ago(item)), itemLink(app, item))),
        ),
  );
}
