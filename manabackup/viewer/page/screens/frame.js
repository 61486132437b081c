/**
 * The frame around an open archive: search, language and forgetting above; the apps at the side.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 */
import { button, el } from "./dom.js";
import { homeOf } from "./homes.js";
import { appLabel, groupsOf, link } from "./screen.js";

const TYPING = 150;

export class Frame {
  /**
   * @param {App} app
   * @param {{language: HTMLElement, onForget: () => void}} parts
   */
  constructor(app, { language, onForget }) {
    this.app = app;
    const { words } = app;
    this.content = el("main", { class: "content", id: "content", tabindex: -1 });
    this.search = el("input", {
      type: "search",
      id: "search",
      placeholder: words.say("searchPlaceholder"),
      "aria-label": words.say("searchPlaceholder"),
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.typed(),
    });
    const form = el(
      "form",
      { role: "search", class: "no-print", onsubmit: (event) => this.submit(event) },
      this.search,
    );
    this.menu = button(words.say("menu"), () => this.open(true), {
      class: "button menu-button",
      "aria-expanded": "false",
      "aria-controls": "side",
    });
    const skip = el(
      "a",
      { href: "#content", class: "skip button", onclick: (event) => this.skip(event) },
      words.say("skipToContent"),
    );
    const forget = button(words.say("forget"), onForget, { title: words.say("forgetHint") });
    this.side = el("nav", {
      class: "side",
      id: "side",
      "aria-label": words.say("content"),
      onclick: () => this.open(false),
    });
    this.side.addEventListener("keydown", (event) => event.key === "Escape" && this.open(false));
    const bar = el(
      "header",
      { class: "bar" },
      this.menu,
      link(app, { screen: "start" }, { class: "name" }, words.say("appName")),
      form,
      el("div", { class: "end" }, language, forget),
    );
    this.node = el("div", {}, skip, bar, el("div", { class: "body" }, this.side, this.content));
    this.typing = 0;
  }

  /** @param {Route} route where the reader is */
  fillSide(route) {
    const { app } = this;
    const { words } = app;
    const entry = (/** @type {Route} */ to, /** @type {string} */ label, /** @type {number | null} */ rows) =>
      el(
        "li",
        {},
        link(
          app,
          to,
          { "aria-current": isHere(to, route, app.tables.table(route.table ?? "").app) && "page" },
          el("span", {}, label),
          rows === null ? null : el("span", { class: "count number" }, words.number(rows)),
        ),
      );
    const { summary } = app.store;
    const groups = groupsOf(app).flatMap(({ label, apps }) => [
      el("h2", {}, words.label(label)),
      el(
        "ul",
        {},
        apps.map(({ id, rows }) => entry(homeOf(app, id), appLabel(app, id), rows)),
      ),
    ]);
    this.side.replaceChildren(
      button(words.say("close"), () => this.open(false), { class: "button close" }),
      el(
        "ul",
        {},
        entry({ screen: "start" }, words.say("start"), null),
        summary.filesTold ? entry({ screen: "gallery" }, words.say("gallery"), summary.blobs) : null,
      ),
      ...groups,
    );
  }

  /**
   * @param {HTMLElement} node
   * @param {{focus: boolean}} options
   */
  show(node, { focus }) {
    this.content.replaceChildren(node);
    if (!focus) return;
    const title = node.querySelector("h1");
    (title ?? this.content).focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  /** Say that what was asked for takes its time. */
  wait() {
    const label = this.app.words.say("progressReading");
    this.content.replaceChildren(el("p", { role: "status", class: "quiet" }, `${label} …`), el("progress", { "aria-label": label }));
  }

  /** @param {boolean} open the apps on a narrow screen */
  open(open) {
    this.side.classList.toggle("open", open);
    this.menu.setAttribute("aria-expanded", String(open));
    if (open) this.side.querySelector("button")?.focus();
    else if (this.side.contains(document.activeElement)) this.menu.focus();
  }

  /** @private */
  typed() {
    clearTimeout(this.typing);
    this.typing = window.setTimeout(() => this.look(), TYPING);
  }

  /** @private */
  look() {
    const words = this.search.value.trim();
    if (words !== "") this.app.replace({ screen: "search", words });
  }

  /**
   * @private
   * @param {Event} event
   */
  submit(event) {
    event.preventDefault();
    clearTimeout(this.typing);
    this.look();
  }

  /**
   * @private
   * @param {Event} event
   */
  skip(event) {
    event.preventDefault();
    this.content.focus();
  }
}

/**
 * @param {Route} to
 * @param {Route} route
 * @param {string} owner the app whose row is shown, or ""
 */
function isHere(to, route, owner) {
  if (to.screen === "gallery") return route.screen === "gallery" || route.screen === "file";
  if (to.screen === "start") return route.screen === "start";
  const here = route.screen === "row" ? owner : route.app;
  return to.app === here && here !== undefined;
}
