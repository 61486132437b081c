/**
 * All rows of small tables, kept while the archive is open.
 *
 * @typedef {import("./screen.js").App} App
 */
import { rowsOf } from "./screen.js";

const CHUNK = 2000;

/**
 * @param {App} app
 * @param {string} table
 * @returns {Promise<Record<string, any>[]>}
 */
export async function allRows(app, table) {
  const key = `rows ${table}`;
  const kept = app.kept.get(key);
  if (kept) return kept;
  /** @type {Record<string, any>[]} */
  const rows = [];
  const total = rowsOf(app, table);
  while (rows.length < total) {
    const part = await app.store.rows(table, rows.length, CHUNK);
    if (part.length === 0) break;
    for (const row of part) rows.push(row);
  }
  app.kept.set(key, rows);
  return rows;
}
