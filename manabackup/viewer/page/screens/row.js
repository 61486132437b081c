/**
 * A row as a person reads it: its text, its facts, what it is tied to, who wrote it when, and how it is stored.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").RowView} RowView
 */
import { readRow } from "../model/fields.js";
import { without } from "../model/members.js";
import { button, el, own } from "./dom.js";
import { threadNode, threadOf } from "./conversation.js";
import { factsNode } from "./facts.js";
import { filesNode } from "./file.js";
import { historyNode } from "./history.js";
import { flagsOf, titleOf, whenOf } from "./items.js";
import { TextPictures, showAll } from "./pictures.js";
import { LONGEST, textNode } from "./richtext.js";
import { PATIENCE, appLabel, heading, link, tableLabel } from "./screen.js";
import { homeOf } from "./homes.js";
import { takeNode } from "./taking.js";
import { tiesNode } from "./ties.js";
import { problemNodes } from "./verification.js";

/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function rowScreen(app, route, signal) {
  const { words } = app;
  const view = await app.store.row(route.table ?? "", route.row ?? 0, PATIENCE);
  const title = tableLabel(app, route.table ?? "");
  if (!view) return { title, node: el("div", {}, heading(title), el("p", { class: "sheet" }, words.say("nothing"))) };
  const thread = await threadOf(app, view, signal);
  const pictures = new TextPictures(app, view.files, signal);
  const beside = el("div", {}, await besideNodes(app, view));
  if (!view.complete) void fillBeside(app, view, beside, signal);
  const node = el(
    "div",
    {},
    crumbs(app, view),
    heading(titleOf(app, view.item), neighbours(app, route)),
    subtitle(app, view),
    ...sections(app, view, pictures),
    filesNode(app, view.files, pictures.placed, signal),
    thread ? threadNode(app, thread) : null,
    beside,
    ...behind(app, view),
  );
  return { title, node };
}

/**
 * What a row is tied to, and who wrote it: known when all tables were read, which may take its time.
 *
 * @param {App} app
 * @param {RowView} view
 * @returns {Promise<Node[]>}
 */
async function besideNodes(app, view) {
  if (!view.complete) return [el("p", { role: "status", class: "quiet" }, `${app.words.say("rowLinksReading")} …`)];
  const history = view.history ? historyNode(app, view.history) : null;
  return [await tiesNode(app, view), history].filter((node) => node !== null);
}

/**
 * @param {App} app
 * @param {RowView} view
 * @param {HTMLElement} beside
 * @param {AbortSignal} signal
 */
async function fillBeside(app, { item }, beside, signal) {
  try {
    const whole = await app.store.row(item.table, item.index);
    const nodes = whole ? await besideNodes(app, whole) : [];
    if (!signal.aborted) beside.replaceChildren(...nodes);
  } catch (error) {
    if (!signal.aborted) beside.replaceChildren(...problemNodes(app.words, error));
  }
}

/**
 * @param {App} app
 * @param {RowView} view
 */
function crumbs(app, { item }) {
  const same = appLabel(app, item.app) === tableLabel(app, item.table);
  return el(
    "nav",
    { class: "crumbs no-print", "aria-label": app.words.say("back") },
    link(app, homeOf(app, item.app), {}, appLabel(app, item.app)),
    same
      ? null
      : [" › ", link(app, { screen: "list", app: item.app, table: item.table }, {}, tableLabel(app, item.table))],
  );
}

/**
 * @param {App} app
 * @param {RowView} view
 */
function subtitle(app, { item }) {
  const { words } = app;
  const when = item.date
    ? words.date(item.date, "weekday")
    : item.written
      ? words.say("written", { date: whenOf(app, item) })
      : "";
  const until =
    item.dateEnd && item.date && item.dateEnd !== item.date ? ` – ${endText(app, item.date, item.dateEnd)}` : "";
  const tags = [...flagsOf(app, item), ...item.tags];
  return el(
    "p",
    { class: "subtitle" },
    when + until,
    " ",
    tags.map((tag) => el("span", { class: "tag" }, own(tag))),
  );
}

/**
 * @param {App} app
 * @param {string} from
 * @param {string} to
 */
function endText({ words }, from, to) {
  return from.slice(0, 10) === to.slice(0, 10) && to.length > 10 ? words.clock(to.slice(11)) : words.date(to, "long");
}

/**
 * @param {App} app
 * @param {RowView} view
 * @param {TextPictures} pictures
 */
function sections(app, { item, row, history }, pictures) {
  const { words } = app;
  const { texts, facts } = readRow(app.tables.table(item.table), row);
  const locked = new Set(history?.ciphertext ?? []);
  const parts = [];
  if (item.table === "quotesFavorites" && !String(row.quoteId ?? "").startsWith("custom-"))
    parts.push(el("p", { class: "notice" }, words.say("quoteOnlyId")));
  if (texts.length > 0) {
    const several = texts.length > 1;
    const read = texts.map((text) => [
      several ? el("h2", {}, own(words.field(text.path))) : null,
      locked.has(text.path)
        ? el("p", { class: "notice" }, words.say("rowCiphertext"))
        : textNode(words, text.value, text.format, several ? 2 : 1, pictures),
    ]);
    parts.push(el("section", { class: "sheet reading", "aria-label": words.say("rowTexts") }, read.flat()));
  }
  if (facts.length > 0)
    parts.push(el("section", { class: "sheet reading" }, el("h2", {}, words.say("rowFacts")), factsNode(app, facts)));
  if (parts.length === 0) parts.push(el("p", { class: "sheet reading quiet" }, words.say("rowEmpty")));
  return parts;
}

/**
 * @param {App} app
 * @param {RowView} view
 */
function behind(app, view) {
  const { words } = app;
  const stored = { table: view.item.table, text: view.raw };
  const shownRaw = without(view.raw, app.tables.table(view.item.table).secrets);
  return [
    el(
      "details",
      { class: "sheet reading" },
      el("summary", {}, words.say("rowRaw")),
      el("p", { class: "quiet small" }, words.say(shownRaw === view.raw ? "rowRawIntro" : "rowRawSecrets")),
      rawNode(app, pretty(shownRaw)),
    ),
    el(
      "div",
      { class: "reading no-print" },
      takeNode(app, { total: 1, texts: async () => [stored] }, { name: view.item.table, word: "takeRow" }),
      el(
        "p",
        {},
        button(words.say("print"), () => void showAll(document).then(() => print())),
      ),
    ),
  ];
}

/**
 * A browser takes minutes to lay out ten megabytes: all of it is shown to those who ask.
 *
 * @param {App} app
 * @param {string} text
 */
function rawNode({ words }, text) {
  const node = el("pre", { class: "raw", tabindex: 0 }, text.slice(0, LONGEST));
  if (text.length <= LONGEST) return [node];
  const said = el("p", { class: "notice" }, words.say("rowLong", { count: text.length, shown: LONGEST }), " ");
  said.append(
    button(words.say("showAll"), () => {
      node.replaceChildren(text);
      said.remove();
    }),
  );
  return [said, node];
}

/**
 * A member a line; values as they are.
 *
 * @param {string} text
 */
function pretty(text) {
  return text.length > 200_000
    ? text
    : text
        .replace(/^\{/, "{\n  ")
        .replace(/\}\s*$/, "\n}")
        .replace(/,("(?:[^"\\]|\\.)*":)/g, ",\n  $1");
}

/**
 * @param {App} app
 * @param {Route} route
 */
function neighbours(app, { around }) {
  if (!around || around.list.total < 2) return null;
  const { list, place } = around;
  const step = async (/** @type {number} */ next) => {
    const [item] = await list.items(next, 1);
    if (item) app.replace({ screen: "row", table: item.table, row: item.index, around: { list, place: next } });
  };
  return el(
    "div",
    { class: "row-of-buttons no-print" },
    button(app.words.say("previous"), () => void step(place - 1), { disabled: place <= 0 }),
    el("span", { class: "quiet small number" }, app.words.say("of", { part: place + 1, whole: list.total })),
    button(app.words.say("next"), () => void step(place + 1), { disabled: place >= list.total - 1 }),
  );
}
