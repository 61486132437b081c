/** Which values are ciphertext. Source: `formats/mana-v2.md`, "What is ciphertext". */

import { isOurs, own } from "./manifest.js";

const PREFIX = "enc:1:";
// No plaintext has fewer than one byte, which is 17 with the tag: 23 characters without the padding.
const FORM = /^enc:1:[A-Za-z0-9+/]{16}\.([A-Za-z0-9+/]{23,})(={0,2})$/;

/** @param {unknown} value @returns {value is string} whether it begins like ciphertext; text may begin so, too */
export function mayBeCiphertext(value) {
  return typeof value === "string" && value.startsWith(PREFIX);
}

/** @param {unknown} value @returns {boolean} whether it has the whole form of ciphertext */
export function hasCiphertextForm(value) {
  const form = mayBeCiphertext(value) ? FORM.exec(value) : null;
  if (form === null) return false;
  const over = form[1].length % 4;
  return over !== 1 && (form[2] === "" || form[2].length === (4 - over) % 4);
}

/**
 * @param {import("./manifest.js").RawManifest} manifest
 * @param {unknown} value of a field
 * @param {string} name of the field
 * @param {string[] | null} listed what the row's meta line names; null where it does not say
 * @returns {boolean} as well as it can be told
 */
export function isCiphertext(manifest, value, name, listed) {
  if (!mayBeCiphertext(value)) return false;
  const marked = isOurs(manifest) && own(manifest, "ciphertextMarked") === true;
  if (listed !== null && marked) return listed.includes(name);
  if (!manifest.fieldsPlaintext) return true;
  return marked ? false : hasCiphertextForm(value);
}
