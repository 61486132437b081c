/**
 * Facts of a row as elements.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../model/fields.js").Fact} Fact
 */
import { el, own } from "./dom.js";
import { swatch } from "./items.js";
import { outward } from "./outward.js";
import { factText, lineText } from "./speaking.js";

/**
 * @param {App} app
 * @param {Fact[]} facts
 */
export function factsNode(app, facts) {
  return el(
    "dl",
    { class: "facts" },
    facts.flatMap((fact) => {
      const wide = fact.kind === "lines" && { class: "wide" };
      return [el("dt", wide || {}, own(app.words.field(fact.path))), el("dd", wide || {}, valueNode(app, fact))];
    }),
  );
}

/**
 * @param {App} app
 * @param {Fact} fact
 * @returns {Node | (Node | string | null)[]}
 */
function valueNode({ words }, fact) {
  if (fact.kind === "web")
    return outward(words, /^[a-z][a-z0-9+.-]*:/i.test(fact.text) ? fact.text : `https://${fact.text}`, [
      own(fact.text),
    ]);
  if (fact.kind === "mail") return outward(words, `mailto:${fact.text}`, [own(fact.text)]);
  if (fact.kind === "phone") return outward(words, `tel:${fact.text.replace(/[^\d+]/g, "")}`, [own(fact.text)]);
  if (fact.kind === "moment") return momentNode(words, fact);
  if (fact.kind === "steps") return stepsNode(words, fact.steps);
  if (fact.kind === "lines") return linesNode(words, fact.lines);
  if (fact.kind === "color") return [swatch(fact.text), own(fact.text)];
  if (fact.kind === "names") return [...fact.names.map((name) => el("span", { class: "tag" }, own(name)))];
  return own(factText(words, fact), fact.kind === "hidden" || fact.kind === "locked" ? { class: "quiet" } : {});
}

/**
 * In the reader's zone; how it was written on demand.
 *
 * @param {import("../words/words.js").Words} words
 * @param {Extract<Fact, {kind: "moment"}>} fact
 */
function momentNode(words, fact) {
  const clock =
    fact.moment.kind === "local" ? el("span", { class: "quiet small" }, ` (${words.say("rowLocalClock")})`) : null;
  const shown = el(
    "time",
    { datetime: fact.moment.kind === "instant" ? fact.original : fact.moment.text },
    words.moment(fact.moment),
  );
  if (fact.moment.kind === "day" || fact.moment.kind === "month" || fact.moment.kind === "time") return shown;
  return el(
    "details",
    { class: "original" },
    el("summary", {}, shown, clock),
    el("span", { class: "mono" }, words.say("rowOriginal", { text: fact.original })),
  );
}

/**
 * @param {import("../words/words.js").Words} words
 * @param {{text: string, done: boolean | null}[]} steps
 */
function stepsNode(words, steps) {
  return el(
    "ul",
    { class: "steps" },
    steps.map((step) =>
      el(
        "li",
        {},
        el("span", { class: step.done ? "box done" : "box", "aria-hidden": "true" }, step.done ? "✓" : ""),
        step.done ? el("span", { class: "visually-hidden" }, `${words.say("flagDone")}: `) : null,
        own(step.text),
      ),
    ),
  );
}

/**
 * Small objects as a table, where there are several with a few members; else a line each.
 *
 * @param {import("../words/words.js").Words} words
 * @param {Fact[][]} lines
 */
function linesNode(words, lines) {
  const names = [...new Set(lines.flatMap((line) => line.map((fact) => fact.path)))];
  if (lines.length < 2 || names.length > 7) {
    return el(
      "ul",
      { class: "plain-list" },
      lines.map((line) => el("li", {}, own(lineText(words, line)))),
    );
  }
  const cell = (/** @type {Fact[]} */ line, /** @type {string} */ name) => {
    const fact = line.find((candidate) => candidate.path === name);
    return el("td", { "data-label": words.field(name) }, fact ? own(factText(words, fact)) : "–");
  };
  return el(
    "div",
    {
      class: "scroll-x lines",
      tabindex: 0,
      role: "group",
      "aria-label": names.map((name) => words.field(name)).join(", "),
    },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          names.map((name) => el("th", { scope: "col" }, own(words.field(name)))),
        ),
      ),
      el(
        "tbody",
        {},
        lines.map((line) =>
          el(
            "tr",
            {},
            names.map((name) => cell(line, name)),
          ),
        ),
      ),
    ),
  );
}
