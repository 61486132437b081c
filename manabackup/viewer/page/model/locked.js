/** Values that no key opened when the archive was made: what stands there is ciphertext, and nothing that anybody reads. */
import { hasCiphertextForm } from "../reader/ciphertext.js";
import { texts } from "./values.js";

/** In place of a title that is ciphertext: in every language. */
export const LOCKED = "🔒";

/** @param {unknown} value */
export function isLocked(value) {
  return hasCiphertextForm(value);
}

/**
 * @param {unknown} value
 * @returns {string[]} its texts, without those that are ciphertext
 */
export function readable(value) {
  return texts(value).filter((text) => !isLocked(text));
}
