/**
 * Facts of rows in words: the same on the screen and in what is taken along.
 *
 * @typedef {import("./screen.js").App} App
 * @typedef {import("../model/fields.js").Fact} Fact
 * @typedef {import("../words/words.js").Words} Words
 */
import { describe } from "../model/describe.js";
import { isObject, textOf } from "../model/values.js";

/**
 * @param {App} app
 * @returns {import("../model/take.js").Speaker}
 */
export function speakerOf({ words, tables }) {
  return {
    field: (path) => words.field(path),
    fact: (fact) => factText(words, fact),
    title: (table, row) => describe(tables, table, row).title,
  };
}

/**
 * @param {Words} words
 * @param {Fact} fact
 * @returns {string}
 */
export function factText(words, fact) {
  if (fact.kind === "label") return fact.labels.map((label) => words.label(label)).join(", ");
  if (fact.kind === "moment") return words.moment(fact.moment);
  if (fact.kind === "money") return words.money(fact.money);
  if (fact.kind === "number") return numberText(words, fact.text, fact.unit);
  if (fact.kind === "yes" || fact.kind === "no") return words.say(fact.kind);
  if (fact.kind === "names") return fact.names.join(", ");
  if (fact.kind === "place") return placeText(words, fact);
  if (fact.kind === "weekdays") return fact.days.map((day) => words.weekday(day)).join(", ");
  if (fact.kind === "steps") return fact.steps.map((step) => `${step.done ? "☑" : "☐"} ${step.text}`).join("; ");
  if (fact.kind === "lines") return fact.lines.map((line) => lineText(words, line)).join("; ");
  if (fact.kind === "duration") return durationText(words, fact.text, fact.unit);
  if (fact.kind === "locked") return words.say("locked");
  return fact.kind === "hidden" ? words.say("hidden") : fact.text;
}

/**
 * In degrees and directions: of two numbers with commas nobody knows where the first one ends.
 *
 * @param {Words} words
 * @param {Extract<Fact, {kind: "place"}>} fact
 */
function placeText(words, { latitude, longitude }) {
  const degrees = (/** @type {number} */ angle, /** @type {string} */ direction) =>
    `${words.number(Math.abs(angle))}° ${words.say(direction)}`;
  return `${degrees(latitude, latitude < 0 ? "south" : "north")}, ${degrees(longitude, longitude < 0 ? "west" : "east")}`;
}

/**
 * @param {Words} words
 * @param {Fact[]} line
 */
export function lineText(words, line) {
  return line.map((fact) => `${words.field(fact.path)}: ${factText(words, fact)}`).join(", ");
}

/** @type {Record<string, string>} */
const COUNTED = {
  words: "unitWords",
  pages: "unitPages",
  people: "unitPeople",
  portions: "unitPortions",
  days: "unitDays",
  hours: "unitHours",
};

/**
 * @param {Words} words
 * @param {string} text
 * @param {string} unit as `formats/modules.json` names it
 */
function numberText(words, text, unit) {
  if (unit === "bytes") return words.bytes(Number(text));
  if (unit === "0..1") return `${words.number(Math.round(Number(text) * 1000) / 10)} %`;
  if (unit === "percent") return `${words.number(text)} %`;
  if (unit === "1..10") return words.say("unitOfTen", { count: Number(text) });
  if (unit === "1..5" || unit.startsWith("0..5") || unit === "stars")
    return words.say("unitOfFive", { count: Number(text) });
  if (unit === "0..100") return words.say("unitOfHundred", { count: Number(text) });
  const counted = COUNTED[unit];
  if (counted) return words.say(counted, { count: Number(text) });
  const number = words.number(text);
  return ["ml", "g", "kcal", "°C", "px", "m", "m/s", "XP", "ms", "kg"].includes(unit) ? `${number} ${unit}` : number;
}

/**
 * @param {Words} words
 * @param {string} text
 * @param {"minutes" | "seconds" | "unknown"} unit
 */
function durationText(words, text, unit) {
  const count = Number(text);
  if (unit === "unknown" || !Number.isFinite(count)) return words.say("durationUnknown", { text });
  const minutes = unit === "minutes" ? count : count / 60;
  if (unit === "seconds" && count < 120) return words.say("unitSeconds", { count });
  const hours = Math.floor(minutes / 60);
  const rest = Math.round((minutes - hours * 60) * 10) / 10;
  const parts = [];
  if (hours > 0) parts.push(words.say("unitHours", { count: hours }));
  if (rest > 0 || hours === 0) parts.push(words.say("unitMinutes", { count: rest }));
  return parts.join(" ");
}

/**
 * Who wrote it, as far as the archive tells.
 *
 * @param {Words} words
 * @param {Record<string, any> | null} actor
 */
export function actorText(words, actor) {
  if (!isObject(actor)) return words.say("rowHistoryUnknown");
  const name = textOf(actor.displayName);
  if (name !== "") return name;
  const key = { user: "actorUser", ai: "actorAi", system: "actorSystem" }[textOf(actor.kind)];
  return key ? words.say(key) : words.say("rowHistoryUnknown");
}
