/** JSON Lines out of an entry's chunks. Source: `formats/mana-v2.md`, "Rows". */

import { joined, utf8 } from "./bytes.js";
import { ParseError, parseJson } from "./json.js";
import { printable } from "./names.js";
import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./limits.js").Limits} Limits */

const BLOCK = 256 * 1024;
const NEWLINE = 10;

/**
 * A line that is one JSON object.
 * @typedef {object} Line
 * @property {number} number from 1
 * @property {Record<string, any>} value parsed
 * @property {number} start where its trimmed text begins in its block's bytes
 * @property {number} end
 */

/**
 * Whole lines, about a quarter of a megabyte of them: what is parsed of them dies young.
 * @typedef {object} Block
 * @property {number} offset of its first byte in the entry
 * @property {Bytes} bytes
 * @property {Line[]} lines without blank ones
 */

/**
 * @param {AsyncIterable<Bytes>} chunks
 * @param {string} name of the entry
 * @param {Limits} limits
 * @returns {AsyncGenerator<Block, void, void>}
 * @throws {ArchiveProblem} `line`, for the first line that is not one JSON object in UTF-8
 */
export async function* lineBlocks(chunks, name, limits) {
  let before = 0;
  let offset = 0;
  for await (const bytes of wholeLines(chunks, name, limits)) {
    const { lines, count } = parsed(bytes, before, name, limits);
    before += count;
    if (lines.length > 0) yield { offset, bytes, lines };
    offset += bytes.length;
  }
}

/** @param {AsyncIterable<Bytes>} chunks @param {string} name @param {Limits} limits @returns {AsyncGenerator<Bytes, void, void>} whole lines, many at a time */
export async function* wholeLines(chunks, name, limits) {
  /** @type {Bytes[]} */
  let parts = [];
  let size = 0;
  // Where the last line began, that has not ended yet.
  let open = 0;
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(NEWLINE);
    parts.push(chunk);
    if (last >= 0) open = size + last + 1;
    size += chunk.length;
    if (size - open > limits.lineBytes) throw new ArchiveProblem("a line beyond all measure", "limit", printable(name));
    if (open < BLOCK) continue;
    const whole = joined(parts);
    yield whole.slice(0, open);
    const rest = whole.slice(open);
    parts = rest.length > 0 ? [rest] : [];
    size = rest.length;
    open = 0;
  }
  if (size > 0) yield joined(parts);
}

/** @param {Bytes} bytes @param {number} before @param {string} name @param {Limits} limits */
function parsed(bytes, before, name, limits) {
  const text = utf8(bytes);
  /** @type {Line[]} */
  const lines = [];
  let count = 0;
  let at = 0;
  let from = 0;
  while (at < bytes.length) {
    const found = bytes.indexOf(NEWLINE, at);
    const end = found < 0 ? bytes.length : found;
    count += 1;
    let own;
    if (text === null) {
      own = utf8(bytes.subarray(at, end));
      if (own === null) throw notOneValue(name, before + count);
    } else {
      const newline = text.indexOf("\n", from);
      own = text.slice(from, newline < 0 ? text.length : newline);
      from = newline + 1;
    }
    const line = lineOf(own, before + count, at, end, name, limits);
    if (line !== null) lines.push(line);
    at = end + 1;
  }
  return { lines, count };
}

/** @param {string} text @param {number} number @param {number} start @param {number} end @param {string} name @param {Limits} limits @returns {Line | null} */
function lineOf(text, number, start, end, name, limits) {
  let own = text;
  if (text.charCodeAt(0) !== 0x7b || text.charCodeAt(text.length - 1) !== 0x7d) {
    const encoder = new TextEncoder();
    // `trim` takes U+FEFF for a blank, so this is also about the byte order mark before the first line.
    own = text.trim();
    if (own === "") return null;
    start += encoder.encode(text.slice(0, text.length - text.trimStart().length)).length;
    end = start + encoder.encode(own).length;
  }
  let value;
  try {
    value = parseJson(own, limits.nesting);
  } catch (error) {
    if (error instanceof ParseError) throw notOneValue(name, number);
    throw error;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw badLine("not a JSON object", name, number);
  return { number, value: /** @type {Record<string, any>} */ (value), start, end };
}

/** @param {string} name @param {number} number */
function notOneValue(name, number) {
  return badLine("not one JSON value in UTF-8", name, number);
}

/** @param {string} message @param {string} name @param {number} number @param {string} [code] @returns {ArchiveProblem} */
export function badLine(message, name, number, code = "line") {
  return new ArchiveProblem(message, code, `${printable(name)}:${number}`);
}
