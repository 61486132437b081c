/**
 * Take along: a row, a list or the hits of a search as a file.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../model/take.js").Stored} Stored
 */
import { toCsv, toJson, toMarkdown } from "../model/take.js";
import { button, el } from "./dom.js";
import { speakerOf } from "./speaking.js";

const CHUNK = 500;

/** @type {[string, string, string][]} label, ending, type */
const KINDS = [
  ["JSON", "json", "application/json"],
  ["CSV", "csv", "text/csv"],
  ["Markdown", "md", "text/markdown"],
];

/**
 * @param {App} app
 * @param {{total: number, texts: (from: number, count: number) => Promise<Stored[]>}} rows
 * @param {{name: string, word: string}} options of the file, without its ending; and what it is called on the screen
 */
export function takeNode(app, rows, { name, word }) {
  const { words } = app;
  const state = el("p", { role: "status", class: "small quiet" });
  const take = async (/** @type {string} */ ending, /** @type {string} */ type) => {
    const stored = await allOf(rows, (part) =>
      state.replaceChildren(words.say("of", { part, whole: words.say("takeBig", { count: rows.total }) })),
    );
    save(new Blob([textOf(app, stored, ending)], { type: `${type};charset=utf-8` }), `${name}.${ending}`);
    state.replaceChildren(words.say("takeBig", { count: stored.length }));
  };
  return el(
    "details",
    { class: "take no-print" },
    el("summary", {}, words.say("take")),
    el("p", { class: "small quiet" }, words.say("takeNote")),
    el(
      "div",
      { class: "row-of-buttons" },
      el("span", {}, words.say(word)),
      KINDS.map(([label, ending, type]) => button(label, () => void take(ending, type))),
    ),
    state,
  );
}

/**
 * @param {App} app
 * @param {Stored[]} rows
 * @param {string} ending
 */
function textOf(app, rows, ending) {
  if (ending === "json") return toJson(app.tables, rows);
  return ending === "csv" ? toCsv(app.tables, rows) : toMarkdown(app.tables, rows, speakerOf(app));
}

/**
 * @param {{total: number, texts: (from: number, count: number) => Promise<Stored[]>}} rows
 * @param {(done: number) => void} onPart
 */
async function allOf(rows, onPart) {
  /** @type {Stored[]} */
  const stored = [];
  for (let from = 0; from < rows.total; from += CHUNK) {
    for (const row of await rows.texts(from, Math.min(CHUNK, rows.total - from))) stored.push(row);
    onPart(stored.length);
  }
  return stored;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  const anchor = el("a", { href: address, download: name, hidden: true });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
