// The store in Node: what lists, searches and rows give, held against the archive's rows read one by one.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const PAGE = new URL("../../manabackup/viewer/page/", import.meta.url);
const from = (name) => import(new URL(name, PAGE));
const { Store } = await from("store/client.js");
const { createModel } = await from("model/model.js");
const { Sha256, sha256 } = await from("reader/sha256.js");
const { crc32 } = await from("reader/crc32.js");
const { byCodePoint } = await from("reader/sums.js");
const { NumberText, equalJson, parseExact } = await from("reader/json.js");
const { hasCiphertextForm } = await from("reader/ciphertext.js");
const { SealedBody, openOuter } = await from("reader/archive.js");
const { BlobSource } = await from("reader/source.js");
const { LIMITS } = await from("reader/limits.js");
const { ShortTexts } = await from("store/shorttexts.js");
const { Postings } = await from("store/postings.js");
const { marked, wordsOf } = await from("store/words.js");

const modules = JSON.parse(readFileSync(process.env.MODULES, "utf-8"));
const model = createModel(modules);
const example = new Blob([readFileSync(process.env.EXAMPLE)]);
const sealed = new Blob([readFileSync(process.env.SEALED)]);
const odd = new Blob([readFileSync(process.env.ODD)]);
const open = (blob, options = {}) => Store.open(blob, { modules, ...options });

/** Every row of every table, with what the model says of it. */
async function everyRow(store) {
  const rows = [];
  for (const { table } of store.summary.tables) {
    for (const row of await store.rows(table, 0, 1_000_000)) {
      rows.push({ table, row, ...model.describe(table, row), text: model.fold(model.searchText(table, row)) });
    }
  }
  return rows;
}

const names = (store) => store.summary.tables.map(({ table }) => table);

test("a list has every row that its filters let pass, and no other", async () => {
  const store = await open(example);
  const all = await everyRow(store);
  const list = await store.list(names(store));
  assert.equal(list.total, all.filter((row) => !row.deleted).length);
  const archived = await store.list(names(store), { filters: { archived: true } });
  assert.equal(archived.total, all.filter((row) => !row.deleted && row.archived).length);
  assert.ok(archived.total > 0);
  const year = await store.list(["journalEntries"], { filters: { from: "2025-03", to: "2025" } });
  const dates = all.filter((row) => row.table === "journalEntries").map((row) => row.date);
  assert.equal(year.total, dates.filter((date) => date >= "2025-03" && date < "2026").length);
  assert.ok(year.total > 0);
  store.forget();
});

test("labels are found in any language, and shown where they were looked for", async () => {
  const store = await open(example);
  await store.index();
  const shown = async (words) => (await store.search(words)).hits.map(({ excerpt }) => excerpt.map(({ text }) => text).join(""));
  const labels = ["Dankbar", "Grateful"];
  for (const label of labels) {
    const hits = (await shown(label.toLowerCase())).filter((text) => labels.includes(text));
    assert.ok(hits.length > 0 && hits.every((text) => text === label), label);
  }
  for (const text of await shown("fenster")) assert.doesNotMatch(text, /Grateful|Happy|Content|Sad|Stressed/);
  store.forget();
});

test("lists are in the order that was asked for, undated rows last", async () => {
  const store = await open(example);
  for (const descending of [true, false]) {
    const list = await store.list(names(store), { sort: "date", descending });
    const moments = (await list.items(0, list.total)).map((item) => item.date ?? item.written ?? "");
    const dated = moments.filter((moment) => moment !== "");
    assert.deepEqual(dated, [...dated].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0) * (descending ? -1 : 1)));
    assert.deepEqual(moments.slice(dated.length).filter(Boolean), []);
  }
  const titled = await store.list(["contacts"], { sort: "title" });
  const titles = (await titled.items(0, 99)).map((item) => item.title);
  assert.deepEqual(titles, [...titles].sort(new Intl.Collator(undefined, { numeric: true }).compare));
  store.forget();
});

test("a tag filters rows that have it in themselves, by id or by a row that ties it to them", async () => {
  const store = await open(example);
  const facets = await store.facets(names(store));
  assert.ok(facets.tags.length > 3);
  for (const { tag, rows } of facets.tags) {
    const list = await store.list(names(store), { filters: { tags: [tag] } });
    assert.equal(list.total, rows, tag);
    for (const item of await list.items(0, 5)) assert.ok(item.tags.includes(tag));
  }
  store.forget();
});

test("a search finds exactly the rows that hold all words, wherever they stand in them", async () => {
  const store = await open(example);
  const all = (await everyRow(store)).filter((row) => !row.deleted);
  await store.index();
  for (const query of ["garten", "GÄRTEN", "tulpen im", "a", "jonas see kalt", "zzzz", "straße", "mir", "2026"]) {
    const words = wordsOf(model.fold(query));
    const expected = all.filter((row) => words.every((word) => wordsOf(row.text).some((own) => own.includes(word))));
    const found = await store.search(query, { count: 1_000 });
    assert.equal(found.total, expected.length, query);
    assert.ok(found.ready);
    assert.equal(found.tables.reduce((sum, { rows }) => sum + rows, 0), found.total);
    const key = ({ table, id }) => `${table} ${id}`;
    assert.deepEqual(
      new Set(found.hits.map(({ item }) => key(item))),
      new Set(expected.map(({ table, row }) => key({ table, id: row.id }))),
    );
  }
  store.forget();
});

test("a phrase in quotation marks is found only as it stands", async () => {
  const store = await open(example);
  const all = (await everyRow(store)).filter((row) => !row.deleted);
  await store.index();
  const apart = await store.search("tulpen garten", { count: 1 });
  assert.ok(apart.total > 0);
  assert.equal((await store.search('"tulpen garten"')).total, 0);
  const expected = all.filter((row) => wordsOf(row.text).join(" ").includes("im garten bluhen"));
  for (const query of ['"im Garten blühen"', "„Im Garten blühen“", "«im garten blühen»"]) {
    assert.equal((await store.search(query)).total, expected.length, query);
  }
  assert.ok(expected.length > 0);
  assert.equal((await store.list(names(store), { words: '"im Garten blühen"' })).total, expected.length);
  store.forget();
});

test("marks put together are the text again", () => {
  const fold = model.fold;
  for (const text of ["Im Garten blühen die ersten Tulpen.", "Straße STRASSE strasse", "🔑 日本語のテキスト", "", "…"]) {
    for (const words of [["garten"], ["strasse", "ss"], ["本"], ["tulp", "garten", "im"], []]) {
      assert.equal(marked(text, words, fold).map((mark) => mark.text).join(""), text);
    }
  }
  const hits = marked("Straße in Mönchengladbach", ["strasse", "gladbach"], fold).filter((mark) => mark.hit);
  assert.deepEqual(hits.map((mark) => mark.text), ["Straße", "gladbach"]);
});

test("rows that memory gave up are read again, and are the same", async () => {
  const whole = await open(example);
  const small = await open(example, { textBudget: 1 });
  for (const table of names(whole)) {
    const total = (await whole.rows(table, 0, 1_000_000)).length;
    for (const index of [total - 1, 0, Math.floor(total / 2)].filter((at) => at >= 0)) {
      assert.equal((await small.row(table, index))?.raw, (await whole.row(table, index))?.raw);
    }
  }
  whole.forget();
  small.forget();
});

test("rows that were packed away are the same when they are asked for again", async () => {
  const whole = await open(example);
  const small = await open(example, { textBudget: 400_000 });
  for (const table of names(whole)) {
    const expected = await whole.rows(table, 0, 1_000_000);
    assert.deepEqual(await small.rows(table, 0, 1_000_000), expected);
  }
  whole.forget();
  small.forget();
});

test("what the index has no room for is counted, not passed over in silence", async () => {
  const store = await open(example, { indexBudget: 1 });
  await store.index();
  const rows = (await store.list(names(store), { sort: "table" })).total;
  const { total, left, ready } = await store.search("garten");
  assert.deepEqual([total, ready], [0, true]);
  assert.ok(left >= rows, "deleted rows are counted, too");
  assert.ok((await store.list(names(store), { words: "garten" })).left >= rows);
  store.forget();
});

test("a sealed body beyond the limit is refused before anybody is asked for its passphrase", async () => {
  const outer = await openOuter(new BlobSource(sealed), { ...LIMITS, sealedBytes: 1_000 });
  await assert.rejects(SealedBody.check(outer), (error) => error.code === "limit");
});

test("short texts give back what they were given", () => {
  const texts = new ShortTexts();
  const given = Array.from({ length: 20_000 }, (_, n) => ["", "a", "Straße", "„so“ 🔑", "x".repeat(600), String(n)][n % 6]);
  for (const text of given) texts.add(text);
  given.forEach((text, index) => assert.equal(texts.at(index), text));
});

test("postings give back the rows that they were given", () => {
  const given = new Map();
  const postings = new Postings();
  let seed = 7;
  const chance = (below) => (seed = (seed * 48_271) % 0x7fffffff) % below;
  for (let row = 0; row < 60_000; row++) {
    // Some words have every row, some many, most of them one or two; a word comes twice in a row.
    for (const name of [0, 0, 1 + chance(2), 3 + chance(40), 50 + chance(30_000)]) {
      if (!given.has(name)) given.set(name, { word: postings.word(), rows: new Set() });
      const { word, rows } = given.get(name);
      postings.add(word, row);
      rows.add(row);
    }
  }
  for (const { word, rows } of given.values()) {
    const marked = new Uint32Array(60_000 / 32);
    postings.mark(word, marked);
    const found = [];
    for (let row = 0; row < 60_000; row++) if ((marked[row >>> 5] >>> (row & 31)) & 1) found.push(row);
    assert.deepEqual(found, [...rows]);
  }
});

test("a row tells what it links to, what links to it, and who wrote it", async () => {
  const store = await open(example);
  const list = await store.list(["tasks"], { sort: "table" });
  let linked = 0;
  for (const item of await list.items(0, list.total)) {
    const view = await store.row("tasks", item.id);
    assert.equal(JSON.parse(view.raw).id, item.id);
    assert.ok(view.history.row.at);
    for (const { item: other } of view.linksOut) {
      linked += 1;
      const back = await store.row(other.table, other.id);
      assert.ok(back.linksIn.some(({ item: from }) => from.table === "tasks" && from.id === item.id));
    }
  }
  assert.ok(linked > 0);
  assert.equal(await store.row("tasks", "nobody"), null);
  assert.equal(await store.row("no such table", 0), null);
  store.forget();
});

test("a list that the store gave up is made again", async () => {
  const store = await open(example);
  const first = await store.list(["contacts"]);
  const items = await first.items(0, 3);
  for (let made = 0; made < 60; made++) await store.list(["contacts"], { filters: { from: String(made) } });
  assert.deepEqual(await first.items(0, 3), items);
  store.forget();
});

test("activity counts every dated row once, and the others by themselves", async () => {
  const store = await open(example);
  const all = await store.list(names(store));
  const { months, undated } = await store.activity();
  assert.equal(months.reduce((sum, { rows }) => sum + rows, 0) + undated, all.total);
  store.forget();
});

test("odd rows stay what they are: names of prototypes, numbers beyond doubles, deep nesting, ten megabytes", async () => {
  const store = await open(odd);
  const view = async (id) => store.row("notes", id);
  const proto = await view("proto");
  assert.equal(Object.getPrototypeOf(proto.row), Object.prototype);
  assert.ok(Object.hasOwn(proto.row, "__proto__"));
  assert.equal({}.polluted, undefined);
  const numbers = (await view("numbers")).row;
  assert.deepEqual([String(numbers.big), String(numbers.huge)], ["9007199254740993", "1e400"]);
  assert.match((await view("numbers")).raw, /"big":9007199254740993,"huge":1e400/);
  assert.equal((await view("deep")).raw.length > 20_000, true);
  assert.equal((await view("long")).row.content.length, 10_000_000);
  await store.index();
  assert.equal((await store.search("Nadelöhr")).total, 1);
  const list = await store.list(["notes", "__proto__", "constructor"]);
  assert.equal(list.total, 8);
  assert.equal((await store.verify()).whole, true);
  store.forget();
});

test("hashes and sums of pieces are those of the whole", async () => {
  for (let round = 0; round < 60; round++) {
    const bytes = new Uint8Array(randomBytes(round < 50 ? round * 3 : 70_000 + round));
    const hash = new Sha256();
    let crc = 0;
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + Math.floor(Math.random() * 200);
      hash.update(bytes.subarray(at, at + size));
      crc = crc32(bytes.subarray(at, at + size), crc);
      at += size;
    }
    const expected = createHash("sha256").update(bytes).digest("hex");
    assert.equal(hash.digest(), expected);
    assert.equal(await sha256(bytes), expected);
    assert.equal(crc, crc32(bytes));
  }
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("texts are ordered by code point, not by UTF-16", () => {
  const texts = ["", "a", "ab", "b", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "a\ud800", "a\ud800\udc00", "\udc00", "\ud800"];
  const points = (text) => [...text].map((character) => character.codePointAt(0));
  const compare = (a, b) => {
    const [one, other] = [points(a), points(b)];
    const at = one.findIndex((point, index) => point !== other[index]);
    return at < 0 ? one.length - other.length : at >= other.length ? 1 : one[at] - other[at];
  };
  for (const a of texts) for (const b of texts) assert.equal(Math.sign(byCodePoint(a, b)), Math.sign(compare(a, b)), JSON.stringify([a, b]));
});

test("numbers that JavaScript holds are numbers, and the others keep their text", () => {
  for (const text of ["0", "1.50", "1e21", "0.1", "123456789012345680000", "1E5", "-1.25e-7"]) {
    assert.equal(typeof parseExact(`[${text}]`)[0], "number", text);
  }
  for (const text of ["9007199254740993", "1e400", "-0", "0.1000000000000000055511151231257827"]) {
    const [value] = parseExact(`[${text}]`);
    assert.ok(value instanceof NumberText, text);
    assert.equal(value.text, text);
  }
});

test("values are equal when their JSON is", () => {
  assert.ok(equalJson({ a: [1, { b: null }], c: "x" }, { c: "x", a: [1, { b: null }] }));
  for (const other of [{ a: 1 }, { a: "1" }, [1], null, { a: [1] }, { b: 1 }, { a: 1, b: undefined }]) {
    assert.equal(equalJson({ a: 2 }, other), false);
  }
  assert.equal(equalJson(JSON.parse('{"__proto__":1}'), {}), false);
});

test("the worked examples of the format hold here too", () => {
  for (const { value, form } of JSON.parse(readFileSync(process.env.FORMS, "utf-8"))) {
    assert.equal(hasCiphertextForm(value), form, value);
  }
});
