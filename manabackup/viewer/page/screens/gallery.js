/**
 * The archive's files: pictures by day, others as a list, and what could not be had.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").Gallery} Gallery
 * @typedef {import("../store/types.js").ShownFile} ShownFile
 */
import { button, el, own } from "./dom.js";
import { nameOf, pictureLink } from "./pictures.js";
import { PATIENCE, heading, link } from "./screen.js";

const PART = 120;

/**
 * @param {App} app
 * @param {Route} route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function galleryScreen(app, route, signal) {
  const { words, store } = app;
  const first = await store.gallery(true, 0, PART, PATIENCE);
  const pictures = first.pictures > 0 && route.chosen?.kind !== "others";
  const shown = pictures ? first : await store.gallery(false, 0, PART, PATIENCE);
  if (!shown.complete)
    void store.gallery(pictures, 0, 0).then(
      () => signal.aborted || app.replace(route),
      () => {},
    );
  const total = pictures ? first.pictures : first.others;
  const list = pictures ? new Days(app, signal) : new Names(app);
  list.add(shown.files);
  const more = button(words.say("showMore"), () => void next(), { class: "button no-print" });
  const next = async () => {
    list.add((await store.gallery(pictures, list.count, PART, shown.complete ? undefined : 0)).files);
    more.hidden = list.count >= total;
  };
  more.hidden = list.count >= total;
  const node = el(
    "div",
    {},
    heading(words.say("gallery"), tabs(app, pictures, first)),
    lostNode(app, first),
    shown.complete ? null : el("p", { role: "status", class: "quiet" }, `${words.say("progressReading")} …`),
    total > 0 ? list.node : el("p", { class: "sheet quiet" }, words.say("nothing")),
    more,
  );
  return { title: words.say("gallery"), node };
}

/** Pictures in their days. */
class Days {
  /**
   * @param {App} app
   * @param {AbortSignal} signal
   */
  constructor(app, signal) {
    this.app = app;
    this.signal = signal;
    this.count = 0;
    this.day = "?";
    this.row = el("ul", { class: "gallery" });
    this.node = el("div", {});
  }

  /** @param {ShownFile[]} files */
  add(files) {
    const { words } = this.app;
    for (const file of files) {
      const day = file.date.slice(0, 10);
      if (day !== this.day) {
        this.day = day;
        this.row = el("ul", { class: "gallery" });
        const title = day === "" ? words.say("fileUndated") : words.date(day, day.length === 10 ? "weekday" : "long");
        this.node.append(el("section", { class: "gallery-day" }, el("h2", {}, title), this.row));
      }
      this.row.append(el("li", {}, pictureLink(this.app, file, this.signal)));
    }
    this.count += files.length;
  }
}

/** Other files, by their names. */
class Names {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.count = 0;
    this.node = el("ul", { class: "plain-list sheet-list" });
  }

  /** @param {ShownFile[]} files */
  add(files) {
    const { app } = this;
    const { words } = app;
    this.node.append(
      ...files.map((file) =>
        el(
          "li",
          {},
          link(
            app,
            { screen: "file", file: file.sha256 },
            { class: "hit" },
            el("span", { class: "title" }, own(nameOf(app, file))),
            el(
              "div",
              { class: "quiet small" },
              [file.date === "" ? "" : words.date(file.date), file.type, words.bytes(file.size)].filter(Boolean).join(" · "),
            ),
          ),
        ),
      ),
    );
    this.count += files.length;
  }
}

/**
 * @param {App} app
 * @param {boolean} pictures whether they are shown
 * @param {Gallery} gallery
 */
function tabs(app, pictures, gallery) {
  if (gallery.pictures === 0 || gallery.others === 0) return null;
  const { words } = app;
  const tab = (/** @type {string} */ kind, /** @type {string} */ word, /** @type {number} */ count, /** @type {boolean} */ here) =>
    link(
      app,
      { screen: "gallery", chosen: { kind } },
      { class: "button", "aria-current": here && "page" },
      words.say(word),
      el("span", { class: "quiet small number" }, words.number(count)),
    );
  return el(
    "nav",
    { class: "row-of-buttons no-print", "aria-label": words.say("gallery") },
    tab("pictures", "galleryPictures", gallery.pictures, pictures),
    tab("others", "galleryOthers", gallery.others, !pictures),
  );
}

/**
 * @param {App} app
 * @param {Gallery} gallery
 */
function lostNode({ words }, { lost }) {
  if (lost.length === 0) return null;
  const count = lost.reduce((sum, { files }) => sum + files, 0);
  const said = (/** @type {string} */ reason) => {
    const key = `fileLost${reason.charAt(0).toUpperCase()}${reason.slice(1)}`;
    return words.has(key) ? words.say(key) : reason;
  };
  return el(
    "details",
    { class: "notice" },
    el("summary", {}, words.say("filesLost", { count })),
    el(
      "ul",
      {},
      lost.map(({ reason, files }) => el("li", {}, `${words.number(files)} – `, own(said(reason)))),
    ),
  );
}
