/** Inflate (RFC 1951) by the browser's own. Only what ends exactly where its bytes do is taken. */

/** @typedef {import("./bytes.js").Bytes} Bytes */

const PIECE = 64 * 1024;
// What one piece holds comes out at once, up to a thousand times its size.

/** No deflate stream, or one that does not end where its bytes do. */
export class InflateError extends Error {}

/**
 * @param {() => AsyncIterable<Bytes>} pieces gives the compressed bytes; may be asked for them twice
 * @returns {AsyncGenerator<Bytes, void, void>} what they hold
 * @throws {InflateError}; what `pieces` throws passes through
 */
export async function* inflated(pieces) {
  yield* once(pieces());
  if ((await ignoresWhatFollows()) && (await endsBefore(pieces()))) {
    throw new InflateError("its deflate stream does not end where it should");
  }
}

/** @param {AsyncIterable<Bytes>} pieces @returns {AsyncGenerator<Bytes, void, void>} */
async function* once(pieces) {
  const stream = new DecompressionStream("deflate-raw");
  /** @type {unknown} */
  let failure = null;
  const feeding = feed(stream.writable.getWriter(), pieces).catch((error) => {
    failure = error;
  });
  const reader = stream.readable.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield /** @type {Bytes} */ (value);
    }
  } catch {
    await feeding;
    throw failure ?? new InflateError("cannot be inflated, or does not end where it should");
  } finally {
    await reader.cancel().catch(() => {});
    await feeding;
  }
}

/**
 * Errors of the stream itself come out at its other end; those of `pieces` are thrown.
 * @param {WritableStreamDefaultWriter<BufferSource>} writer
 * @param {AsyncIterable<Bytes>} pieces
 */
async function feed(writer, pieces) {
  const closed = writer.closed.catch(() => {});
  try {
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += PIECE) {
        try {
          await writer.ready;
          await writer.write(piece.subarray(at, at + PIECE));
        } catch {
          return;
        }
      }
    }
  } catch (error) {
    await writer.abort(error).catch(() => {});
    throw error;
  }
  await writer.close().catch(() => {});
  await closed;
}

/** @type {Promise<boolean> | null} */
let tolerant = null;

/** Whether this engine passes over bytes behind a stream's end, against the Compression Standard. */
function ignoresWhatFollows() {
  tolerant ??= ends([Uint8Array.of(3, 0, 0)]);
  return tolerant;
}

/** Whether a stream has ended before its last byte: then that byte belongs to nothing. */
async function endsBefore(/** @type {AsyncIterable<Bytes>} */ pieces) {
  /** @type {Bytes[]} */
  const held = [];
  for await (const piece of pieces) if (piece.length > 0) held.push(piece);
  const last = held.pop();
  return last === undefined || ends([...held, last.subarray(0, -1)]);
}

/** @param {Bytes[]} pieces @returns {Promise<boolean>} whether they are a stream with an end */
async function ends(pieces) {
  const given = async function* () {
    yield* pieces;
  };
  try {
    for await (const chunk of once(given())) void chunk;
    return true;
  } catch {
    return false;
  }
}
