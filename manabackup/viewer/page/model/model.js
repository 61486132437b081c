/**
 * The door of the model for the store: what a row means, without a page to show it in. Runs in the worker as well.
 *
 * @typedef {import("../store/types.js").Model} Model
 */
import { clockText, describe } from "./describe.js";
import { fold } from "./folding.js";
import { moment } from "./moments.js";
import { searchPieces, searchText } from "./search-text.js";
import { Tables } from "./tables.js";

/**
 * @param {any} modules the content of `formats/modules.json`
 * @returns {Model}
 */
export function createModel(modules) {
  const tables = new Tables(modules);
  return {
    appOf: (table) => tables.table(table).app,
    describe: (table, row) => describe(tables, table, row),
    junction: (table) => tables.table(table).junction,
    privateFields: (table) => encryptedFields(modules, table),
    searchText: (table, row) => searchText(tables, table, row),
    searchPieces: (table, row) => searchPieces(tables, table, row),
    fold,
    clock: (text) => clockText(moment(text)),
  };
}

/**
 * @param {any} modules
 * @param {string} table
 * @returns {string[]}
 */
function encryptedFields(modules, table) {
  const fields = Object.hasOwn(modules.tables, table) ? modules.tables[table].fields : {};
  return Object.keys(fields).filter((name) => fields[name].encrypted === true);
}
