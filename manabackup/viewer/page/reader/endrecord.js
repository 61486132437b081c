/** Where a ZIP container ends, and what its end says of the central directory (APPNOTE 6.3, 4.3.14 to 4.3.16). */

import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./source.js").Source} Source */

export const MAX_16 = 0xffff;
export const MAX_32 = 0xffffffff;
export const ZIP64_VERSION = 45;
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const END_64_BYTES = 56;
const END_64_SIGNATURE = 0x06064b50;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCAL_SIGNATURE = 0x04034b50;

/**
 * @typedef {object} End
 * @property {number} count of entries
 * @property {number} offset of the central directory
 * @property {number} size of the central directory
 * @property {boolean} fixed whether every field without a second copy has its one fixed value
 */

/** @param {Bytes} bytes @returns {DataView} */
export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @param {DataView} view @param {number} at @returns {number} inexact beyond 2^53, which no file reaches */
export function uint64(view, at) {
  return Number(view.getBigUint64(at, true));
}

/** @param {Source} source @returns {Promise<End>} what the end record says, the Zip64 one where it calls for it */
export async function readEnd(source) {
  const tailBytes = Math.min(source.size, END_BYTES + MAX_16);
  const tailStart = source.size - tailBytes;
  const tail = await source.read(tailStart, tailBytes);
  const view = viewOf(tail);
  const at = lastSignature(tail);
  if (at < 0 || tail.length - at < END_BYTES) {
    const begins = await startsWith(source, 0, LOCAL_SIGNATURE);
    if (begins) throw new ArchiveProblem("is cut off", "truncated");
    throw new ArchiveProblem("is not a .mana archive", "notAnArchive");
  }
  const [disk, directoryDisk, here, count] = [4, 6, 8, 10].map((field) => view.getUint16(at + field, true));
  const [size, offset] = [12, 16].map((field) => view.getUint32(at + field, true));
  const commentBytes = view.getUint16(at + 20, true);
  if (at + END_BYTES + commentBytes !== tail.length) {
    throw new ArchiveProblem("bytes lie behind the end of the archive, or it is cut off", "container");
  }
  if (disk || directoryDisk || here !== count) throw new ArchiveProblem("is one part of several", "container");
  let end = { count, offset, size, fixed: commentBytes === 0 };
  let endOffset = tailStart + at;
  if (count === MAX_16 || size === MAX_32 || offset === MAX_32) {
    const large = await readEnd64(source, endOffset, end);
    end = { ...large.end, fixed: end.fixed && large.end.fixed };
    endOffset = large.endOffset;
  } else if (endOffset >= LOCATOR_BYTES && (await startsWith(source, endOffset - LOCATOR_BYTES, LOCATOR_SIGNATURE))) {
    throw new ArchiveProblem("has a Zip64 end record that nothing calls for", "container");
  }
  if (end.offset + end.size !== endOffset) {
    throw new ArchiveProblem("bytes lie before the first entry, or the central directory is damaged", "container");
  }
  return end;
}

/** @param {Source} source @param {number} endOffset @param {End} small @returns {Promise<{end: End, endOffset: number}>} */
async function readEnd64(source, endOffset, small) {
  const damaged = (/** @type {string} */ message) => new ArchiveProblem(message, "container");
  if (endOffset < LOCATOR_BYTES || !(await startsWith(source, endOffset - LOCATOR_BYTES, LOCATOR_SIGNATURE))) {
    throw damaged("its Zip64 end record is missing");
  }
  const locator = viewOf(await source.read(endOffset - LOCATOR_BYTES, LOCATOR_BYTES));
  const recordOffset = uint64(locator, 8);
  const record = viewOf(await source.read(recordOffset, END_64_BYTES));
  const misplaced = locator.getUint32(4, true) !== 0 || locator.getUint32(16, true) !== 1;
  if (misplaced || record.byteLength !== END_64_BYTES || record.getUint32(0, true) !== END_64_SIGNATURE) {
    throw damaged("its Zip64 end record is damaged");
  }
  const [here, count, size, offset] = [24, 32, 40, 48].map((field) => uint64(record, field));
  const disks = record.getUint32(16, true) || record.getUint32(20, true);
  if (uint64(record, 4) !== END_64_BYTES - 12 || disks || here !== count) {
    throw damaged("its Zip64 end record is damaged");
  }
  if (recordOffset + END_64_BYTES + LOCATOR_BYTES !== endOffset) {
    throw damaged("bytes lie around the Zip64 end record");
  }
  const pairs = [
    [small.count, count, MAX_16],
    [small.size, size, MAX_32],
    [small.offset, offset, MAX_32],
  ];
  if (pairs.some(([stated, true64, most]) => stated !== most && stated !== true64)) {
    throw damaged("the two end records disagree");
  }
  const versions = record.getUint16(12, true) === (0x0300 | ZIP64_VERSION) && record.getUint16(14, true) === ZIP64_VERSION;
  const fixed = versions && pairs.every(([stated, true64, most]) => stated === Math.min(true64, most));
  return { end: { count, offset, size, fixed }, endOffset: recordOffset };
}

/** @param {Bytes} tail @returns {number} where the last end record begins, -1 where there is none */
function lastSignature(tail) {
  const view = viewOf(tail);
  for (let at = tail.length - 4; at >= 0; at--) {
    if (tail[at] === 0x50 && view.getUint32(at, true) === END_SIGNATURE) return at;
  }
  return -1;
}

/** @param {Source} source @param {number} offset @param {number} signature */
async function startsWith(source, offset, signature) {
  const bytes = await source.read(offset, 4);
  return bytes.length === 4 && viewOf(bytes).getUint32(0, true) === signature;
}
