/**
 * A row as a list shows it: when, what, and what belongs beside it.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("../store/types.js").Item} Item
 */
import { LOCKED } from "../model/locked.js";
import { moment } from "../model/moments.js";
import { clockText } from "../model/describe.js";
import { isUuid } from "../model/values.js";
import { el, own } from "./dom.js";
import { link, tableLabel } from "./screen.js";

/**
 * @param {App} app
 * @param {Item} item
 * @param {{around?: Route["around"], withTable?: boolean, hideDay?: boolean}} [options]
 */
export function itemLink(app, item, { around, withTable = false } = {}) {
  const classes = ["item", item.deleted ? "deleted" : "", item.done ? "done" : ""].join(" ").trim();
  return link(
    app,
    { screen: "row", table: item.table, row: item.index, around },
    { class: classes },
    el("span", { class: "when number" }, whenOf(app, item)),
    el(
      "span",
      { class: "what" },
      el("span", { class: "title" }, doneBox(item), swatch(item.extra?.color), own(titleOf(app, item))),
      el("span", { class: "line" }, own(item.line)),
    ),
    el("span", { class: "aside" }, besideOf(app, item, withTable)),
  );
}

/** @param {Item} item */
function doneBox(item) {
  if (item.done === null) return null;
  return el("span", { class: item.done ? "box done" : "box", "aria-hidden": "true" }, item.done ? "✓" : "");
}

/** @param {unknown} color */
export function swatch(color) {
  if (typeof color !== "string" || !/^#[0-9a-f]{6}$/i.test(color)) return null;
  const square = el("span", { class: "swatch", "aria-hidden": "true" });
  square.style.backgroundColor = color;
  return square;
}

/**
 * @param {App} app
 * @param {Item} item
 */
export function titleOf(app, item) {
  if (item.title === LOCKED) return app.words.say("locked");
  if (item.title === item.id && isUuid(item.id)) return app.words.say("untitled");
  const path = item.extra?.titleEnum;
  const label = typeof path === "string" ? app.tables.table(item.table).enums.get(path)?.get(item.title) : undefined;
  return label ? app.words.label(label) : item.title;
}

/**
 * @param {App} app
 * @param {Item} item
 */
export function whenOf(app, item) {
  if (item.date) return app.words.date(item.date);
  // A task that is due at no time would seem to be due when it was written.
  if (app.tables.table(item.table).date !== null) return "";
  const written = clockText(moment(item.written));
  return written ? app.words.date(written.slice(0, 10)) : "";
}

/**
 * @param {App} app
 * @param {Item} item
 * @param {boolean} withTable
 */
function besideOf(app, item, withTable) {
  const { words } = app;
  const beside = [];
  if (item.extra?.money) beside.push(el("span", { class: "number" }, words.money(item.extra.money)));
  for (const flag of flagsOf(app, item)) beside.push(el("span", { class: "tag" }, flag));
  for (const tag of item.tags.slice(0, 3)) beside.push(el("span", { class: "tag" }, own(tag)));
  if (withTable) beside.push(el("span", { class: "tag" }, tableLabel(app, item.table)));
  return beside.slice(0, 4);
}

/**
 * @param {App} app
 * @param {Item} item
 * @returns {string[]}
 */
export function flagsOf(app, item) {
  const { words } = app;
  const flags = [];
  if (item.deleted) flags.push(words.say("flagDeleted"));
  if (item.archived) flags.push(words.say("flagArchived"));
  if (item.repeats) flags.push(words.say("flagSeries"));
  if (item.done) flags.push(words.say("flagDone"));
  const labels = { pinned: "flagPinned", favorite: "flagFavorite", bin: "flagBin", preset: "flagPreset" };
  for (const [flag, key] of Object.entries(labels)) if (item.flags.includes(flag)) flags.push(words.say(key));
  const table = app.tables.table(item.table);
  for (const path of ["status", "mood"]) {
    const label = table.enums.get(path)?.get(item.extra?.[path] ?? "");
    if (label) flags.push(words.label(label));
  }
  return flags;
}
