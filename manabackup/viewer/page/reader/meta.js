/** Lines of `meta/`: who wrote which field when. Source: `formats/mana-v2.md`, "Who wrote what when". */

/** @typedef {import("./archive.js").Archive} Archive */

/**
 * A line whose form has been checked.
 * @typedef {Record<string, any>} MetaLine
 */

/** What `meta/` holds besides the lines of tables. */
export const RESERVED = Object.freeze(["actors", "blobs", "problems", "spaces"]);

/**
 * @param {unknown} value what a line holds
 * @param {number} actors how many lines `meta/actors.jsonl` has
 * @returns {string | null} what is wrong with it; null: it is a line of this format
 */
export function metaFault(value, actors) {
  const line = object(value);
  if (line === null) return "a line of meta is not an object";
  if (typeof own(line, "id") !== "string") return "id is not a string";
  const space = own(line, "space") ?? null;
  if (space !== null && !isLineNumber(space)) return "space is not a line number";
  const fields = object(own(line, "fields"));
  if (fields === null) return "fields is not an object";
  const wellKnown = own(line, "wellKnownId") ?? null;
  if (wellKnown !== null && typeof wellKnown !== "string") return "wellKnownId is not a string";
  for (const stamp of [line, ...Object.values(fields)]) {
    const fault = stampFault(stamp, actors);
    if (fault !== null) return fault;
  }
  for (const member of ["sealed", "omitted", "ciphertext"]) {
    if (member !== "sealed" && !Object.hasOwn(line, member)) continue;
    const names = own(line, member);
    if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) return `${member} is not a list of strings`;
  }
  return null;
}

/**
 * @param {MetaLine | null} line
 * @returns {string[] | null} the fields that it names as ciphertext; null where it does not say
 */
export function listedCiphertext(line) {
  const names = line === null ? undefined : own(line, "ciphertext");
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : null;
}

/** @param {unknown} value @param {number} actors @returns {string | null} */
function stampFault(value, actors) {
  const stamp = object(value);
  if (stamp === null || ["at", "actor", "origin"].some((key) => !Object.hasOwn(stamp, key))) {
    return "a stamp without at, actor and origin";
  }
  if (stamp.at !== null && typeof stamp.at !== "string") return "at is neither a string nor null";
  if (stamp.origin !== null && typeof stamp.origin !== "string") return "origin is neither a string nor null";
  if (stamp.actor !== null && !(isLineNumber(stamp.actor) && stamp.actor < actors)) {
    return "actor is not the number of a line of meta/actors.jsonl";
  }
  return null;
}

/** @param {unknown} value */
function isLineNumber(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
}

/** @param {unknown} value @returns {Record<string, any> | null} */
function object(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
}

/** @param {Record<string, any>} value @param {string} key @returns {any} */
function own(value, key) {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
