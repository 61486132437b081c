/**
 * Whether the archive is whole: verified here, while one looks, and what its maker said was missing.
 *
 * @typedef {import("./screen.js").App} App
 */
import { isObject, textOf } from "../model/values.js";
import { ArchiveProblem } from "../reader/problem.js";
import { el } from "./dom.js";

/**
 * @param {App} app
 * @param {AbortSignal} signal
 */
export function verificationNode(app, signal) {
  const node = el("div", { "aria-live": "polite" });
  const draw = () => node.replaceChildren(...stateOf(app), completenessNode(app));
  app.verification.changed.addEventListener("change", draw, { signal });
  draw();
  return node;
}

/**
 * @param {App} app
 * @returns {HTMLElement[]}
 */
function stateOf({ verification, words, store }) {
  const { result, failure, part } = verification;
  if (failure) return [el("p", { class: "notice bad" }, `${words.say("wholeUnknown")} ${failure.message}`)];
  if (!result) {
    const label = words.say("wholeChecking");
    return [el("p", {}, label), el("progress", { max: 1, value: part, "aria-label": label })];
  }
  if (!result.whole) {
    return [
      el("p", { class: "notice bad" }, words.say("wholeNo")),
      el(
        "ul",
        {},
        result.problems.slice(0, 100).map((problem) => el("li", {}, problemText(words, problem))),
      ),
    ];
  }
  const seal = words.say(store.summary.sealed ? "wholeSealed" : "wholePlain");
  return [el("p", { class: "notice good" }, words.say("wholeYes")), el("p", { class: "quiet small" }, seal)];
}

/**
 * @param {import("../words/words.js").Words} words
 * @param {import("../store/types.js").ProblemData} problem
 */
export function problemText(words, problem) {
  const key = `problem${problem.verdict.charAt(0).toUpperCase()}${problem.verdict.slice(1)}`;
  const where = problem.where === null ? "" : `${problem.where}: `;
  return [
    words.say(words.has(key) ? key : "problemUnknown"),
    " ",
    el("span", { class: "quiet small mono" }, `${where}${problem.message}`),
  ];
}

/**
 * What went wrong where one is, in an archive that is open.
 *
 * @param {import("../words/words.js").Words} words
 * @param {unknown} error
 * @returns {Node[]}
 */
export function problemNodes(words, error) {
  if (error instanceof DOMException && error.name === "AbortError") return [];
  const isProblem = error instanceof ArchiveProblem;
  const said = isProblem ? problemText(words, error.toData()) : [words.say("problemUnknown"), " ", String(error)];
  return [
    el("p", { class: "notice bad", role: "alert" }, said),
    isProblem ? el("p", {}, words.say("problemHere")) : null,
  ].filter((node) => node !== null);
}

/** @param {App} app */
function completenessNode({ store, words }) {
  const { completeness, binaryAssets } = store.summary.manifest;
  if (!isObject(completeness)) return el("p", {}, words.say("completeUnknown"));
  const losses = kindsOf(words, completeness.losses, "loss");
  const notices = kindsOf(words, completeness.notices, "notice");
  const leftOut = isObject(binaryAssets) ? Number(textOf(binaryAssets.leftOut)) || 0 : 0;
  const isTold = isObject(completeness.losses) && Object.keys(completeness.losses).some((kind) => kind.startsWith("file"));
  if (leftOut > 0 && !isTold) notices.push(words.say("filesLeftOut", { count: leftOut }));
  return el(
    "div",
    {},
    losses.length === 0 && completeness.status === "complete"
      ? el("p", {}, words.say("completeYes"))
      : el(
          "div",
          { class: "notice" },
          el("p", {}, words.say("completeNo")),
          el(
            "ul",
            {},
            losses.map((loss) => el("li", {}, loss)),
          ),
        ),
    notices.length > 0
      ? el(
          "details",
          {},
          el("summary", {}, words.say("completeNotices")),
          el(
            "ul",
            {},
            notices.map((notice) => el("li", {}, notice)),
          ),
        )
      : null,
  );
}

/**
 * @param {import("../words/words.js").Words} words
 * @param {unknown} kinds
 * @param {"loss" | "notice"} severity
 */
function kindsOf(words, kinds, severity) {
  if (!isObject(kinds)) return [];
  return Object.entries(kinds).map(([kind, cases]) => {
    const count = isObject(cases) ? Number(textOf(cases.count)) || 0 : Number(textOf(cases)) || 0;
    const key = `${severity}${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    return words.say(words.has(key) ? key : "noticeOther", { count, kind });
  });
}
