/**
 * The first screen: whose archive, from when, whether it is whole, what is in it.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("./screen.js").Route} Route
 */
import { clockText } from "../model/describe.js";
import { moment } from "../model/moments.js";
import { isObject, textOf } from "../model/values.js";
import { activityFigure } from "./activity.js";
import { appLabel, groupsOf, heading, link } from "./screen.js";
import { el } from "./dom.js";
import { homeOf } from "./homes.js";
import { verificationNode } from "./verification.js";

/**
 * @param {App} app
 * @param {Route} _route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function startScreen(app, _route, signal) {
  const { words } = app;
  const figure = el("div", {}, el("p", { class: "quiet" }, words.say("loading")));
  const node = el(
    "div",
    {},
    heading(titleOf(app)),
    el(
      "div",
      { class: "figures" },
      el("section", { class: "sheet" }, el("h2", {}, words.say("wholeTitle")), verificationNode(app, signal)),
      el("section", { class: "sheet" }, el("h2", {}, words.say("about")), aboutNode(app)),
    ),
    el("section", { class: "sheet" }, el("h2", {}, words.say("content")), groupsNode(app)),
    el("section", { class: "sheet" }, el("h2", {}, words.say("activity")), figure),
    el("details", { class: "small quiet" }, el("summary", {}, words.say("pageAbout")), pageNode(app)),
  );
  const shown = async () => {
    const activity = app.kept.get("activity") ?? (await app.store.activity());
    app.kept.set("activity", activity);
    if (!signal.aborted) figure.replaceChildren(activityFigure(app, activity));
  };
  return {
    title: words.say("start"),
    node,
    shown: () => void shown().catch((error) => error.name === "AbortError" || figure.replaceChildren(String(error))),
  };
}

/** @param {App} app */
function titleOf({ store, words }) {
  const made = clockText(moment(store.summary.manifest.exportedAt));
  return made ? words.say("aboutOf", { date: words.date(made.slice(0, 10), "long") }) : words.say("appName");
}

/** @param {App} app */
function aboutNode({ store, words, tables }) {
  const { manifest, sealed, size } = store.summary;
  const rows = store.summary.tables.reduce((sum, table) => sum + table.rows, 0);
  const made = moment(manifest.exportedAt);
  const scope = isObject(manifest.scope) && Array.isArray(manifest.scope.appIds) ? manifest.scope.appIds : null;
  /** @type {[string, string | HTMLElement][]} */
  const facts = [
    [words.say("madeAt"), made ? words.moment(made) : textOf(manifest.exportedAt)],
    [words.say("madeBy"), textOf(manifest.producedBy)],
    [words.say("account"), textOf(manifest.userId)],
    [
      words.say("scope"),
      scope
        ? words.say("scopeFiltered", { apps: scope.map((id) => words.label(tables.app(textOf(id)).label)).join(", ") })
        : words.say("scopeFull"),
    ],
    [
      words.say("content"),
      `${words.say("rows", { count: rows })}, ${words.say("tablesCount", { count: store.summary.tables.filter((table) => table.rows > 0).length })}`,
    ],
    [words.say("gallery"), store.summary.blobs > 0 ? words.number(store.summary.blobs) : ""],
    [words.say("size"), words.bytes(size)],
    [words.say("sealed"), words.say(sealed ? "sealedYes" : "sealedNo")],
  ];
  const digest = textOf(manifest.dataSha256);
  if (digest !== "") facts.push([words.say("contentDigest"), el("span", { class: "mono" }, digest)]);
  return factList(facts);
}

/** @param {[string, string | HTMLElement][]} facts */
function factList(facts) {
  return el(
    "dl",
    { class: "facts" },
    facts
      .filter(([, value]) => value !== "")
      .flatMap(([name, value]) => [
        el("dt", {}, name),
        el("dd", {}, typeof value === "string" ? el("bdi", {}, value) : value),
      ]),
  );
}

/** @param {App} app */
function groupsNode(app) {
  return el(
    "div",
    { class: "groups" },
    groupsOf(app).map(({ label, apps }) =>
      el(
        "section",
        {},
        el("h3", {}, app.words.label(label)),
        el(
          "ul",
          {},
          apps.map(({ id, rows }) => el("li", {}, appLink(app, id, rows))),
        ),
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {string} id
 * @param {number} rows
 */
function appLink(app, id, rows) {
  return link(
    app,
    homeOf(app, id),
    {},
    el("span", {}, appLabel(app, id)),
    el("span", { class: "quiet number" }, app.words.number(rows)),
  );
}

/** @param {App} app */
function pageNode({ page, words }) {
  return el(
    "div",
    {},
    el("p", {}, words.say("pagePrivate")),
    el("p", {}, words.say("pageCompare")),
    factList([
      [words.say("pageVersion"), page.version],
      [words.say("pageDigest"), el("span", { class: "mono" }, page.digest)],
    ]),
    page.compareAt ? el("p", { class: "mono" }, page.compareAt) : null,
  );
}
