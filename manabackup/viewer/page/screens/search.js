/**
 * Search over everything, as one types.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").Hit} Hit
 * @typedef {import("../store/types.js").Mark} Mark
 */
import { el, own } from "./dom.js";
import { whenOf } from "./items.js";
import { brokenNode, heading, link, tableLabel } from "./screen.js";
import { takeNode } from "./taking.js";

const SHOWN = 100;

/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function searchScreen(app, route, signal) {
  const { words } = app;
  const results = el("div", {});
  const node = el(
    "div",
    {},
    heading(words.say("search")),
    el("p", { class: "quiet small" }, words.say("searchHint")),
    results,
  );
  const look = async () => {
    const found = await resultsOf(app, route);
    if (signal.aborted) return;
    results.replaceChildren(...found.nodes);
    if (!found.ready) void app.store.index().then(() => (signal.aborted ? undefined : look()));
  };
  await look();
  return { title: words.say("search"), node };
}

/**
 * @param {App} app
 * @param {Route} route
 * @returns {Promise<{nodes: HTMLElement[], ready: boolean}>}
 */
async function resultsOf(app, route) {
  const { words, store } = app;
  const sought = (route.words ?? "").trim();
  if (sought === "") return { nodes: [], ready: true };
  const tables = route.table ? [route.table] : undefined;
  const result = await store.search(sought, { count: SHOWN, ...(tables ? { tables } : {}) });
  const state =
    result.total === 0 && result.ready
      ? words.say("searchNone", { words: sought })
      : words.say("searchHits", { count: result.total });
  /** @type {HTMLElement[]} */
  const nodes = [el("p", { role: "status" }, state, result.ready ? "" : ` ${words.say("searchIndexing")}`)];
  if (result.left > 0) nodes.push(el("p", { class: "notice" }, words.say("searchLeft", { count: result.left })));
  const broken = brokenNode(app, result.broken);
  if (broken) nodes.push(broken);
  if (result.tables.length > 1 || route.table) nodes.push(tableTabs(app, route, result.tables));
  if (result.total > 0) {
    nodes.push(
      el(
        "ul",
        { class: "plain-list sheet-list", "aria-label": words.say("search") },
        result.hits.map((hit) => el("li", {}, hitLink(app, hit))),
      ),
    );
    if (result.total > SHOWN) nodes.push(el("p", { class: "quiet small" }, words.say("searchFirst", { count: SHOWN })));
    nodes.push(takeNode(app, foundRows(app, sought, tables, result), { name: "search", word: "takeSearch" }));
  }
  return { nodes, ready: result.ready };
}

/**
 * All hits, not only those that are shown.
 *
 * @param {App} app
 * @param {string} sought
 * @param {string[] | undefined} tables
 * @param {import("../store/types.js").SearchResult} result
 */
function foundRows({ store }, sought, tables, result) {
  /** @type {Promise<import("../store/client.js").List> | null} */
  let list = null;
  const texts = async (/** @type {number} */ from, /** @type {number} */ count) => {
    list ??= store.list(tables ?? result.tables.map(({ table }) => table), { words: sought });
    return (await list).texts(from, count);
  };
  return { total: result.total, texts };
}

/**
 * @param {App} app
 * @param {Route} route
 * @param {{table: string, rows: number}[]} tables
 */
function tableTabs(app, route, tables) {
  const { table: _, ...everywhere } = route;
  const tab = (/** @type {Route} */ to, /** @type {string} */ label, /** @type {number | null} */ rows) =>
    link(
      app,
      to,
      { class: "button", "aria-current": to.table === route.table && "page" },
      label,
      rows === null ? null : el("span", { class: "quiet small number" }, app.words.number(rows)),
    );
  return el(
    "nav",
    { class: "tabs", "aria-label": app.words.say("listTables") },
    tab(everywhere, app.words.say("listAll"), null),
    tables.slice(0, 12).map(({ table, rows }) => tab({ ...route, table }, tableLabel(app, table), rows)),
  );
}

/**
 * @param {App} app
 * @param {Hit} hit
 */
function hitLink(app, { item, title, excerpt }) {
  return link(
    app,
    { screen: "row", table: item.table, row: item.index },
    { class: "hit" },
    el("span", { class: "title" }, el("bdi", {}, marked(title))),
    el(
      "span",
      { class: "quiet small" },
      ` · ${tableLabel(app, item.table)}${whenOf(app, item) ? ` · ${whenOf(app, item)}` : ""}`,
    ),
    excerpt.length > 0 ? el("div", { class: "excerpt" }, el("bdi", {}, marked(excerpt))) : null,
  );
}

/** @param {Mark[]} marks */
function marked(marks) {
  return marks.map((mark) => (mark.hit ? el("mark", {}, mark.text) : own(mark.text)));
}
