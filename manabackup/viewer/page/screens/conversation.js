/**
 * Conversations as such: with assistants, in the playground, with figures of guessing games.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").RowView} RowView
 * @typedef {{messages: Record<string, any>[], kind: Thread, pictures: TextPictures}} Found
 *
 * @typedef {object} Thread
 * @property {string} table of the messages
 * @property {string} field that names the conversation
 * @property {string} who says it
 * @property {string} text
 * @property {string | null} order
 */
import { textOf } from "../model/values.js";
import { el, own } from "./dom.js";
import { TextPictures } from "./pictures.js";
import { textNode } from "./richtext.js";

/** @type {Map<string, Thread>} */
export const THREADS = new Map([
  ["conversations", { table: "messages", field: "conversationId", who: "sender", text: "messageText", order: null }],
  [
    "playgroundConversations",
    { table: "playgroundMessages", field: "conversationId", who: "role", text: "content", order: "order" },
  ],
  ["whoGames", { table: "whoMessages", field: "gameId", who: "sender", text: "content", order: null }],
]);

/**
 * @param {App} app
 * @param {RowView} view
 * @param {AbortSignal} signal
 * @returns {Promise<Found | null>} null where the row is no conversation
 */
export async function threadOf(app, { item }, signal) {
  const kind = THREADS.get(item.table);
  if (!kind) return null;
  const messages = (await app.store.linked(kind.table, kind.field, item.id)).filter(
    (row) => textOf(row.deletedAt) === "",
  );
  const { order } = kind;
  if (order) messages.sort((a, b) => Number(textOf(a[order])) - Number(textOf(b[order])));
  const files = await app.store.filesOf(
    kind.table,
    messages.map((row) => textOf(row.id)),
  );
  return { messages, kind, pictures: new TextPictures(app, files, signal) };
}

/**
 * @param {App} app
 * @param {Found} found
 */
export function threadNode(app, { messages, kind, pictures }) {
  const { words } = app;
  const labels = app.tables.table(kind.table).enums.get(kind.who);
  const bubble = (/** @type {Record<string, any>} */ row) => {
    const who = textOf(row[kind.who]);
    const label = labels?.get(who);
    const mine = who === "user";
    return el(
      "li",
      { class: mine ? "mine" : "" },
      el("div", { class: "from" }, own(label ? words.label(label) : who)),
      textNode(
        words,
        row[kind.text],
        mine ? "plain" : (app.tables.table(kind.table).texts.get(kind.text) ?? "plain"),
        2,
        pictures,
      ),
    );
  };
  if (messages.length === 0) return el("p", { class: "quiet" }, words.say("conversationNone"));
  return el(
    "section",
    {},
    el("h2", { class: "visually-hidden" }, words.say("conversationWith")),
    el("ol", { class: "chat" }, messages.map(bubble)),
    kind.order === null ? el("p", { class: "quiet small" }, words.say("conversationOrder")) : null,
  );
}
