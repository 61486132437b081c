import assert from "node:assert/strict";
import { test } from "node:test";

import { NumberText, parseExact, parseJson } from "../../../manabackup/viewer/page/reader/json.js";

const numbers = (text) => Object.values(parseExact(text)).map(String);

test("numbers that JavaScript cannot hold keep their text, in every engine", () => {
  const texts = ["9007199254740993", "-0", "1e400", "0.1234567890123456789", "12345678901234567.89"];
  const found = parseExact(`[${texts.join(",")}]`);
  assert.deepEqual(found.map(String), texts);
  assert.ok(found.every((number) => number instanceof NumberText));
  assert.deepEqual(parseExact("[1, 1.50, 1E2, 1e-7, 9007199254740992]"), [1, 1.5, 100, 1e-7, 9007199254740992]);
});

test("digits in strings are no numbers, and marks in strings are no marks", () => {
  const text = '{"a":"9007199254740993","b":"\\ue000 9007199254740993","c":"\\\\","d":9007199254740993,"e":"\\"9007199254740993"}';
  const row = parseExact(text);
  assert.deepEqual([row.a, row.b, row.c, String(row.d), row.e], ["9007199254740993", "\ue000 9007199254740993", "\\", "9007199254740993", '"9007199254740993']);
  const raw = parseExact('{"a":"\ue0009007199254740993","n":9007199254740993}');
  assert.deepEqual([raw.a, String(raw.n)], ["\ue0009007199254740993", "9007199254740993"]);
});

test("names of prototypes are the object's own", () => {
  const row = parseExact('{"__proto__":9007199254740993,"toString":1e400}');
  assert.deepEqual(Object.keys(row), ["__proto__", "toString"]);
  assert.deepEqual(numbers('{"__proto__":9007199254740993}'), ["9007199254740993"]);
  assert.equal(Object.getPrototypeOf(row), Object.prototype);
});

test("strings of ten million characters, and ten thousand nested lists", () => {
  const long = `{"a":"${"x\\\\".repeat(3_000_000)}","n":9007199254740993}`;
  assert.equal(String(parseExact(long).n), "9007199254740993");
  assert.equal(/** @type {any} */ (parseJson(long, 100)).a.length, 6_000_000);
  const deep = `${"[".repeat(10_000)}9007199254740993${"]".repeat(10_000)}`;
  parseExact(deep);
  assert.throws(() => parseJson(deep, 1_000), /nests too deep/);
});
