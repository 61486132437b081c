/**
 * Tasks: what is to do by project, and what is done.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 */
import { textOf } from "../model/values.js";
import { el, own } from "./dom.js";
import { viewTabs } from "./homes.js";
import { itemLink } from "./items.js";
import { allRows } from "./loading.js";
import { appLabel, heading } from "./screen.js";
import { makeList } from "./virtual.js";

const MOST = 2000;

/**
 * @param {App} app
 * @param {Route} _route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function tasksScreen(app, _route, signal) {
  const { words, store } = app;
  const [open, done, projects] = await Promise.all([
    store.list(["tasks"], { sort: "date", descending: false, filters: { done: false } }),
    store.list(["tasks"], { sort: "date", filters: { done: true } }),
    allRows(app, "todoProjects"),
  ]);
  signal.addEventListener("abort", () => [open, done].forEach((list) => list.release()), { once: true });
  const groups = await byProject(app, open, projects);
  const doneList = await makeList({
    total: done.total,
    items: (from, count) => done.items(from, count),
    render: (item, place) => itemLink(app, item, { around: { list: done, place } }),
    label: words.say("tasksDone"),
  });
  const node = el(
    "div",
    {},
    heading(appLabel(app, "todo"), viewTabs(app, "todo", "tasks")),
    groups,
    open.total > MOST ? el("p", { class: "notice" }, words.say("searchFirst", { count: MOST })) : null,
    done.total > 0
      ? el(
          "section",
          { class: "sheet" },
          el("h2", {}, `${words.say("tasksDone")} (${words.number(done.total)})`),
          doneList.node,
        )
      : null,
  );
  return { title: appLabel(app, "todo"), node, shown: doneList.shown };
}

/**
 * @param {App} app
 * @param {import("../store/client.js").List} list
 * @param {Record<string, any>[]} projects
 */
async function byProject(app, list, projects) {
  const { words } = app;
  const [items, texts] = await Promise.all([list.items(0, MOST), list.texts(0, MOST)]);
  const names = new Map(projects.map((row) => [textOf(row.id), textOf(row.name)]));
  /** @type {Map<string, HTMLElement[]>} */
  const groups = new Map();
  items.forEach((item, place) => {
    const project = names.get(textOf(JSON.parse(texts[place]?.text ?? "{}").projectId)) ?? "";
    const group = groups.get(project) ?? [];
    group.push(el("li", {}, itemLink(app, item, { around: { list, place } })));
    groups.set(project, group);
  });
  if (groups.size === 0) return [el("p", { class: "sheet quiet" }, words.say("nothing"))];
  return [...groups].map(([project, group]) =>
    el(
      "section",
      { class: "sheet" },
      el("h2", {}, project === "" ? words.say("tasksNoProject") : own(project)),
      el("ul", { class: "plain-list" }, group),
    ),
  );
}
