/** CRC-32 as ZIP has it (ITU-T V.42, reflected polynomial 0xEDB88320), eight bytes at a time. */

/** @typedef {import("./bytes.js").Bytes} Bytes */

const TABLES = tables();

/**
 * @param {Bytes} bytes
 * @param {number} [crc] of what came before
 * @returns {number} from 0 to 2^32 - 1
 */
export function crc32(bytes, crc = 0) {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let rest = ~crc;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    rest ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    rest =
      t7[rest & 0xff] ^
      t6[(rest >>> 8) & 0xff] ^
      t5[(rest >>> 16) & 0xff] ^
      t4[rest >>> 24] ^
      t3[bytes[at + 4]] ^
      t2[bytes[at + 5]] ^
      t1[bytes[at + 6]] ^
      t0[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) rest = (rest >>> 8) ^ t0[(rest ^ bytes[at]) & 0xff];
  return ~rest >>> 0;
}

function tables() {
  const all = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    all[0][byte] = rest;
  }
  for (let step = 1; step < 8; step++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = all[step - 1][byte];
      all[step][byte] = (before >>> 8) ^ all[0][before & 0xff];
    }
  }
  return all;
}
