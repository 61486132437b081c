/**
 * Where the reader lands who chooses an app: at a view of its own where it has one, else at the list.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 */
import { el } from "./dom.js";
import { link, rowsOf, tablesOf } from "./screen.js";

/** Tables whose rows belong to days. */
export const DIARIES = new Map([
  ["journal", "journalEntries"],
  ["dreams", "dreams"],
]);

/** Views of their own: the app, the table that must hold something, the screen, its words. */
const VIEWS = [
  { app: "calendar", table: "timeBlocks", screen: "calendar", word: "calendarMonth" },
  { app: "journal", table: "journalEntries", screen: "days", word: "asDays" },
  { app: "dreams", table: "dreams", screen: "days", word: "asDays" },
  { app: "contacts", table: "contacts", screen: "contacts", word: "contactsCards" },
  { app: "todo", table: "tasks", screen: "tasks", word: "tasksOpen" },
];

/**
 * @param {App} app
 * @param {string} id
 * @returns {Route}
 */
export function homeOf(app, id) {
  const view = VIEWS.find((candidate) => candidate.app === id && rowsOf(app, candidate.table) > 0);
  return view ? { screen: view.screen, app: id } : { screen: "list", app: id };
}

/**
 * The ways to see an app's rows.
 *
 * @param {App} app
 * @param {string} id
 * @param {string} current a screen
 */
export function viewTabs(app, id, current) {
  const view = VIEWS.find((candidate) => candidate.app === id && rowsOf(app, candidate.table) > 0);
  if (!view || tablesOf(app, id).length === 0) return null;
  const tab = (/** @type {string} */ screen, /** @type {string} */ word) =>
    link(
      app,
      { screen, app: id },
      { class: "button", "aria-current": current === screen && "page" },
      app.words.say(word),
    );
  return el(
    "nav",
    { class: "row-of-buttons no-print", "aria-label": app.words.say("listTables") },
    tab(view.screen, view.word),
    tab("list", "asList"),
  );
}
