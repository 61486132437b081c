/**
 * A screen that could not be made: what is wrong, and the ways to what is not.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 */
import { el } from "./dom.js";
import { viewTabs } from "./homes.js";
import { tableTabs } from "./list.js";
import { appLabel, heading, link } from "./screen.js";
import { problemNodes } from "./verification.js";

/**
 * @param {App} app
 * @param {Route} route that led here
 * @param {unknown} error
 * @returns {HTMLElement}
 */
export function failureNode(app, route, error) {
  const { words, tables } = app;
  const id = route.app ?? (route.table ? tables.table(route.table).app : undefined);
  if (id === undefined) return el("div", {}, heading(words.say("appName")), problemNodes(words, error), toStart(app));
  return el(
    "div",
    {},
    heading(appLabel(app, id), viewTabs(app, id, route.screen)),
    tableTabs(app, { ...route, app: id }),
    problemNodes(words, error),
    toStart(app),
  );
}

/** @param {App} app */
function toStart(app) {
  return el("p", {}, link(app, { screen: "start" }, { class: "button" }, app.words.say("start")));
}
