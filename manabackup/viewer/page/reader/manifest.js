/** `manifest.json`: what an archive says of itself. Source: `formats/mana-v2.md`, "Manifest" and "Sealing". */

import { base64, utf8 } from "./bytes.js";
import { ParseError, equalJson, parseJson } from "./json.js";
import { MANIFEST } from "./names.js";
import { ArchiveProblem } from "./problem.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./limits.js").Limits} Limits */
/** @typedef {Record<string, any>} RawManifest parsed; ask it through `own` */

const FORMAT_VERSION = 2;
const SALT_BYTES = 16;
const IV_BYTES = 12;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * @typedef {object} SealParameters
 * @property {Bytes} salt
 * @property {Bytes} iv
 * @property {number} iterations
 */

/** @param {string} message @param {string} [code] */
function damaged(message, code = "manifest") {
  return new ArchiveProblem(message, code, MANIFEST);
}

/** @param {RawManifest} raw @param {string} key @returns {any} its value, undefined where it has none of its own */
export function own(raw, key) {
  return Object.hasOwn(raw, key) ? raw[key] : undefined;
}

/** @param {Bytes} content @param {Limits} limits @returns {RawManifest} the JSON object, of whatever version */
export function parseManifest(content, limits) {
  const bom = content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf;
  const text = utf8(bom ? content.subarray(3) : content);
  if (text === null) throw damaged("is not JSON");
  let raw;
  try {
    raw = parseJson(text, limits.nesting);
  } catch (error) {
    if (error instanceof ParseError) throw damaged("is not JSON");
    throw error;
  }
  if (raw === null || typeof raw !== "object" || Array.isArray(raw)) throw damaged("is not an object");
  return /** @type {RawManifest} */ (raw);
}

/** @param {RawManifest} raw @returns {RawManifest} checked as the web app's reader does */
export function checkManifest(raw) {
  const version = own(raw, "formatVersion");
  if (version !== FORMAT_VERSION) {
    throw damaged(`format version ${Number.isInteger(version) ? version : "unknown"} (this page reads 2)`, "formatVersion");
  }
  if (typeof own(raw, "schemaVersion") !== "number") throw damaged("schemaVersion is not a number");
  const userId = own(raw, "userId");
  if (typeof userId !== "string" || userId === "") throw damaged("userId is missing");
  if (typeof own(raw, "exportedAt") !== "string") throw damaged("exportedAt is missing");
  for (const key of ["scope", "rowCounts"]) {
    const value = own(raw, key);
    if (value === null || typeof value !== "object") throw damaged(`${key} is missing`);
  }
  if (typeof own(raw, "fieldsPlaintext") !== "boolean") throw damaged("fieldsPlaintext is missing");
  for (const key of ["sealedSha256", "dataSha256"]) {
    const value = own(raw, key);
    if (value !== undefined && !(typeof value === "string" && SHA256.test(value))) throw damaged(`${key} is not a SHA-256`);
  }
  return raw;
}

/** @param {RawManifest} raw @returns {boolean} whether the rows lie in `data.sealed` */
export function isSealed(raw) {
  return Boolean(own(raw, "passphrase"));
}

/** @param {RawManifest} raw @returns {boolean} whether manabackup wrote the rows: clean and sorted */
export function isOurs(raw) {
  return own(raw, "dataSha256") !== undefined;
}

/** @param {RawManifest} raw @param {Limits} limits @returns {SealParameters} */
export function sealParameters(raw, limits) {
  const given = own(raw, "passphrase");
  if (given === null || typeof given !== "object" || Array.isArray(given)) throw damaged("passphrase is not an object", "seal");
  if (own(given, "kdf") !== "PBKDF2-SHA256" || own(given, "cipher") !== "AES-GCM-256") {
    throw damaged("sealed in a way that this version does not know", "seal");
  }
  const iterations = own(given, "kdfIterations");
  if (!Number.isSafeInteger(iterations) || iterations < limits.kdfIterationsMin || iterations > limits.kdfIterationsMax) {
    const weak = Number.isSafeInteger(iterations) && iterations >= 1 && iterations < limits.kdfIterationsMin;
    const message = `kdfIterations is not between ${limits.kdfIterationsMin} and ${limits.kdfIterationsMax}`;
    throw new ArchiveProblem(message, "kdf", MANIFEST, weak ? "weakSeal" : "damaged");
  }
  const salt = bytesOf(given, "kdfSaltBase64");
  const iv = bytesOf(given, "ivBase64");
  if (salt.length < SALT_BYTES) throw damaged(`kdfSaltBase64 holds fewer than ${SALT_BYTES} bytes`, "kdf");
  if (iv.length !== IV_BYTES) throw damaged(`ivBase64 does not hold ${IV_BYTES} bytes`, "seal");
  return { salt, iv, iterations };
}

/**
 * @param {RawManifest} outer
 * @param {RawManifest} inner
 * @returns {boolean} whether the inner manifest's `outer` is the outer one without its seal
 */
export function repeatsOuter(inner, outer) {
  const kept = Object.entries(outer).filter(([key]) => key !== "passphrase" && key !== "sealedSha256");
  return equalJson(inner.outer, Object.fromEntries(kept));
}

/** @param {RawManifest} given @param {string} key @returns {Bytes} */
function bytesOf(given, key) {
  const text = own(given, key);
  if (typeof text !== "string") throw damaged(`${key} is missing`, "seal");
  const bytes = base64(text);
  if (bytes === null) throw damaged(`${key} is not base64`, "seal");
  return bytes;
}
