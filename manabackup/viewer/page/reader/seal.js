/**
 * The passphrase seal: PBKDF2-HMAC-SHA256 (RFC 8018), then one AES-256-GCM message (NIST SP 800-38D), by WebCrypto.
 *
 * WebCrypto gives no plaintext before the whole tag is verified, and needs the whole message for it. Source:
 * `formats/mana-v2.md`, "Sealing".
 */

import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./manifest.js").SealParameters} SealParameters */

export const TAG_BYTES = 16;
const BOM = "\ufeff";

/** Whether this page may use WebCrypto at all: browsers give it to secure contexts alone. */
export function canUnseal() {
  return typeof crypto !== "undefined" && crypto.subtle !== undefined;
}

/**
 * @param {Bytes} sealed ciphertext with the tag at its end, its damage ruled out as far as can be without a key
 * @param {SealParameters} parameters
 * @param {string} passphrase taken exactly; if it begins with a byte order mark, then without that
 * @returns {Promise<Bytes>} the body
 * @throws {ArchiveProblem} `wrongPassphrase`
 */
export async function unseal(sealed, parameters, passphrase) {
  const body = await opened(sealed, parameters, passphrase);
  if (body !== null) return body;
  const bare = passphrase.startsWith(BOM) ? await opened(sealed, parameters, passphrase.slice(1)) : null;
  if (bare !== null) return bare;
  throw new ArchiveProblem("wrong passphrase", "passphrase", null, "wrongPassphrase");
}

/**
 * @param {string} passphrase UTF-8 is made of it as `TextEncoder` does: lone surrogates become U+FFFD
 * @param {SealParameters} parameters
 * @returns {Promise<CryptoKey>} which nothing can export
 */
export async function deriveKey(passphrase, { salt, iterations }) {
  const secret = new TextEncoder().encode(passphrase);
  const material = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(algorithm, material, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
}

/** @param {Bytes} sealed @param {SealParameters} parameters @param {string} passphrase @returns {Promise<Bytes | null>} */
async function opened(sealed, parameters, passphrase) {
  const key = await deriveKey(passphrase, parameters);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: parameters.iv }, key, sealed));
  } catch (error) {
    if (error instanceof Error && error.name === "OperationError") return null;
    throw error;
  }
}
