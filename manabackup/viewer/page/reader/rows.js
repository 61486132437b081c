/** Rows: lines with a string `id`, none twice. Source: `formats/mana-v2.md`, "Rows" and "Text". */

import { badLine, lineBlocks } from "./lines.js";
import { entryOf } from "./names.js";
import { byCodePoint } from "./sums.js";

/** @typedef {import("./archive.js").Archive} Archive */
/** @typedef {import("./lines.js").Block} Block */

/**
 * The rows of a table, each checked. What can be said only at the end (size, CRC-32, number) has been checked when the
 * generator ends.
 * @param {Archive} archive
 * @param {string} table
 * @returns {AsyncGenerator<Block, void, void>}
 */
export async function* rowBlocks(archive, table) {
  const name = entryOf("data", table);
  /** @type {string | null} */
  let last = null;
  let ascending = true;
  let count = 0;
  for await (const block of lineBlocks(archive.chunks(name), name, archive.limits)) {
    for (const line of block.lines) {
      const id = rowId(line, name);
      if (ascending && last !== null && byCodePoint(id, last) <= 0) {
        await refuseDuplicates(archive, name);
        if (archive.ours) await refuseDisorder(archive, name);
        ascending = false;
      }
      last = id;
    }
    count += block.lines.length;
    yield block;
  }
  archive.checkCount(table, count);
}

/** @param {import("./lines.js").Line} line @param {string} name @returns {string} */
export function rowId(line, name) {
  const id = Object.hasOwn(line.value, "id") ? line.value.id : undefined;
  if (typeof id !== "string") throw badLine("has no string id", name, line.number);
  return id;
}

/** A pass of its own, and only over tables whose ids do not ascend. @param {Archive} archive @param {string} name */
async function refuseDuplicates(archive, name) {
  const seen = new Set();
  for await (const line of lines(archive, name)) {
    const id = rowId(line, name);
    if (seen.has(id)) throw badLine("an id that stands in the table already", name, line.number);
    seen.add(id);
  }
}

/** Names the first line that is out of order. @param {Archive} archive @param {string} name */
async function refuseDisorder(archive, name) {
  let last = null;
  for await (const line of lines(archive, name)) {
    const id = rowId(line, name);
    if (last !== null && byCodePoint(id, last) <= 0) throw badLine("not in the order of the ids", name, line.number, "order");
    last = id;
  }
}

/** @param {Archive} archive @param {string} name @returns {AsyncGenerator<import("./lines.js").Line, void, void>} */
export async function* lines(archive, name) {
  for await (const block of lineBlocks(archive.chunks(name), name, archive.limits)) yield* block.lines;
}
