/**
 * Who wrote which field when, as the archive tells in `meta/`.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").History} History
 * @typedef {import("../store/types.js").Written} Written
 */
import { moment } from "../model/moments.js";
import { el, own } from "./dom.js";
import { actorText } from "./speaking.js";

/**
 * @param {App} app
 * @param {History} history
 */
export function historyNode(app, history) {
  const { words } = app;
  /** @type {[string, Written][]} */
  const lines = [
    ...Object.entries(history.fields).map(
      ([field, written]) => /** @type {[string, Written]} */ ([words.field(field), written]),
    ),
    [words.say("rowHistoryRest"), history.row],
  ];
  lines.sort((a, b) => ((a[1].at ?? "") < (b[1].at ?? "") ? 1 : -1));
  return el(
    "details",
    { class: "sheet reading" },
    el("summary", {}, words.say("rowHistory")),
    el("p", { class: "quiet small" }, words.say("rowHistoryIntro")),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ["rowField", "rowWhen", "rowWho"].map((key) => el("th", { scope: "col" }, words.say(key))),
        ),
      ),
      el(
        "tbody",
        {},
        lines.map(([field, written]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, own(field)),
            el("td", {}, timeNode(app, written.at)),
            el("td", {}, own(actorText(words, written.actor))),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {App} app
 * @param {string | null} at
 */
function timeNode({ words }, at) {
  const found = moment(at);
  if (!found) return own(at ?? words.say("rowHistoryUnknown"));
  return el("time", { datetime: at, title: at }, words.moment(found));
}
