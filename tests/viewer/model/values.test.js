import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, marks, words } from "../../../manabackup/viewer/page/model/folding.js";
import { membersOf, without } from "../../../manabackup/viewer/page/model/members.js";
import { money } from "../../../manabackup/viewer/page/model/money.js";
import { dayOf, instantOf, moment, sortKey, wallOf } from "../../../manabackup/viewer/page/model/moments.js";
import { htmlToText } from "../../../manabackup/viewer/page/model/texts.js";
import { readRow } from "../../../manabackup/viewer/page/model/fields.js";
import { NumberText } from "../../../manabackup/viewer/page/reader/json.js";
import { tables } from "./given.js";

test("one spelling finds all", () => {
  for (const word of ["STRASSE", "straße", "Strasse", "ſtraſse"]) assert.equal(fold(word), "strasse");
  assert.equal(fold("Müller"), "muller");
  assert.equal(fold("Łódź"), "lodz");
  assert.equal(fold("İstanbul"), "istanbul");
  assert.deepEqual(words(' Oma „am See“ "x y" oma '), ["oma", "am see", "x y"]);
});

test("hits are marked in the text's own characters", () => {
  const shown = (text, ...sought) => marks(text, sought).map(([from, to]) => text.slice(from, to));
  assert.deepEqual(shown("Große Straße", "strasse"), ["Straße"]);
  assert.deepEqual(shown("Übermut", "ub"), ["Üb"]);
  assert.deepEqual(shown("U\u0308bermut tut", "ubermut", "mut tut"), ["U\u0308bermut tut"]);
  assert.deepEqual(shown("Maß", "s"), ["ß"]);
  assert.deepEqual(shown("abab", "ab"), ["abab"]);
  assert.deepEqual(shown("🔑 Schlüssel", "schlussel"), ["Schlüssel"]);
});

test("moments are what is written, and nothing more exact", () => {
  assert.deepEqual(moment("2026-05-01"), { kind: "day", text: "2026-05-01" });
  assert.deepEqual(moment("2026-05-01T09:00"), { kind: "local", text: "2026-05-01T09:00:00" });
  assert.equal(moment("2026-05-01T09:00:00.123Z")?.ms, Date.UTC(2026, 4, 1, 9, 0, 0, 123));
  assert.equal(moment("2026-05-01T09:00:00+02:00")?.ms, Date.UTC(2026, 4, 1, 7));
  assert.deepEqual(moment("21:30"), { kind: "time", text: "21:30" });
  assert.deepEqual(moment("2026-05"), { kind: "month", text: "2026-05" });
  for (const none of ["", "2026-02-30", "2026-13", "24:00", "gestern", "2026-05-01T25:00", null, {}, NaN, 1e300])
    assert.equal(moment(none), null, String(none));
});

test("clocks of a zone and instants lead to each other", () => {
  const berlin = (text) => new Date(instantOf(wallOf(text), "Europe/Berlin")).toISOString();
  assert.equal(berlin("2026-07-01T12:00:00"), "2026-07-01T10:00:00.000Z");
  assert.equal(berlin("2026-01-01T12:00:00"), "2026-01-01T11:00:00.000Z");
  assert.equal(berlin("2026-10-25T02:30:00"), "2026-10-25T00:30:00.000Z", "of a clock put back the first");
  assert.equal(berlin("2026-03-29T03:00:00"), "2026-03-29T01:00:00.000Z");
  assert.equal(dayOf(moment("2026-04-30T22:00:00.000Z"), "Europe/Berlin"), "2026-05-01");
  assert.equal(dayOf(moment("2026-04-30T22:00:00.000Z"), "UTC"), "2026-04-30");
  assert.equal(sortKey(moment("2026-05-01"), "UTC"), Date.UTC(2026, 4, 1));
});

test("money is never computed in binary fractions", () => {
  const of = (table, row, index = 0) => money(tables.table(table), tables.table(table).money[index], row);
  assert.deepEqual(of("invoices", { currency: "CHF", totals: { net: 101061 } }), {
    amount: "1010.61",
    currency: "CHF",
  });
  assert.deepEqual(of("invoices", { currency: "chf", totals: { net: -5 } }), { amount: "-0.05", currency: "CHF" });
  assert.deepEqual(of("wardrobeGarments", { priceCents: 1999, currency: null }), { amount: "19.99", currency: "" });
  assert.deepEqual(of("transactions", { type: "expense", amount: 12.5 }), { amount: "-12.5", currency: "EUR" });
  assert.deepEqual(of("transactions", { type: "expense", amount: 0 }), { amount: "0", currency: "EUR" });
  assert.deepEqual(of("transactions", { id: "invoice-tx-1", type: "income", amount: 5, note: "Rechnung 7 (CHF)" }), {
    amount: "5",
    currency: "CHF",
  });
  assert.deepEqual(of("transactions", { type: "income", amount: new NumberText("12345678901234567.89") }), {
    amount: "12345678901234567.89",
    currency: "EUR",
  });
  assert.equal(of("timeProjects", { budget: { type: "hours", amount: 40 } }, 1), null);
  assert.equal(of("transactions", { amount: "viel" }), null);
});

test("a member is left out and all others stay as they are written", () => {
  const text =
    '{"id":"x","n":9007199254740993,"password":"ge\\"he},im","o":{"password":"stays","a":[1,{"b":"]"}]},"z":"\\\\"}';
  assert.deepEqual(
    membersOf(text).map((member) => member.name),
    ["id", "n", "password", "o", "z"],
  );
  assert.equal(
    without(text, new Set(["password"])),
    '{"id":"x","n":9007199254740993,"o":{"password":"stays","a":[1,{"b":"]"}]},"z":"\\\\"}',
  );
  assert.equal(without(text, new Set(["other"])), text);
  assert.equal(without('{"pass\\u0077ord":1}', new Set(["password"])), "{}");
  assert.deepEqual(membersOf("{}"), []);
});

test("HTML without its tags, scripts and styles", () => {
  assert.equal(
    htmlToText("<h1>A&amp;B</h1><script>evil()</scr" + "ipt><p>x<br>y &lt;b&gt; &#x1F511; &nope;</p>"),
    "A&B\nx\ny <b> 🔑 &nope;",
  );
  assert.equal(htmlToText("<style>never closed"), "");
});

test("a row reads as texts and facts; secrets are named and not shown", () => {
  const read = (table, row) => readRow(tables.table(table), row);
  const link = read("links", { id: "l", title: "T", password: "geheim", isActive: true });
  assert.deepEqual(
    link.facts.map(({ path, kind }) => [path, kind]),
    [
      ["isActive", "yes"],
      ["password", "hidden"],
    ],
  );
  assert.ok(!JSON.stringify(link).includes("geheim"));
  const habit = read("habits", {
    id: "h",
    title: "Laufen",
    schedule: { days: [1, 3], time: "07:00" },
    defaultDuration: 1200,
  });
  assert.deepEqual(
    habit.facts.map(({ kind }) => kind),
    ["duration", "weekdays", "words"],
  );
  const duration = (minutes) => read("tasks", { id: "t", estimatedDuration: minutes }).facts[0];
  assert.equal(duration(60).unit, "minutes");
  assert.equal(duration(5400).unit, "seconds");
  const newsletter = {
    id: "c",
    subject: "S",
    content: { html: "<p>a</p>", plainText: "a", tiptap: { type: "doc", content: [] } },
  };
  assert.deepEqual(
    read("broadcastCampaigns", newsletter).texts.map(({ path }) => path),
    ["content.html"],
  );
  newsletter.content.tiptap.content.push({ type: "paragraph" });
  assert.deepEqual(
    read("broadcastCampaigns", newsletter).texts.map(({ path }) => path),
    ["content.tiptap"],
  );
  const invoice = read("invoices", {
    id: "i",
    currency: "CHF",
    lines: [{ id: "l", title: "A", unitPrice: 9550, quantity: 2.5 }],
  });
  const [line] = invoice.facts.find(({ path }) => path === "lines").lines;
  assert.deepEqual(line.find(({ path }) => path === "unitPrice").money, { amount: "95.50", currency: "CHF" });
});
