/**
 * Values in rows: found by path, turned into text. Only own keys count, so that no name of a prototype is taken for data.
 *
 * @typedef {import('./types.js').Row} Row
 */
import { NumberText } from "../reader/json.js";

/**
 * @param {unknown} value
 * @returns {value is Row}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof NumberText);
}

/**
 * @param {unknown} value
 * @param {string} key
 * @returns {unknown}
 */
export function own(value, key) {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/**
 * The value at a path such as `purchaseData.price`. A step that ends with `[]` goes through a list and gives a list.
 *
 * @param {Row} row
 * @param {string} path
 * @returns {unknown} undefined where there is none
 */
export function at(row, path) {
  /** @type {unknown} */
  let value = row;
  const steps = path.split(".");
  for (let index = 0; index < steps.length; index += 1) {
    const step = steps[index] ?? "";
    if (!step.endsWith("[]")) {
      value = own(value, step);
      continue;
    }
    const list = own(value, step.slice(0, -2));
    if (!Array.isArray(list)) return undefined;
    const rest = steps.slice(index + 1).join(".");
    return rest === "" ? list : list.map((item) => (isObject(item) ? at(item, rest) : undefined));
  }
  return value;
}

/**
 * @param {unknown} value
 * @returns {boolean} whether there is nothing to show: absent, null, '', an empty list or object
 */
export function isEmpty(value) {
  if (value === undefined || value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

/**
 * @param {unknown} value
 * @returns {string} of texts, numbers and booleans; '' for the rest
 */
export function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  return value instanceof NumberText ? value.text : "";
}

/**
 * @param {unknown} value
 * @returns {string[]} the texts of a list that are not empty; a text alone is a list of one
 */
export function texts(value) {
  const list = Array.isArray(value) ? value : [value];
  return list.map(textOf).filter((text) => text !== "");
}

/** @param {unknown} value */
export function isUuid(value) {
  return typeof value === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}
