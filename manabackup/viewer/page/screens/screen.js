/**
 * What screens are, and what they are given.
 *
 * @typedef {import("../store/client.js").List} List
 * @typedef {import("../store/client.js").Store} Store
 * @typedef {import("../store/types.js").Item} Item
 * @typedef {import("../words/words.js").Words} Words
 * @typedef {import("../model/tables.js").Tables} Tables
 *
 * @typedef {object} Route where the reader is; kept in memory alone, so that no history of a browser tells of it
 * @property {string} screen
 * @property {string} [app]
 * @property {string} [table]
 * @property {number | string} [row] index or id
 * @property {{list: List, place: number}} [around] the list that a row was opened from
 * @property {string} [month] `YYYY-MM`
 * @property {string} [words] of the search
 * @property {string} [file] SHA-256
 * @property {Record<string, string>} [chosen] filters and sorting
 *
 * @typedef {object} App what all screens share
 * @property {Store} store
 * @property {Words} words
 * @property {Tables} tables
 * @property {PageInfo} page
 * @property {Verification} verification
 * @property {Map<string, any>} kept what screens keep while the archive is open
 * @property {(route: Route) => void} go
 * @property {(route: Route) => void} replace as `go`, without a step back to where one was
 *
 * @typedef {object} PageInfo
 * @property {string} version
 * @property {string} digest
 * @property {string} compareAt
 *
 * @typedef {object} Verification the one of this visit
 * @property {import("../store/types.js").VerifyResult | null} result
 * @property {Error | null} failure
 * @property {number} part of it that is done, 0 to 1
 * @property {EventTarget} changed tells `change`
 *
 * @typedef {object} Screen
 * @property {string} title for the window: it may stay in a browser's history, so it never names a row
 * @property {HTMLElement} node
 * @property {() => void} [shown] is called when it stands in the page
 *
 * @typedef {(app: App, route: Route, signal: AbortSignal) => Promise<Screen>} ShowScreen
 */
import { el } from "./dom.js";

/**
 * A link within the page.
 *
 * @param {App} app
 * @param {Route} route
 * @param {import("./dom.js").Attributes} attributes
 * @param {...(import("./dom.js").Child | import("./dom.js").Child[])} children
 */
export function link(app, route, attributes, ...children) {
  const onclick = (/** @type {MouseEvent} */ event) => {
    event.preventDefault();
    app.go(route);
  };
  return el("a", { href: "#", ...attributes, onclick }, ...children);
}

/**
 * @param {string} title
 * @param {...import("./dom.js").Child} beside
 */
export function heading(title, ...beside) {
  return el("div", { class: "heading" }, el("h1", { tabindex: -1 }, el("bdi", {}, title)), ...beside);
}

/**
 * @param {App} app
 * @param {string} table
 */
export function tableLabel(app, table) {
  const { known, label, app: id } = app.tables.table(table);
  // Of a collection that nobody described: the app that has it, and its own name.
  if (!known && id !== "") return `${appLabel(app, id)}: ${table.slice(id.length + 1)}`;
  return app.words.label(label);
}

/**
 * @param {App} app
 * @param {string} id
 */
export function appLabel(app, id) {
  return id === "" ? app.words.say("others") : app.words.label(app.tables.app(id).label);
}

/**
 * @param {App} app
 * @param {string} table
 * @returns {number} rows that the archive has
 */
export function rowsOf(app, table) {
  return app.store.summary.tables.find((candidate) => candidate.table === table)?.rows ?? 0;
}

/**
 * The tables of an app that hold something.
 *
 * @param {App} app
 * @param {string} id
 */
export function tablesOf(app, id) {
  return app.store.summary.tables.filter((table) => table.app === id && table.rows > 0).map((table) => table.table);
}

/** Milliseconds until what was read so far is shown. */
export const PATIENCE = 700;

/**
 * What is not there because its table is damaged, or another part of the archive.
 *
 * @param {App} app
 * @param {string[]} broken tables, and names of entries
 */
export function brokenNode(app, broken) {
  if (broken.length === 0) return null;
  const tables = broken.map((name) => (/^meta(\/|$)/.test(name) ? name : tableLabel(app, name))).join(", ");
  return el("p", { class: "notice bad" }, app.words.say("brokenTables", { tables }));
}

/**
 * The apps that hold something, in the groups that Mana has them in: those with the most rows first, and what Mana keeps
 * for itself last.
 *
 * @param {App} app
 * @returns {{label: import("../model/types.js").Label, apps: {id: string, rows: number}[]}[]}
 */
export function groupsOf(app) {
  const { summary } = app.store;
  const rows = (/** @type {string} */ id) =>
    summary.tables.filter((table) => table.app === id).reduce((sum, table) => sum + table.rows, 0);
  const apps = [...new Set(summary.tables.map((table) => table.app))].map((id) => ({ id, rows: rows(id) }));
  const groups = app.tables.groups.map(({ id, label }) => {
    const inside = apps.filter((each) => each.rows > 0 && app.tables.app(each.id).group === id);
    return { label, apps: inside, own: id === "system" || id === "unknown", rows: inside.reduce((sum, each) => sum + each.rows, 0) };
  });
  return groups.filter((group) => group.rows > 0).sort((a, b) => Number(a.own) - Number(b.own) || b.rows - a.rows);
}

/**
 * What an app's list shows at first: its things, not the ties between them.
 *
 * @param {App} app
 * @param {string} id
 */
export function mainTablesOf(app, id) {
  const tables = tablesOf(app, id);
  const main = tables.filter((table) => app.tables.table(table).role === "main");
  return main.length > 0 ? main : tables;
}
