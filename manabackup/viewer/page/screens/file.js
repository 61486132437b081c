/**
 * A file of the archive: the picture, what is known of it, the rows that refer to it; and to take along.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").FileTold} FileTold
 */
import { button, el, own } from "./dom.js";
import { itemLink } from "./items.js";
import { isPicture, nameOf, pictureLink, pictureNode } from "./pictures.js";
import { PATIENCE, heading, link } from "./screen.js";
import { save } from "./taking.js";

/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function fileScreen(app, route, signal) {
  const { words } = app;
  const file = await app.store.fileTold(route.file ?? "", PATIENCE);
  const title = words.say("gallery");
  if (file === null) return { title, node: el("div", {}, heading(title), el("p", { class: "sheet" }, words.say("nothing"))) };
  const rows = el("div", {}, rowsNode(app, file));
  if (!file.complete)
    void app.store.fileTold(file.sha256).then(
      (whole) => signal.aborted || (whole && rows.replaceChildren(...[rowsNode(app, whole)].filter((node) => node !== null))),
      () => {},
    );
  /** @type {[string, string][]} */
  const facts = [
    [words.say("fileDate"), file.date === "" ? "" : words.date(file.date, "long")],
    [words.say("fileType"), file.type],
    [words.say("size"), words.bytes(file.size)],
    [words.say("contentDigest"), file.sha256],
  ];
  const node = el(
    "div",
    {},
    el(
      "nav",
      { class: "crumbs no-print", "aria-label": words.say("back") },
      link(app, { screen: "gallery", chosen: { kind: isPicture(file) ? "pictures" : "others" } }, {}, title),
    ),
    heading(nameOf(app, file)),
    isPicture(file) ? el("div", { class: "picture large" }, pictureNode(app, file, signal)) : null,
    el("p", { class: "no-print" }, ...takeButton(app, file)),
    el(
      "section",
      { class: "sheet reading" },
      el(
        "dl",
        { class: "facts" },
        facts
          .filter(([, value]) => value !== "")
          .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, own(value))]),
      ),
    ),
    rows,
  );
  return { title, node };
}

/**
 * The rows that a file belongs to.
 *
 * @param {App} app
 * @param {import("../store/types.js").ShownFile} file
 */
function rowsNode(app, file) {
  const { words } = app;
  if (!file.complete) return el("p", { role: "status", class: "quiet" }, `${words.say("progressReading")} …`);
  if (file.items.length === 0) return null;
  return el(
    "section",
    { class: "sheet reading" },
    el("h2", {}, words.say("fileRows")),
    el(
      "ul",
      { class: "plain-list" },
      file.items.map((item) => el("li", {}, itemLink(app, item, { withTable: true }))),
    ),
  );
}

/**
 * The files of a row.
 *
 * @param {App} app
 * @param {FileTold[]} all
 * @param {Set<FileTold>} placed those that stand in the row's texts already
 * @param {AbortSignal} signal
 */
export function filesNode(app, all, placed, signal) {
  const { words } = app;
  const files = all.filter((file) => !placed.has(file));
  if (files.length === 0) return null;
  const pictures = files.filter(isPicture);
  const others = files.filter((file) => file.lost === null && !isPicture(file));
  const lost = files.filter((file) => file.lost !== null);
  return el(
    "section",
    { class: "sheet reading" },
    el("h2", {}, words.say("rowFiles")),
    pictures.length === 0
      ? null
      : el(
          "ul",
          { class: "gallery" },
          pictures.map((file) => el("li", {}, pictureLink(app, file, signal))),
        ),
    others.length === 0
      ? null
      : el(
          "ul",
          { class: "plain-list" },
          others.map((file) => el("li", {}, link(app, { screen: "file", file: file.sha256 }, {}, own(nameOf(app, file))))),
        ),
    lost.length === 0 ? null : el("p", { class: "notice" }, words.say("filesLost", { count: lost.length })),
  );
}

/**
 * @param {App} app
 * @param {FileTold} file
 */
function takeButton(app, file) {
  const { words, store } = app;
  const state = el("span", { role: "status", class: "small quiet" });
  const take = async () => {
    try {
      save(await store.file(file.sha256), file.name === "" ? file.sha256 : file.name);
    } catch {
      state.replaceChildren(words.say("fileBroken"));
    }
  };
  return [button(words.say("fileTake"), () => void take()), " ", state];
}
