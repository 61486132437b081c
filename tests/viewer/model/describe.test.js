import assert from "node:assert/strict";
import { test } from "node:test";

import { readRow } from "../../../manabackup/viewer/page/model/fields.js";
import { model, modules, tables } from "./given.js";

const describe = model.describe;

test("every table of the registry describes an empty row", () => {
  for (const table of tables.tableNames) {
    const { title, date, links, deleted } = describe(table, { id: "x" });
    assert.deepEqual([title, date, links, deleted], ["x", null, [], false], table);
  }
});

test("what has no title goes by what else tells it apart", () => {
  assert.equal(describe("contacts", { id: "c", firstName: "Ada", lastName: "" }).title, "Ada");
  assert.equal(describe("contacts", { id: "c", company: "Geigenbau", email: "g@example.org" }).title, "Geigenbau");
  assert.equal(
    describe("notes", { id: "n", title: "", content: "\n\n## **Erste** Zeile\nzweite" }).title,
    "Erste Zeile",
  );
  assert.equal(describe("notes", { id: "n", title: "T", content: "# T\nzweite" }).line, "zweite");
  assert.equal(describe("budgets", { id: "b", month: "2026-05", amount: 3 }).title, "2026-05");
  assert.equal(describe("future.things", { id: "t", name: "Neu" }).title, "Neu");
});

test("dates are told by the reader's clock", () => {
  assert.equal(describe("journalEntries", { id: "j", entryDate: "2026-05-01" }).date, "2026-05-01");
  assert.equal(describe("articles", { id: "a", savedAt: "2026-05-01T22:30:00.000Z" }).date, "2026-05-02T00:30");
  assert.equal(describe("wetterLocations", { id: "w", name: "B", createdAt: 1777586400000 }).date, "2026-05-01T00:00");
  assert.equal(describe("events", { id: "e", timeBlockId: "b-1" }).dateVia, "b-1");
});

test("a task's due date is a day where the forms wrote one, and a time otherwise", () => {
  const due = (value) => describe("tasks", { id: "t", dueDate: value }).date;
  assert.equal(due("2026-05-02"), "2026-05-02");
  assert.equal(due("2026-05-02T00:00:00.000Z"), "2026-05-02");
  assert.equal(due("2026-05-02T22:00:00.000Z"), "2026-05-03", "local midnight is a day");
  assert.equal(due("2026-05-04T12:30:00.000Z"), "2026-05-04T14:30");
  assert.equal(due("nonsense"), null);
});

test("time blocks are meant as their writers mean them", () => {
  const block = (fields) => {
    const { date, dateEnd } = describe("timeBlocks", { id: "b", ...fields });
    return [date, dateEnd];
  };
  const start = "2026-05-01T21:15:00.000Z";
  assert.deepEqual(block({ sourceModule: "calendar", startDate: start, endDate: null }), ["2026-05-01T23:15", null]);
  assert.deepEqual(block({ sourceModule: "dreams", startDate: start, endDate: "2026-05-02T06:00:00.000Z" }), [
    "2026-05-01T21:15",
    "2026-05-02T06:00",
  ]);
  assert.deepEqual(
    block({
      sourceModule: "period",
      allDay: true,
      startDate: "2026-05-01T00:00:00.000Z",
      endDate: "2026-05-05T23:59:59.999Z",
    }),
    ["2026-05-01", "2026-05-05"],
  );
  assert.deepEqual(
    block({
      sourceModule: "calendar",
      allDay: true,
      startDate: "2026-04-30T22:00:00.000Z",
      endDate: "2026-05-01T21:59:00.000Z",
    }),
    ["2026-05-01", "2026-05-01"],
  );
});

test("tags stand in three places", () => {
  const { tags, tagIds } = describe("contacts", { id: "c", tags: ["alt", "alt"], tagIds: ["t-1"] });
  assert.deepEqual([tags, tagIds], [["alt"], ["t-1"]]);
  assert.deepEqual(describe("tasks", { id: "t", metadata: { labelIds: ["t-2"] } }).tagIds, ["t-2"]);
  assert.deepEqual(describe("timeEntries", { id: "e", tags: ["t-3"] }).tagIds, ["t-3"]);
  assert.deepEqual(describe("dreams", { id: "d", symbols: ["Haus"], people: ["Oma"] }).tags, ["Haus", "Oma"]);
  const ends = describe("noteTags", { id: "x", noteId: "n", tagId: "t" }).links.map(
    ({ field, table, id }) => `${field} ${table} ${id}`,
  );
  assert.deepEqual(ends.sort(), ["noteId notes n", "tagId globalTags t"]);
  assert.equal(
    describe("taskLabels", { id: "x", taskId: "t", labelId: "old" }).links.find((link) => link.field === "tagId")?.id,
    "old",
  );
});

test("what is gone, hidden, or in the bin", () => {
  assert.equal(describe("notes", { id: "n", deletedAt: "2026-05-01T00:00:00.000Z" }).deleted, true);
  assert.equal(describe("notes", { id: "n", deletedAt: null, isArchived: true }).archived, true);
  assert.equal(describe("articles", { id: "a", status: "archived" }).archived, true);
  assert.equal(describe("plants", { id: "p", isActive: false }).archived, true);
  assert.deepEqual(describe("files", { id: "f", isDeleted: true }).flags, ["bin"]);
  assert.equal(describe("files", { id: "f", isDeleted: true }).deleted, false);
  assert.equal(describe("tasks", { id: "t", isCompleted: true }).done, true);
  assert.equal(describe("notes", { id: "n" }).done, null);
});

test("what an invoice's taxes are made of has its units", () => {
  const totals = { vatBreakdown: [{ rate: 8.1, base: 93488, tax: 7573 }] };
  const [line] = readRow(tables.table("invoices"), { id: "i", currency: "CHF", totals }).facts.at(-1).lines;
  assert.deepEqual(
    line.map(({ unit, money }) => unit ?? money.amount),
    ["percent", "934.88", "75.73"],
  );
});

test("a link stands in two rows and is told once", () => {
  const row = {
    id: "l",
    sourceApp: "notes",
    sourceCollection: "notes",
    sourceId: "n",
    targetApp: "calendar",
    targetCollection: "events",
    targetId: "e",
  };
  assert.deepEqual(describe("manaLinks", { ...row, direction: "forward" }).links, [
    { field: "sourceId", table: "notes", id: "n" },
    { field: "targetId", table: "events", id: "e" },
  ]);
  assert.deepEqual(describe("manaLinks", { ...row, direction: "reverse" }).links, []);
});

test("a time block names the row whose time it is", () => {
  const owner = (fields) =>
    describe("timeBlocks", { id: "b", sourceId: "s", ...fields }).links.find((link) => link.field === "sourceId")
      ?.table;
  assert.equal(owner({ sourceModule: "calendar" }), "events");
  assert.equal(owner({ sourceModule: "habits", recurrenceRule: "RRULE:FREQ=DAILY" }), "habits");
  assert.equal(owner({ sourceModule: "habits", kind: "logged" }), "habitLogs");
  assert.equal(owner({ sourceModule: "times", sourceId: "focus-1" }), undefined);
});

test("nothing that a row may hold makes it throw", () => {
  const odd = [
    null,
    true,
    -0,
    1e308,
    "",
    "\ud800",
    "\u202e",
    [],
    [[null]],
    {},
    { $: 1 },
    JSON.parse('{"__proto__": {"title": "no"}}'),
    Symbol.iterator.toString(),
  ];
  for (const table of [...tables.tableNames, "a.b"]) {
    const known = Object.keys(modules.tables[table]?.fields ?? {});
    for (const value of odd) {
      const row = Object.fromEntries([
        ["id", "x"],
        ...[...known, "title", "deletedAt", "constructor"].map((field) => [field, value]),
      ]);
      const { title, line } = describe(table, row);
      assert.ok(title.length > 0 && title.length <= 301 && line.length <= 201, table);
      assert.equal(typeof model.searchText(table, row), "string");
    }
  }
});

test("names of prototypes are names like others", () => {
  const row = JSON.parse('{"id": "x", "__proto__": {"title": "from a prototype", "deletedAt": "2026"}}');
  const { title, deleted } = describe("notes", row);
  assert.deepEqual([title, deleted], ["x", false]);
  assert.equal(tables.table("constructor").known, false);
  assert.equal(tables.table("__proto__").known, false);
});

test("searches find what people read, and no secrets, ids or stamps", () => {
  const text = model.searchText("links", {
    id: "id-1",
    title: "Fotos",
    password: "geheim123",
    unlistedToken: "tok_1",
    originalUrl: "https://example.org/x",
  });
  assert.equal(text, "Fotos\nhttps://example.org/x");
  const article = model.searchText("articles", {
    id: "a",
    title: "Wald",
    htmlContent: "<p>Ein <b>Baum</b></p><style>p{}</style>",
    savedAt: "2026-05-01T00:00:00Z",
    status: "finished",
  });
  assert.equal(article, "Wald\nEin Baum\nGelesen\nRead");
  const task = model.searchText("tasks", {
    id: "t",
    title: "A",
    subtasks: [{ id: "st-1", title: "Belege", order: 0 }],
  });
  assert.equal(task, "A\nBelege");
});

test("ten thousand nested lists are walked", () => {
  const row = JSON.parse(`{"id":"x","metadata":${"[".repeat(10_000)}"tief"${"]".repeat(10_000)}}`);
  assert.equal(model.searchText("memos", row), "tief");
  assert.equal(describe("memos", row).title, "x");
});
