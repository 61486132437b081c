/** Who wrote which field of a row when. Source: `formats/mana-v2.md`, "Who wrote what when". */

import { lines } from "../reader/rows.js";
import { entryOf } from "../reader/names.js";

/** @typedef {import("../reader/archive.js").Archive} Archive */
/** @typedef {import("./types.js").History} History */
/** @typedef {import("./types.js").Written} Written */

/** What the lines of `meta/` point at. */
export class Pointed {
  /** @param {Record<string, any>[]} actors @param {Record<string, any>[]} spaces */
  constructor(actors, spaces) {
    this.actors = actors;
    this.spaces = spaces;
  }

  /** @param {Archive} archive @returns {Promise<Pointed>} */
  static async read(archive) {
    return new Pointed(await valuesOf(archive, "actors"), await valuesOf(archive, "spaces"));
  }
}

/** @param {Archive} archive @param {string} subject @returns {Promise<Record<string, any>[]>} */
async function valuesOf(archive, subject) {
  const values = [];
  if (archive.has("meta", subject)) {
    for await (const { value } of lines(archive, entryOf("meta", subject))) values.push(value);
  }
  return values;
}

/**
 * @param {Record<string, any> | null} line of `meta/`
 * @param {Record<string, any>} row as it stands in `data/`: the web app's own archives have it all in there
 * @param {Pointed} pointed
 * @returns {History | null} null where the archive tells nothing
 */
export function historyOf(line, row, pointed) {
  if (line === null) return fromFieldMeta(row);
  const written = (/** @type {any} */ stamp) => ({ ...stampOf(stamp), actor: pointed.actors[own(stamp, "actor")] ?? null });
  const ciphertext = own(line, "ciphertext");
  return {
    row: written(line),
    fields: byField(own(line, "fields"), written),
    space: pointed.spaces[own(line, "space")] ?? null,
    ciphertext: Array.isArray(ciphertext) ? ciphertext.map(String) : null,
  };
}

/** @param {Record<string, any>} row @returns {History | null} */
function fromFieldMeta(row) {
  const stamps = own(row, "__fieldMeta");
  if (stamps === null || typeof stamps !== "object") return null;
  const unknown = { at: null, actor: null, origin: null };
  return { row: unknown, fields: byField(stamps, stampOf), space: null, ciphertext: null };
}

/** @param {any} stamps @param {(stamp: any) => Written} written @returns {Record<string, Written>} */
function byField(stamps, written) {
  /** @type {Record<string, Written>} */
  const fields = Object.create(null);
  if (stamps === null || typeof stamps !== "object") return fields;
  for (const [name, stamp] of Object.entries(stamps)) {
    if (stamp !== null && typeof stamp === "object") fields[name] = written(stamp);
  }
  return fields;
}

/** @param {any} stamp @returns {Written} */
function stampOf(stamp) {
  const at = own(stamp, "at");
  const actor = own(stamp, "actor");
  const origin = own(stamp, "origin");
  return {
    at: typeof at === "string" ? at : null,
    actor: actor !== null && typeof actor === "object" ? actor : null,
    origin: typeof origin === "string" ? origin : null,
  };
}

/** @param {any} value @param {string} key @returns {any} */
function own(value, key) {
  return Object.hasOwn(value, key) ? value[key] : null;
}
