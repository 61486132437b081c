/**
 * What a row is tied to, in both directions. Rows that only tie two others together give way to the other one.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").Item} Item
 * @typedef {import("../store/types.js").RowView} RowView
 */
import { THREADS } from "./conversation.js";
import { el } from "./dom.js";
import { itemLink } from "./items.js";
import { brokenNode } from "./screen.js";

const PAIRS = 50;
const SHOWN = 200;

/**
 * @param {App} app
 * @param {RowView} view
 * @returns {Promise<HTMLElement | null>} null where it is tied to nothing
 */
export async function tiesNode(app, view) {
  const { words } = app;
  const messages = THREADS.get(view.item.table)?.table;
  const pairs = view.linksIn.filter(({ item }) => item.table === "manaLinks");
  const others = view.linksIn.map(({ item }) => item).filter((item) => isThing(app, item) && item.table !== messages);
  const out = [
    ...view.linksOut.map(({ item }) => item),
    ...(await farEnds(
      app,
      view.item,
      pairs.map(({ item }) => item),
    )),
  ];
  const broken = brokenNode(app, view.broken);
  if (out.length + others.length + view.linksMissing.length === 0 && broken === null) return null;
  const missing = view.linksMissing.length;
  return el(
    "section",
    { class: "sheet reading" },
    el("h2", {}, words.say("rowLinks")),
    listOf(app, "rowLinksOut", out),
    listOf(app, "rowLinksIn", others),
    broken,
    missing > 0 ? el("p", { class: "quiet small" }, words.say("rowLinksMissing", { count: missing })) : null,
  );
}

/**
 * Pairs with tags are shown as tags, and `manaLinks` by what is at their other end.
 *
 * @param {App} app
 * @param {Item} item
 */
function isThing(app, item) {
  const { role } = app.tables.table(item.table);
  return role !== "junction" && item.table !== "manaLinks";
}

/**
 * @param {App} app
 * @param {Item} here
 * @param {Item[]} pairs
 * @returns {Promise<Item[]>}
 */
async function farEnds(app, here, pairs) {
  const views = await Promise.all(pairs.slice(0, PAIRS).map((pair) => app.store.row(pair.table, pair.index)));
  const ends = views.flatMap((view) => view?.linksOut.map(({ item }) => item) ?? []);
  return ends.filter((item) => item.table !== here.table || item.id !== here.id);
}

/**
 * @param {App} app
 * @param {string} word
 * @param {Item[]} items
 */
function listOf(app, word, items) {
  if (items.length === 0) return null;
  const { words } = app;
  return [
    el("h3", {}, words.say(word)),
    el(
      "ul",
      { class: "plain-list" },
      items.slice(0, SHOWN).map((item) => el("li", {}, itemLink(app, item, { withTable: true }))),
    ),
    items.length > SHOWN ? el("p", { class: "quiet small" }, words.say("searchFirst", { count: SHOWN })) : null,
  ].filter((part) => part !== null);
}
