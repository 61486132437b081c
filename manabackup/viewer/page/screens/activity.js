/**
 * Activity over the years as figures: bars with their numbers, and a table behind them. Readable without colour.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../store/types.js").Activity} Activity
 *
 * @typedef {object} Row one line of the figure: an app and its counts, a year each
 * @property {string} label
 * @property {number[]} counts
 * @property {number} sum
 */
import { el, svg } from "./dom.js";
import { appLabel, brokenNode } from "./screen.js";

const APPS = 12;
const YEARS = 30;
/** Years without entries that are shown as such; more of them in a row are a gap. */
const PATIENCE = 3;
const GAP = "…";

/**
 * @param {App} app
 * @param {Activity} activity
 * @returns {HTMLElement}
 */
export function activityFigure(app, activity) {
  const { words } = app;
  const { columns, rows } = figures(app, activity);
  if (columns.length === 0)
    return el("div", {}, el("p", { class: "quiet" }, words.say("nothing")), brokenNode(app, activity.broken));
  const undated =
    activity.undated > 0
      ? el("p", { class: "quiet small" }, words.say("activityUndated", { count: activity.undated }))
      : null;
  return el(
    "figure",
    { class: "activity" },
    el("figcaption", { class: "quiet small" }, words.say("activityLegend")),
    chart(words.say("activityLegend"), columns, rows),
    undated,
    brokenNode(app, activity.broken),
    el("details", {}, el("summary", {}, words.say("activityTable")), tableOf(app, columns, rows)),
  );
}

/**
 * Years where there are several, else months.
 *
 * @param {App} app
 * @param {Activity} activity
 * @returns {{columns: string[], rows: Row[]}}
 */
function figures(app, activity) {
  const years = [...new Set(activity.months.map(({ month }) => month.slice(0, 4)))].sort();
  const length = years.length > 1 ? 4 : 7;
  const found = [...new Set(activity.months.map(({ month }) => month.slice(0, length)))].sort();
  // What was before the first column is counted in it.
  const first = found.at(-YEARS) ?? "";
  const columns = span(found.slice(-YEARS), length);
  /** @type {Map<string, number[]>} */
  const counts = new Map();
  for (const { app: id, month, rows } of activity.months) {
    const time = month.slice(0, length);
    const place = columns.indexOf(time < first ? first : time);
    const line = counts.get(id) ?? columns.map(() => 0);
    line[place] = (line[place] ?? 0) + rows;
    counts.set(id, line);
  }
  const lines = [...counts].map(([id, line]) => ({ label: appLabel(app, id), counts: line, sum: sumOf(line) }));
  lines.sort((a, b) => b.sum - a.sum);
  const earlier = found.length > YEARS && { 0: `≤ ${first}` };
  return { columns: Object.assign(columns, earlier), rows: withOthers(app, lines) };
}

/**
 * @param {App} app
 * @param {Row[]} lines
 */
function withOthers(app, lines) {
  if (lines.length <= APPS) return lines;
  const rest = lines.slice(APPS - 1);
  const counts = (rest[0]?.counts ?? []).map((_, place) => sumOf(rest.map((line) => line.counts[place] ?? 0)));
  return [...lines.slice(0, APPS - 1), { label: app.words.say("activityOther"), counts, sum: sumOf(counts) }];
}

/**
 * Years without entries belong between those with; a goal for a year far ahead does not push the others aside.
 *
 * @param {string[]} found
 * @param {number} length
 */
function span(found, length) {
  if (length !== 4) return found;
  return found.flatMap((year, place) => {
    const before = Number(found[place - 1] ?? Number(year) - 1);
    const between = Number(year) - before - 1;
    if (between > PATIENCE) return [GAP, year];
    return [...Array.from({ length: between }, (_, step) => String(before + 1 + step).padStart(4, "0")), year];
  });
}

/** @param {number[]} numbers */
function sumOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

/**
 * @param {string} label
 * @param {string[]} columns
 * @param {Row[]} rows
 */
function chart(label, columns, rows) {
  const names = 122;
  // Years are shorter than months, and four of them shall fit on a phone.
  const cell = columns.some((column) => column.length > 4) ? 56 : 38;
  const line = 34;
  const width = names + columns.length * cell + 46;
  const height = 26 + rows.length * line;
  const most = Math.max(1, ...rows.flatMap((row) => row.counts));
  return el(
    "div",
    { class: "scroll-x", tabindex: 0, role: "group", "aria-label": label },
    /** @type {any} */ (
      svg(
        "svg",
        { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, width, height },
        columns.map((column, place) =>
          svg("text", { x: names + place * cell + cell / 2, y: 15, "text-anchor": "middle" }, column),
        ),
        rows.flatMap((row, place) => rowOf(row, columns, { top: 26 + place * line, names, cell, line, most })),
      )
    ),
  );
}

/**
 * @param {Row} row
 * @param {string[]} columns
 * @param {{top: number, names: number, cell: number, line: number, most: number}} measures
 */
function rowOf(row, columns, { top, names, cell, line, most }) {
  const ground = top + line - 4;
  const parts = [
    svg("text", { x: 0, y: ground - 6 }, row.label.length > 20 ? `${row.label.slice(0, 19)}…` : row.label),
    svg("line", { class: "grid", x1: names, x2: names + columns.length * cell, y1: ground + 0.5, y2: ground + 0.5 }),
    svg("text", { x: names + columns.length * cell + 8, y: ground - 6 }, String(row.sum)),
  ];
  row.counts.forEach((count, place) => {
    if (count === 0) return;
    const tall = Math.max(2, Math.sqrt(count / most) * (line - 16));
    const x = names + place * cell + 8;
    parts.push(
      svg(
        "rect",
        { class: "bar-fill", x, y: ground - tall, width: cell - 16, height: tall, rx: 2 },
        svg("title", {}, `${row.label} ${columns[place]}: ${count}`),
      ),
    );
  });
  return parts;
}

/**
 * @param {App} app
 * @param {string[]} columns
 * @param {Row[]} rows
 */
function tableOf(app, columns, rows) {
  const { words } = app;
  const numbers = (/** @type {number[]} */ counts) =>
    counts.map((count) => el("td", { class: "number" }, words.number(count)));
  return el(
    "div",
    { class: "scroll-x", tabindex: 0, role: "group", "aria-label": words.say("activityTable") },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("th", { scope: "col" }, words.say("activityYear")),
          columns.map((column) => el("th", { scope: "col" }, column)),
          el("th", { scope: "col" }, words.say("activitySum")),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.label), numbers([...row.counts, row.sum]))),
      ),
    ),
  );
}
