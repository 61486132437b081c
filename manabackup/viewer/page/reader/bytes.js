/** Bytes, and the few things that are done with them everywhere. */

/**
 * Bytes that share no memory with other threads, which is what the web's functions take.
 * @typedef {Uint8Array<ArrayBuffer>} Bytes
 */

/**
 * @param {readonly Bytes[]} parts
 * @returns {Bytes} all of them, one behind the other
 */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @param {Bytes} bytes
 * @returns {string} two lower-case digits a byte
 */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {Bytes} a
 * @param {Bytes} b
 * @returns {boolean} whether they are the same
 */
export function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/**
 * @param {Bytes} bytes
 * @returns {string | null} the text, a byte order mark included; null where they are not UTF-8
 */
export function utf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * Base64 of either alphabet, with or without padding.
 * @param {string} text
 * @returns {Bytes | null} null where it is none
 */
export function base64(text) {
  const digits = text.replace(/-/g, "+").replace(/_/g, "/");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return null;
  const bare = digits.replace(/=+$/, "");
  if (bare.length % 4 === 1) return null;
  return Uint8Array.from(atob(bare), (character) => character.charCodeAt(0));
}
