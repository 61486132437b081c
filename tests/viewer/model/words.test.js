import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { DE } from "../../../manabackup/viewer/page/words/de.js";
import { FIELDS } from "../../../manabackup/viewer/page/words/fields.js";
import { SELDOM } from "../../../manabackup/viewer/page/words/seldom.js";
import { EN } from "../../../manabackup/viewer/page/words/en.js";
import { languageOf, Words } from "../../../manabackup/viewer/page/words/words.js";

const PAGE = new URL("../../../manabackup/viewer/page/", import.meta.url);
const forms = (text) => (typeof text === "string" ? [text] : text);
const holes = (text) =>
  [...text.matchAll(/\{(\w+)\}/g)]
    .map(([, name]) => name)
    .sort()
    .join();

test("both languages say the same things, with the same holes to fill", () => {
  assert.deepEqual(Object.keys(DE).sort(), Object.keys(EN).sort());
  for (const key of Object.keys(EN)) {
    assert.equal(forms(DE[key]).length, forms(EN[key]).length, key);
    forms(EN[key]).forEach((text, place) => assert.equal(holes(forms(DE[key])[place]), holes(text), key));
  }
});

test("what the screens say is there, and what is there is said", () => {
  const files = ["screens/", "./"].flatMap((folder) =>
    readdirSync(new URL(folder, PAGE))
      .filter((name) => name.endsWith(".js"))
      .map((name) => new URL(folder + name, PAGE)),
  );
  const code = [...files, new URL("words/words.js", PAGE)].map((file) => readFileSync(file, "utf8")).join("\n");
  for (const [, key] of code.matchAll(/\bsay\("(\w+)"/g)) assert.ok(Object.hasOwn(EN, key), key);
  const made = /^(?:progress|problem|loss|notice|sort|flag|fileLost)[A-Z]/;
  for (const key of Object.keys(EN)) assert.ok(made.test(key) || code.includes(`"${key}"`), `nobody says ${key}`);
});

test("fields that Mana has are said in both languages, each once", () => {
  const { tables } = JSON.parse(readFileSync(new URL("../../../formats/modules.json", import.meta.url), "utf8"));
  const described = JSON.stringify(tables);
  const known = [FIELDS, SELDOM].flatMap((names) => Object.keys(names));
  assert.equal(new Set(known).size, known.length);
  for (const labels of [FIELDS, SELDOM].flatMap((names) => Object.values(names)))
    assert.ok(labels.length === 2 && labels.every((label) => label !== ""));
  for (const name of Object.keys(SELDOM)) assert.match(described, new RegExp(`(?<!\\w)${name}(?!\\w)`), name);
});

test("the browser's first language that the page speaks", () => {
  assert.equal(languageOf(["fr-FR", "de-CH", "en"]), "de");
  assert.equal(languageOf(["fr"]), "en");
});

test("money and numbers keep their digits", () => {
  const words = new Words("de", ["de-DE"]);
  assert.equal(words.money({ amount: "12345678901234567.89", currency: "EUR" }), "12.345.678.901.234.567,89\u00a0€");
  assert.equal(words.money({ amount: "1.005", currency: "EUR" }), "1,005\u00a0€");
  assert.equal(words.money({ amount: "-0.05", currency: "CHF", per: "hour" }), "-0,05\u00a0CHF pro Stunde");
  assert.equal(words.money({ amount: "5", currency: "" }), "5 (Währung unbekannt)");
  assert.equal(words.number("0.1"), "0,1");
  assert.equal(words.say("rows", { count: 1 }), "1 Eintrag");
  assert.equal(words.say("rows", { count: 1234 }), "1.234 Einträge");
});

test("dates and clocks in the reader's words", () => {
  const words = new Words("de", ["de-DE"]);
  assert.equal(words.date("2026-05-01", "weekday"), "Freitag, 1. Mai 2026");
  assert.equal(words.date("2026-05"), "Mai 2026");
  assert.equal(words.date("nonsense"), "nonsense");
  assert.equal(words.moment({ kind: "local", text: "2026-05-01T09:05:00" }), "1. Mai 2026, 9:05");
  assert.equal(words.field("someOtherThing"), "Some other thing");
  assert.equal(words.field("totals.net"), "Netto");
});
