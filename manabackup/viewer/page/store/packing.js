/** Text in a third of its memory: deflated by the browser's own (RFC 1951), in memory alone. */

import { joined } from "../reader/bytes.js";
import { inflated } from "../reader/inflate.js";

/** @typedef {import("../reader/bytes.js").Bytes} Bytes */

/** @param {Bytes} bytes @returns {Promise<Bytes>} */
export async function packed(bytes) {
  const stream = new CompressionStream("deflate-raw");
  const writer = stream.writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  /** @type {Bytes[]} */
  const parts = [];
  const reader = stream.readable.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(/** @type {Bytes} */ (part.value));
  await written;
  return joined(parts).slice();
}

/** @param {Bytes} bytes @returns {Promise<Bytes>} what was packed */
export async function unpacked(bytes) {
  const pieces = async function* () {
    yield bytes;
  };
  /** @type {Bytes[]} */
  const parts = [];
  for await (const part of inflated(pieces)) parts.push(part);
  return joined(parts);
}
