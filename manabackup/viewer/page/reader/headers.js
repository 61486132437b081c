/** The headers of ZIP entries, central and local, and what of them must agree (APPNOTE 6.3, 4.3.7 to 4.3.12). */

import { sameBytes, utf8 } from "./bytes.js";
import { MAX_32, ZIP64_VERSION, uint64, viewOf } from "./endrecord.js";
import { printable } from "./names.js";
import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./limits.js").Limits} Limits */
/** @typedef {import("./source.js").Source} Source */

export const STORED = 0;
export const DEFLATED = 8;
const CENTRAL_BYTES = 46;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
const DESCRIPTOR_SIGNATURE = 0x08074b50;
const FLAG_ENCRYPTED = 1;
const FLAG_DESCRIPTOR = 8;
const ALLOWED_FLAGS = FLAG_DESCRIPTOR | 0x0800 | 0x0006;
const ZIP64_EXTRA = 1;
/** The one value of each field that has no second copy, in the outer container of a sealed archive. */
const FIXED = { madeBy: 0x0314, version: 20, external: (0o100600 << 16) >>> 0, dates: [0x0021, 0] };

/**
 * One entry, as the central directory has it and the local header confirms it.
 * @typedef {object} Entry
 * @property {string} name as this format calls it
 * @property {import("./names.js").Kind} kind
 * @property {Bytes} rawName as it stands in the container
 * @property {number} date
 * @property {number} version
 * @property {number} flags
 * @property {number} method
 * @property {number} crc
 * @property {number} compressed
 * @property {number} size
 * @property {number} headerOffset
 * @property {number} dataOffset
 * @property {boolean} fixed every field without a second copy has its one fixed value
 */

/** @param {string} message @param {string} [where] @param {string} [code] */
function damaged(message, where, code = "container") {
  return new ArchiveProblem(message, code, where);
}

/**
 * @param {Bytes} directory
 * @param {number} at
 * @param {Limits} limits
 * @returns {{entry: Entry, next: number}} the entry whose central header lies there, and where the next one does
 */
export function centralEntry(directory, at, limits) {
  const left = directory.length - at;
  if (left < CENTRAL_BYTES) throw damaged("the central directory is cut off");
  const view = viewOf(directory.subarray(at));
  if (view.getUint32(0, true) !== CENTRAL_SIGNATURE) throw damaged("the central directory is damaged");
  const [madeBy, version, flags, method, time, date] = [4, 6, 8, 10, 12, 14].map((field) => view.getUint16(field, true));
  const [crc, compressed32, size32] = [16, 20, 24].map((field) => view.getUint32(field, true));
  const [nameBytes, extraBytes, commentBytes, disk, internal] = [28, 30, 32, 34, 36].map((f) => view.getUint16(f, true));
  const [external, offset32] = [38, 42].map((field) => view.getUint32(field, true));
  const next = at + CENTRAL_BYTES + nameBytes + extraBytes + commentBytes;
  if (next > directory.length) throw damaged("the central directory is cut off");
  const nameAt = at + CENTRAL_BYTES;
  const rawName = directory.slice(nameAt, nameAt + nameBytes);
  const name = nameIn(rawName, limits);
  const where = printable(name);
  if (disk !== 0) throw damaged("says it lies on another disk", where);
  const extra = directory.subarray(nameAt + nameBytes, nameAt + nameBytes + extraBytes);
  const [size, compressed, headerOffset] = zip64(extra, [size32, compressed32, offset32], where);
  checkSizes(where, method, compressed, size, limits);
  const large = [size32, compressed32, offset32].filter((value) => value === MAX_32).length;
  const fixed =
    madeBy === FIXED.madeBy &&
    [flags, method, time, commentBytes, internal].every((value) => value === 0) &&
    external === FIXED.external &&
    FIXED.dates.includes(date) &&
    extraBytes === (large ? 4 + 8 * large : 0) &&
    (version === ZIP64_VERSION || !large);
  const entry = { name, kind: /** @type {const} */ ("other"), rawName, date, version, flags, method, crc, compressed, size };
  return { entry: { ...entry, headerOffset, dataOffset: -1, fixed }, next };
}

/**
 * @param {Source} source
 * @param {Entry} entry
 * @returns {Promise<{entry: Entry, next: number}>} with its data's place, and where the next local header must begin
 */
export async function locatedEntry(source, entry) {
  const where = printable(entry.name);
  const header = await source.read(entry.headerOffset, LOCAL_BYTES);
  if (header.length !== LOCAL_BYTES) throw damaged("its local header is cut off", where, "truncated");
  const view = viewOf(header);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) throw damaged("its local header is damaged", where);
  const [version, flags, method, time, date] = [4, 6, 8, 10, 12].map((field) => view.getUint16(field, true));
  const [crc, compressed32, size32] = [14, 18, 22].map((field) => view.getUint32(field, true));
  const [nameBytes, extraBytes] = [26, 28].map((field) => view.getUint16(field, true));
  const variable = await source.read(entry.headerOffset + LOCAL_BYTES, nameBytes + extraBytes);
  if (variable.length !== nameBytes + extraBytes) throw damaged("its local header is cut off", where, "truncated");
  if (!sameBytes(variable.subarray(0, nameBytes), entry.rawName)) {
    throw damaged("local and central header name different entries", where);
  }
  if (flags !== entry.flags || method !== entry.method) throw damaged("local and central header disagree", where);
  checkFeatures(flags, method, where);
  const [size, compressed] = zip64(variable.subarray(nameBytes), [size32, compressed32], where);
  const described = (flags & FLAG_DESCRIPTOR) !== 0;
  const pairs = [
    [crc, entry.crc],
    [compressed, entry.compressed],
    [size, entry.size],
  ];
  // What a writer did not know yet is 0 where a descriptor follows.
  if (pairs.some(([found, true_]) => found !== true_ && !(described && found === 0))) {
    throw damaged("local and central header disagree", where);
  }
  const dataOffset = entry.headerOffset + LOCAL_BYTES + variable.length;
  let next = dataOffset + entry.compressed;
  if (described) next = await afterDescriptor(source, entry, next, where);
  if (next > source.size) throw damaged("is cut off", where, "truncated");
  const large = size32 === MAX_32 || compressed32 === MAX_32;
  const fixed =
    entry.fixed &&
    time === 0 &&
    date === entry.date &&
    extraBytes === (large ? 20 : 0) &&
    version === (large ? ZIP64_VERSION : FIXED.version) &&
    entry.version === (large || entry.headerOffset >= MAX_32 ? ZIP64_VERSION : FIXED.version);
  return { entry: { ...entry, dataOffset, fixed }, next };
}

/** @param {Bytes} raw @param {Limits} limits @returns {string} */
function nameIn(raw, limits) {
  if (raw.length === 0 || raw.length > limits.entryName) throw damaged("an entry with an empty or overlong name", undefined, "entryName");
  const name = utf8(raw);
  if (name === null) throw damaged("an entry with a name that is not UTF-8", undefined, "entryName");
  return name;
}

/** @param {string} where @param {number} method @param {number} compressed @param {number} size @param {Limits} limits */
function checkSizes(where, method, compressed, size, limits) {
  if (size > limits.entryBytes) throw damaged(`would inflate to more than ${limits.entryBytes} bytes`, where, "limit");
  if (method === STORED && compressed !== size) throw damaged("stored with two different sizes", where, "size");
  if (size > limits.ratio * Math.max(compressed, 1)) {
    throw damaged("would inflate beyond what deflate can do", where, "limit");
  }
}

/** @param {number} flags @param {number} method @param {string} where */
function checkFeatures(flags, method, where) {
  if (flags & FLAG_ENCRYPTED) throw damaged("encrypted in a way that this format does not have", where);
  if (flags & ~ALLOWED_FLAGS) throw damaged("has unknown flags", where);
  if (method !== STORED && method !== DEFLATED) {
    throw damaged(`compressed by a method that this format does not have (${method})`, where);
  }
}

/**
 * @param {Bytes} extra
 * @param {number[]} values as they stand in a header, in the order of the Zip64 field
 * @param {string} where
 * @returns {number[]} those that are 0xFFFFFFFF replaced from the Zip64 field
 */
function zip64(extra, values, where) {
  const count = values.filter((value) => value === MAX_32).length;
  if (count === 0) return values;
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = view.getUint16(at + 2, true);
    if (at + 4 + length > extra.length) break;
    if (view.getUint16(at, true) === ZIP64_EXTRA && length >= 8 * count) {
      let field = at + 4 - 8;
      return values.map((value) => (value === MAX_32 ? uint64(view, (field += 8)) : value));
    }
    at += 4 + length;
  }
  throw damaged("its Zip64 sizes are missing", where);
}

/**
 * A data descriptor has a signature or not, and sizes of 4 or 8 bytes; its content decides which.
 * @param {Source} source @param {Entry} entry @param {number} at @param {string} where
 * @returns {Promise<number>} where it ends
 */
async function afterDescriptor(source, entry, at, where) {
  const raw = await source.read(at, 24);
  const view = viewOf(raw);
  const signed = raw.length >= 4 && view.getUint32(0, true) === DESCRIPTOR_SIGNATURE;
  for (const start of signed ? [4, 0] : [0]) {
    for (const wide of [true, false]) {
      const length = start + (wide ? 20 : 12);
      if (raw.length < length) continue;
      const sizes = wide
        ? [uint64(view, start + 4), uint64(view, start + 12)]
        : [view.getUint32(start + 4, true), view.getUint32(start + 8, true)];
      const found = [view.getUint32(start, true), ...sizes];
      if (found.every((value, index) => value === [entry.crc, entry.compressed, entry.size][index])) return at + length;
    }
  }
  throw damaged("its data descriptor disagrees with the central directory", where);
}
