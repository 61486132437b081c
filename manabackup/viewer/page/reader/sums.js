/** `SHA256SUMS`, and the name of the content that follows from it. Source: `formats/mana-v2.md`, "Sums". */

import { SUMS } from "./names.js";
import { ArchiveProblem } from "./problem.js";
import { sha256 } from "./sha256.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const LINE = /^([0-9a-f]{64}) {2}([^\0\n]+)$/;

/** @param {string} name @returns {boolean} whether an entry has a line */
export function isCovered(name) {
  return /^(?:data|meta|account|blobs)\//.test(name);
}

/** @param {Bytes} content @returns {Map<string, string>} name → hash */
export function parseSums(content) {
  /** @type {Map<string, string>} */
  const sums = new Map();
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);
  for (const line of text === "" ? [] : text.replace(/\n$/, "").split("\n")) {
    const match = LINE.exec(line);
    if (match === null) throw new ArchiveProblem("a line is malformed", "sums", SUMS);
    if (sums.has(match[2])) throw new ArchiveProblem("an entry is listed twice", "sums", SUMS);
    sums.set(match[2], match[1]);
  }
  return sums;
}

/** @param {ReadonlyMap<string, string>} sums @returns {Promise<string>} `dataSha256` */
export async function dataSha256(sums) {
  const names = [...sums.keys()].filter((name) => name.startsWith("data/")).sort(byCodePoint);
  const text = names.map((name) => `${sums.get(name)}  ${name}\n`).join("");
  return sha256(new TextEncoder().encode(text));
}

/**
 * The order of this format. JavaScript's own is that of UTF-16, which puts U+10000 before U+E000.
 * @param {string} a @param {string} b @returns {number} below 0, 0 or above
 */
export function byCodePoint(a, b) {
  const end = Math.min(a.length, b.length);
  for (let at = 0; at < end; at++) {
    const one = a.charCodeAt(at);
    const other = b.charCodeAt(at);
    if (one === other) continue;
    if (one < 0xd800 || other < 0xd800) return one - other;
    return codePointAround(a, at) - codePointAround(b, at);
  }
  return a.length - b.length;
}

/** @param {string} text @param {number} at @returns {number} of the character that the unit there is a part of */
function codePointAround(text, at) {
  const unit = text.charCodeAt(at);
  const before = at > 0 ? text.charCodeAt(at - 1) : 0;
  const second = unit >= 0xdc00 && unit < 0xe000 && before >= 0xd800 && before < 0xdc00;
  return text.codePointAt(second ? at - 1 : at) ?? 0;
}
