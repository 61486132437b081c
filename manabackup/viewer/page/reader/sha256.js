/**
 * SHA-256 (FIPS 180-4) of what comes in pieces. WebCrypto takes one message as a whole, and an entry of an archive may
 * be larger than memory; where a message is at hand, WebCrypto is what to use.
 */

import { hex, joined } from "./bytes.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */

const BLOCK = 64;
const WHOLE = 32 * 1024 * 1024;
const [START, ROUNDS] = constants();

/** A running hash. */
export class Sha256 {
  constructor() {
    this._state = Int32Array.from(START);
    this._words = new Int32Array(64);
    this._rest = new Uint8Array(BLOCK);
    this._held = 0;
    this._bytes = 0;
  }

  /** @param {Bytes} bytes some more of the message */
  update(bytes) {
    this._bytes += bytes.length;
    let at = 0;
    if (this._held > 0) {
      at = Math.min(BLOCK - this._held, bytes.length);
      this._rest.set(bytes.subarray(0, at), this._held);
      this._held += at;
      if (this._held < BLOCK) return;
      this._blocks(this._rest, 0, BLOCK);
      this._held = 0;
    }
    const end = at + Math.floor((bytes.length - at) / BLOCK) * BLOCK;
    this._blocks(bytes, at, end);
    this._rest.set(bytes.subarray(end));
    this._held = bytes.length - end;
  }

  /** @returns {string} 64 lower-case hex digits; nothing more can be added */
  digest() {
    const bits = this._bytes * 8;
    const padding = new Uint8Array(((this._held < 56 ? 56 : 120) - this._held) + 8);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(padding.length - 4, bits >>> 0);
    this.update(padding);
    const result = new Uint8Array(32);
    const out = new DataView(result.buffer);
    this._state.forEach((word, at) => out.setInt32(at * 4, word));
    return hex(result);
  }

  /** @param {Bytes} bytes @param {number} from @param {number} to whole blocks between them */
  _blocks(bytes, from, to) {
    const w = this._words;
    const k = ROUNDS;
    let [h0, h1, h2, h3, h4, h5, h6, h7] = this._state;
    for (let at = from; at < to; at += BLOCK) {
      for (let i = 0, p = at; i < 16; i++, p += 4) {
        w[i] = (bytes[p] << 24) | (bytes[p + 1] << 16) | (bytes[p + 2] << 8) | bytes[p + 3];
      }
      for (let i = 16; i < 64; i++) {
        const x = w[i - 15];
        const y = w[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (((w[i - 16] + s0) | 0) + ((w[i - 7] + s1) | 0)) | 0;
      }
      let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
      for (let i = 0; i < 64; i++) {
        const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const t1 = (((h + s1) | 0) + (((g ^ (e & (f ^ g))) + k[i]) | 0) + w[i]) | 0;
        const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + t1) | 0;
        d = c;
        c = b;
        b = a;
        a = (t1 + t2) | 0;
      }
      h0 = (h0 + a) | 0;
      h1 = (h1 + b) | 0;
      h2 = (h2 + c) | 0;
      h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0;
      h5 = (h5 + f) | 0;
      h6 = (h6 + g) | 0;
      h7 = (h7 + h) | 0;
    }
    this._state.set([h0, h1, h2, h3, h4, h5, h6, h7]);
  }
}

/**
 * The hash of a message that comes in pieces: by WebCrypto, which is twenty times as fast, where it fits into memory.
 * @param {number} size of the whole, in bytes
 * @returns {{update: (bytes: Bytes) => void, digest: () => Promise<string>}}
 */
export function runningSha256(size) {
  if (size > WHOLE || globalThis.crypto?.subtle === undefined) {
    const hash = new Sha256();
    return { update: (bytes) => hash.update(bytes), digest: async () => hash.digest() };
  }
  /** @type {Bytes[]} */
  const parts = [];
  return { update: (bytes) => void parts.push(bytes), digest: () => sha256(joined(parts)) };
}

/**
 * @param {Bytes} bytes a whole message
 * @returns {Promise<string>} its SHA-256, 64 lower-case hex digits
 */
export async function sha256(bytes) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/**
 * The first 32 bits of the fractional parts of the roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3): exact,
 * by integer roots.
 * @returns {[Int32Array, Int32Array]} of the square roots of eight, and of the cube roots of 64
 */
function constants() {
  /** @type {bigint[]} */
  const primes = [];
  for (let number = 2n; primes.length < 64; number++) {
    if (primes.every((prime) => number % prime !== 0n)) primes.push(number);
  }
  const bits = (/** @type {bigint} */ value) => Number(BigInt.asIntN(32, value));
  return [
    Int32Array.from(primes.slice(0, 8), (prime) => bits(root(prime << 64n, 2n))),
    Int32Array.from(primes, (prime) => bits(root(prime << 96n, 3n))),
  ];
}

/** @param {bigint} value @param {bigint} degree @returns {bigint} the largest integer whose power is not larger */
function root(value, degree) {
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= value) low = middle;
    else high = middle;
  }
  return low;
}
