/**
 * The page: opens an archive, shows its screens one at a time, and forgets.
 *
 * Where the reader is, and what was searched for, is kept in memory alone: a browser's history, which stays on the disk,
 * holds numbers.
 *
 * @typedef {import("./screens/screen.js").App} App
 * @typedef {import("./screens/screen.js").Route} Route
 * @typedef {import("./screens/screen.js").ShowScreen} ShowScreen
 *
 * @typedef {object} Start
 * @property {any} modules the content of `formats/modules.json`
 * @property {string} code the page's script, which the worker is made of
 * @property {Blob | null} archive that the page holds
 * @property {string} version
 * @property {string} digest
 * @property {string} compareAt
 * @property {string} [language]
 */
import { Tables } from "./model/tables.js";
import { calendarScreen } from "./screens/calendar.js";
import { contactsScreen } from "./screens/contacts.js";
import { daysScreen } from "./screens/days.js";
import { el } from "./screens/dom.js";
import { failureNode } from "./screens/failure.js";
import { fileScreen } from "./screens/file.js";
import { Frame } from "./screens/frame.js";
import { galleryScreen } from "./screens/gallery.js";
import { Idle } from "./screens/idle.js";
import { listScreen } from "./screens/list.js";
import { OpeningProgress, openingNode, problemNode } from "./screens/opening.js";
import { rowScreen } from "./screens/row.js";
import { searchScreen } from "./screens/search.js";
import { startScreen } from "./screens/start.js";
import { tasksScreen } from "./screens/tasks.js";
import { Store } from "./store/client.js";
import { languageOf, Words } from "./words/words.js";

/** @type {Map<string, ShowScreen>} */
const SCREENS = new Map([
  ["start", startScreen],
  ["list", listScreen],
  ["row", rowScreen],
  ["calendar", calendarScreen],
  ["days", daysScreen],
  ["contacts", contactsScreen],
  ["tasks", tasksScreen],
  ["search", searchScreen],
  ["gallery", galleryScreen],
  ["file", fileScreen],
]);

/** Milliseconds until it is said that a screen takes its time. */
const SLOW = 1500;

/** @param {Start} options */
export function start(options) {
  const viewer = new Viewer(options);
  if (options.archive) void viewer.open(options.archive);
  else viewer.close("");
}

class Viewer {
  /** @param {Start} options */
  constructor(options) {
    this.options = options;
    this.tables = new Tables(options.modules);
    const wanted = options.language === undefined ? [] : [options.language];
    this.words = new Words(languageOf([...wanted, ...navigator.languages]), navigator.languages);
    /** @type {App | null} */
    this.app = null;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {{route: Route, scroll: number}[]} */
    this.visited = [];
    this.place = 0;
    this.screen = new AbortController();
    this.opening = new AbortController();
    this.idle = new Idle(() => this.close(this.words.say("forgottenIdle")));
    this.root = el("div", { id: "app" });
    document.getElementById("waiting")?.remove();
    document.body.append(this.root);
    document.documentElement.lang = this.words.language;
    history.scrollRestoration = "manual";
    window.addEventListener("popstate", (event) => void this.popped(event.state));
    // A page that a browser keeps for "back" would keep the key as well.
    window.addEventListener("pagehide", () => this.app && this.close(this.words.say("forgotten")));
  }

  /** @param {Blob} blob */
  async open(blob) {
    this.forget();
    const opening = new AbortController();
    this.opening = opening;
    const progress = new OpeningProgress(this.words, () => this.close(""));
    this.put(progress.node, this.words.say("openTitle"));
    try {
      const store = await Store.open(blob, {
        modules: this.options.modules,
        code: this.options.code,
        signal: opening.signal,
        onProgress: (step) => progress.show(step),
        passphrase: (outer, wrong) => progress.ask(outer, wrong),
      });
      this.opened(store);
    } catch (error) {
      if (opening.signal.aborted) return;
      const cancelled = /** @type {any} */ (error).verdict === "needsPassphrase";
      if (cancelled) this.close("");
      else
        this.put(
          problemNode(this.words, error, () => this.close("")),
          this.words.say("openTitle"),
        );
    }
  }

  /**
   * @private
   * @param {Store} store
   */
  opened(store) {
    const { version, digest, compareAt } = this.options;
    this.app = {
      store,
      words: this.words,
      tables: this.tables,
      page: { version, digest, compareAt },
      verification: { result: null, failure: null, part: 0, changed: new EventTarget() },
      kept: new Map(),
      go: (route) => void this.go(route),
      replace: (route) => void this.replace(route),
    };
    this.visited = [{ route: { screen: "start" }, scroll: 0 }];
    this.place = 0;
    history.replaceState({ place: 0 }, "");
    this.idle.start();
    this.build();
    void this.show(true).then(() => this.verify());
  }

  /** @private */
  build() {
    if (!this.app) return;
    this.frame = new Frame(this.app, {
      language: this.languagePicker(),
      onForget: () => this.close(this.words.say("forgotten")),
    });
    this.put(this.frame.node, this.words.say("appName"));
  }

  /** Verify everything, then make the index of words: what the reader does meanwhile goes first. @private */
  async verify() {
    const { app } = this;
    if (!app) return;
    const { verification, store } = app;
    const tell = () => verification.changed.dispatchEvent(new Event("change"));
    try {
      verification.result = await store.verify(({ done, total }) => {
        verification.part = total > 0 ? done / total : 0;
        tell();
      });
    } catch (error) {
      verification.failure = error instanceof Error ? error : new Error(String(error));
    }
    tell();
    await store.index().catch(() => {});
  }

  /**
   * @private
   * @param {Route} route
   */
  go(route) {
    this.keepScroll();
    this.visited.length = this.place + 1;
    this.visited.push({ route, scroll: 0 });
    this.place += 1;
    history.pushState({ place: this.place }, "");
    return this.show(true);
  }

  /**
   * Filters, months and words that are being typed are no steps of their own; the first word is one.
   *
   * @private
   * @param {Route} route
   */
  replace(route) {
    const here = this.visited[this.place];
    if (!here || here.route.screen !== route.screen) {
      this.keepScroll();
      this.visited.length = this.place + 1;
      this.place += 1;
      history.pushState({ place: this.place }, "");
    }
    this.visited[this.place] = { route, scroll: 0 };
    return this.show(false);
  }

  /** @private */
  keepScroll() {
    const here = this.visited[this.place];
    if (here) here.scroll = window.scrollY;
  }

  /**
   * @private
   * @param {any} state
   */
  async popped(state) {
    const place = state?.place;
    if (!this.app || !Number.isInteger(place) || !this.visited[place]) return;
    this.keepScroll();
    this.place = place;
    await this.show(true);
    window.scrollTo(0, this.visited[place]?.scroll ?? 0);
  }

  /**
   * @private
   * @param {boolean} focus
   */
  async show(focus) {
    const { app, frame } = this;
    const route = this.visited[this.place]?.route;
    const make = SCREENS.get(route?.screen ?? "start");
    if (!app || !frame || !route || !make) return;
    this.screen.abort();
    const screen = new AbortController();
    this.screen = screen;
    frame.fillSide(route);
    if (route.screen !== "search" && frame.search.value !== "" && focus) frame.search.value = "";
    const focused = document.activeElement?.id;
    frame.content.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => screen.signal.aborted || frame.wait(), SLOW);
    try {
      const made = await make(app, route, screen.signal);
      if (screen.signal.aborted) return;
      frame.show(made.node, { focus });
      document.title = `${made.title} – Mana`;
      made.shown?.();
      if (!focus && focused && focused !== "search") document.getElementById(focused)?.focus();
    } catch (error) {
      if (!screen.signal.aborted) frame.show(failureNode(app, route, error), { focus });
    } finally {
      clearTimeout(slow);
      if (!screen.signal.aborted) frame.content.removeAttribute("aria-busy");
    }
  }

  /** Let go of key and rows, and of all that was shown. */
  forget() {
    this.screen.abort();
    this.opening.abort();
    this.idle.stop();
    this.app?.store.forget();
    this.app?.kept.clear();
    this.app = null;
    this.frame = null;
    this.visited = [];
    this.root.replaceChildren();
  }

  /**
   * Forget, and wait for an archive.
   *
   * @param {string} message
   */
  close(message) {
    this.forget();
    const node = openingNode({
      words: this.words,
      inside: this.options.archive,
      message,
      onFile: (blob) => void this.open(blob),
      language: this.languagePicker(message),
    });
    this.put(node, this.words.say("openTitle"));
  }

  /**
   * @private
   * @param {HTMLElement} node
   * @param {string} title
   */
  put(node, title) {
    this.root.replaceChildren(node);
    document.title = `${title} – Mana`;
  }

  /**
   * @private
   * @param {string} [message]
   */
  languagePicker(message = "") {
    const choose = (/** @type {any} */ event) => {
      this.words = new Words(event.target.value, navigator.languages);
      document.documentElement.lang = this.words.language;
      if (!this.app) {
        this.close(message);
        return;
      }
      this.app.words = this.words;
      this.build();
      void this.show(true);
    };
    const option = (/** @type {string} */ value, /** @type {string} */ name) =>
      el("option", { value, lang: value, selected: value === this.words.language }, name);
    return el(
      "select",
      { id: "language", "aria-label": this.words.say("language"), onchange: choose },
      option("de", "Deutsch"),
      option("en", "English"),
    );
  }
}
