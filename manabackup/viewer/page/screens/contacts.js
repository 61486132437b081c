/**
 * Contacts as cards.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("./screen.js").Route} Route
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {import("../store/types.js").Item} Item
 */
import { parseExact } from "../reader/json.js";
import { isLocked } from "../model/locked.js";
import { textOf } from "../model/values.js";
import { button, el, own } from "./dom.js";
import { viewTabs } from "./homes.js";
import { titleOf } from "./items.js";
import { outward } from "./outward.js";
import { appLabel, heading, link } from "./screen.js";

const PART = 120;

/**
 * @param {App} app
 * @param {Route} _route
 * @param {AbortSignal} signal
 * @returns {Promise<Screen>}
 */
export async function contactsScreen(app, _route, signal) {
  const { words, store } = app;
  const list = await store.list(["contacts"], { sort: "title" });
  signal.addEventListener("abort", () => list.release(), { once: true });
  const cards = el("ul", { class: "cards" });
  const more = async () => {
    const from = cards.childElementCount;
    const [items, texts] = await Promise.all([list.items(from, PART), list.texts(from, PART)]);
    cards.append(
      ...items.map((item, place) =>
        el("li", {}, card(app, item, parseExact(texts[place]?.text ?? "{}"), { list, place: from + place })),
      ),
    );
    moreButton.hidden = cards.childElementCount >= list.total;
  };
  const moreButton = button(words.say("showMore"), () => void more(), { class: "button no-print" });
  await more();
  const title = appLabel(app, "contacts");
  const node = el(
    "div",
    {},
    heading(title, viewTabs(app, "contacts", "contacts")),
    list.total > 0 ? cards : el("p", { class: "sheet quiet" }, words.say("nothing")),
    moreButton,
  );
  return { title, node };
}

/**
 * @param {App} app
 * @param {Item} item
 * @param {Record<string, any>} row
 * @param {Route["around"]} around
 */
function card(app, item, row, around) {
  const { words } = app;
  const said = (/** @type {string} */ name) => (isLocked(row[name]) ? "" : textOf(row[name]));
  const place = ["postalCode", "city"].map(said).filter(Boolean).join(" ");
  const address = [said("street"), place, said("country")].filter(Boolean).join(", ") || said("address");
  const lines = [
    said("jobTitle"),
    said("company") === item.title ? "" : said("company"),
    contactLink(words, "mailto", said("email")),
    contactLink(words, "tel", said("phone")),
    contactLink(words, "tel", said("mobile")),
    address,
    said("birthday") === "" ? "" : `${words.field("birthday")}: ${words.date(said("birthday"), "long")}`,
  ];
  return el(
    "article",
    { class: "card" },
    el(
      "div",
      { class: "head" },
      el("span", { class: "initials", "aria-hidden": "true" }, initials(item.title)),
      el(
        "div",
        {},
        link(app, { screen: "row", table: "contacts", row: item.index, around }, { class: "who" }, own(titleOf(app, item))),
        el(
          "div",
          {},
          item.tags.map((tag) => el("span", { class: "tag" }, own(tag))),
        ),
      ),
    ),
    el(
      "ul",
      {},
      lines.filter((line) => line !== "").map((line) => el("li", {}, typeof line === "string" ? own(line) : line)),
    ),
  );
}

/**
 * @param {import("../words/words.js").Words} words
 * @param {"mailto" | "tel"} scheme
 * @param {string} text
 * @returns {Node | ""}
 */
function contactLink(words, scheme, text) {
  if (text === "") return "";
  return outward(words, `${scheme}:${scheme === "tel" ? text.replace(/[^\d+]/g, "") : text}`, [own(text)]);
}

/** @param {string} name */
function initials(name) {
  const letters = name.split(/\s+/).map((part) => [...part][0] ?? "");
  return `${letters[0] ?? ""}${letters.length > 1 ? (letters.at(-1) ?? "") : ""}`.toUpperCase();
}
