/**
 * Strings that keep nothing else alive.
 *
 * Engines make a part of a string point into the whole. A title cut out of a text would keep that text in memory for as
 * long as the title, and a word of an index the row that it was first seen in.
 */

/** @param {string} text @returns {string} equal, with memory of its own */
export function owned(text) {
  // What is put together is written anew where it is cut; short strings are copied anyway.
  return text.length < 13 ? text : ` ${text}`.slice(1);
}

const MOST = 4_096;
/** @type {Map<string, string>} */
const seen = new Map();

/** @param {string} text that many rows have @returns {string} equal, and in memory once as long as it comes often */
export function same(text) {
  const known = seen.get(text);
  if (known !== undefined) return known;
  if (seen.size === MOST) seen.delete(/** @type {string} */ (seen.keys().next().value));
  const kept = owned(text);
  seen.set(kept, kept);
  return kept;
}
