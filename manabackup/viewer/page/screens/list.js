/**
 * The rows of an app, or of one of its tables: sorted, filtered, scrolled.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").Facets} Facets
 * @typedef {import("../store/types.js").ListOptions} ListOptions
 */
import { el, picker } from "./dom.js";
import { viewTabs } from "./homes.js";
import { itemLink } from "./items.js";
import { PATIENCE, appLabel, brokenNode, heading, link, mainTablesOf, rowsOf, tableLabel, tablesOf } from "./screen.js";
import { takeNode } from "./taking.js";
import { makeList } from "./virtual.js";


/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function listScreen(app, route, signal) {
  const { words, store } = app;
  const id = route.app ?? "";
  const tables = route.table ? [route.table] : mainTablesOf(app, id);
  const options = optionsOf(route.chosen ?? {});
  const list = await store.list(tables, { ...options, patience: PATIENCE });
  signal.addEventListener("abort", () => list.release(), { once: true });
  const facets = list.complete ? await facetsOf(app, tables) : null;
  if (!facets)
    void facetsOf(app, tables).then(
      () => signal.aborted || app.replace(route),
      () => {},
    );
  const made = await makeList({
    total: list.total,
    items: (from, count) => list.items(from, count),
    render: (item, place) => itemLink(app, item, { around: { list, place }, withTable: tables.length > 1 }),
    label: appLabel(app, id),
  });
  const node = el(
    "div",
    {},
    heading(appLabel(app, id), viewTabs(app, id, "list")),
    tableTabs(app, route),
    facets ? toolbar(app, route, facets) : null,
    el(
      "div",
      { class: "heading" },
      el("p", { class: "quiet", role: "status" }, countText(app, list.total, facets)),
      facets
        ? takeNode(app, list, { name: id, word: "takeList" })
        : el("progress", { "aria-label": words.say("progressReading") }),
    ),
    brokenNode(
      app,
      list.broken.filter((table) => tables.includes(table)),
    ),
    list.left > 0 ? el("p", { class: "notice" }, words.say("searchLeft", { count: list.left })) : null,
    list.total > 0 ? made.node : el("p", { class: "sheet quiet" }, words.say(emptyWord(facets))),
  );
  return { title: appLabel(app, id), node, shown: made.shown };
}

/**
 * @param {App} app
 * @param {number} total
 * @param {Facets | null} facets
 */
function countText({ words }, total, facets) {
  if (!facets) return `${words.say("progressReading")} …`;
  const whole = words.say("rows", { count: facets.rows });
  return total === facets.rows ? whole : words.say("of", { part: total, whole });
}

/** @param {Facets | null} facets */
function emptyWord(facets) {
  if (!facets) return "loading";
  return facets.rows > 0 ? "filterNone" : "nothing";
}

/**
 * @param {App} app
 * @param {string[]} tables
 * @returns {Promise<Facets>}
 */
async function facetsOf(app, tables) {
  const key = `facets ${tables.join(" ")}`;
  const facets = app.kept.get(key) ?? (await app.store.facets(tables));
  app.kept.set(key, facets);
  return facets;
}

/**
 * @param {Record<string, string>} chosen
 * @returns {ListOptions}
 */
function optionsOf(chosen) {
  /** @type {import("../store/types.js").Filters} */
  const filters = {};
  if (chosen.tag) filters.tags = [chosen.tag];
  if (chosen.from) filters.from = chosen.from;
  if (chosen.to) filters.to = chosen.to;
  if (chosen.space !== undefined && chosen.space !== "*") filters.space = chosen.space;
  if (chosen.state === "living") filters.archived = false;
  if (chosen.state === "archived") filters.archived = true;
  if (chosen.state === "deleted") filters.deleted = true;
  if (chosen.state === "open") filters.done = false;
  if (chosen.state === "done") filters.done = true;
  const sort = chosen.sort ?? "dateDown";
  return {
    sort: sort === "title" ? "title" : sort === "table" ? "table" : "date",
    descending: sort === "dateDown",
    filters,
    ...(chosen.words ? { words: chosen.words } : {}),
  };
}

/**
 * @param {App} app
 * @param {Route} route
 */
export function tableTabs(app, route) {
  const id = route.app ?? "";
  const tables = tablesOf(app, id);
  if (tables.length < 2) return null;
  const tab = (/** @type {string | undefined} */ table, /** @type {string} */ label, /** @type {number} */ rows) =>
    link(
      app,
      { screen: "list", app: id, ...(table ? { table } : {}) },
      { class: "button", "aria-current": route.table === table && "page" },
      label,
      el("span", { class: "quiet small number" }, app.words.number(rows)),
    );
  const main = mainTablesOf(app, id);
  const all =
    main.length > 1
      ? [
          tab(
            undefined,
            app.words.say("listAll"),
            main.reduce((sum, table) => sum + rowsOf(app, table), 0),
          ),
        ]
      : [];
  const behind = tables.filter(
    (table) => /^junction|^technical$/.test(app.tables.table(table).role) && !main.includes(table),
  );
  const seen = tables.filter((table) => !behind.includes(table));
  const only = main.length === 1 ? main[0] : undefined;
  return el(
    "nav",
    { class: "tabs", "aria-label": app.words.say("listTables") },
    all,
    seen.map((table) => tab(table === only ? undefined : table, tableLabel(app, table), rowsOf(app, table))),
    behind.length > 0
      ? el(
          "details",
          { open: behind.includes(route.table ?? "") },
          el("summary", {}, app.words.say("others")),
          behind.map((table) => tab(table, tableLabel(app, table), rowsOf(app, table))),
        )
      : null,
  );
}

/**
 * @param {App} app
 * @param {Route} route
 * @param {Facets} facets
 */
function toolbar(app, route, facets) {
  const { words } = app;
  const chosen = route.chosen ?? {};
  const choose = (/** @type {string} */ name) => (/** @type {string} */ value) => {
    const { [name]: _, ...rest } = chosen;
    app.replace({ ...route, chosen: value === "" ? rest : { ...rest, [name]: value } });
  };
  const any = { value: "", label: words.say("filterAny") };
  const sorts = ["dateDown", "dateUp", "title", "table"].map((value) => ({
    value,
    label: words.say(`sort${value.charAt(0).toUpperCase()}${value.slice(1)}`),
  }));
  const search = el("input", {
    type: "search",
    id: "filter-words",
    value: chosen.words ?? "",
    autocomplete: "off",
    onchange: (event) => choose("words")(event.target.value.trim()),
  });
  return el(
    "div",
    { class: "toolbar no-print", role: "group", "aria-label": words.say("filter") },
    el("div", { class: "pick" }, el("label", { for: "filter-words" }, words.say("filterWords")), search),
    picker(words.say("listSort"), "filter-sort", sorts, chosen.sort ?? "dateDown", choose("sort")),
    facets.tags.length > 0
      ? picker(
          words.say("filterTag"),
          "filter-tag",
          [any, ...facets.tags.slice(0, 500).map(({ tag, rows }) => ({ value: tag, label: `${tag} (${rows})` }))],
          chosen.tag ?? "",
          choose("tag"),
        )
      : null,
    facets.years.length > 1 ? yearPickers(app, facets, chosen, choose) : null,
    facets.spaces.length > 1
      ? picker(
          words.say("filterSpace"),
          "filter-space",
          [
            { value: "*", label: words.say("filterAny") },
            ...facets.spaces.map((space) => ({ value: space.space, label: spaceLabel(app, space) })),
          ],
          chosen.space ?? "*",
          choose("space"),
        )
      : null,
    statePicker(app, facets, chosen, choose),
    Object.keys(chosen).length > 0
      ? el(
          "button",
          { type: "button", class: "button plain", onclick: () => app.replace({ ...route, chosen: {} }) },
          words.say("filterReset"),
        )
      : null,
  );
}

/**
 * @param {App} app
 * @param {Facets} facets
 * @param {Record<string, string>} chosen
 * @param {(name: string) => (value: string) => void} choose
 */
function yearPickers({ words }, facets, chosen, choose) {
  const years = [
    { value: "", label: words.say("filterAny") },
    ...facets.years.map(({ year }) => ({ value: year, label: year })).reverse(),
  ];
  return [
    picker(words.say("filterFrom"), "filter-from", years, chosen.from ?? "", choose("from")),
    picker(words.say("filterTo"), "filter-to", years, chosen.to ?? "", choose("to")),
  ];
}

/**
 * @param {App} app
 * @param {Facets} facets
 * @param {Record<string, string>} chosen
 * @param {(name: string) => (value: string) => void} choose
 */
function statePicker({ words }, facets, chosen, choose) {
  const states = [{ value: "", label: words.say("filterAny") }];
  if (facets.archived > 0)
    states.push(
      { value: "living", label: words.say("filterLiving") },
      { value: "archived", label: words.say("filterArchived") },
    );
  if (facets.done > 0)
    states.push({ value: "open", label: words.say("filterOpen") }, { value: "done", label: words.say("filterDone") });
  if (facets.deleted > 0) states.push({ value: "deleted", label: words.say("filterDeleted") });
  return states.length > 1
    ? picker(words.say("filterState"), "filter-state", states, chosen.state ?? "", choose("state"))
    : null;
}

/**
 * @param {App} app
 * @param {{space: string, type: string | null, rows: number}} space
 */
function spaceLabel({ words }, { space, type, rows }) {
  const name = type === "personal" || space.startsWith("_personal:") ? words.say("spacePersonal") : (type ?? "");
  const short = space === "" ? "–" : space.slice(0, 12);
  return `${[name, short].filter((part) => part !== "").join(" · ")} (${rows})`;
}
