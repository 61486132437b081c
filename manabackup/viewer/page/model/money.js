/**
 * Money as rows hold it (modules.md 5): invoices and wardrobe in hundredths, all others in whole units with decimals.
 * Amounts are decimal digits, moved and signed as text: no binary fraction ever stands between the row and the reader.
 *
 * @typedef {import("./types.js").Money} Money
 * @typedef {import("./types.js").MoneyField} MoneyField
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Table} Table
 */
import { at, textOf } from "./values.js";

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?$/;

/**
 * @param {Table} table
 * @param {MoneyField} field
 * @param {Row} row
 * @returns {Money | null} null where there is none, or where it is no decimal number
 */
export function money(table, field, row) {
  return moneyOf(table, field, row, at(row, field.field));
}

/**
 * An amount that the field's path leads to: of a field such as `lines[].unitPrice` one of several.
 *
 * @param {Table} table
 * @param {MoneyField} field
 * @param {Row} row
 * @param {unknown} value
 * @returns {Money | null}
 */
export function moneyOf(table, field, row, value) {
  const text = textOf(value);
  if (isHours(field, row)) return null;
  const amount = field.unit === "minor" ? hundredths(text) : decimal(text);
  if (amount === null) return null;
  const per = field.per ? textOf(at(row, field.per)) : "";
  const signed = field.sign && at(row, field.sign.field) === field.sign.negative ? negated(amount) : amount;
  return { amount: signed, currency: currencyOf(table, field, row), ...(per === "" ? {} : { per }) };
}

/**
 * A budget may be one of hours.
 *
 * @param {MoneyField} field
 * @param {Row} row
 */
export function isHours(field, row) {
  return field.hoursWhere !== undefined && at(row, field.hoursWhere.field) === field.hoursWhere.value;
}

/**
 * Bookings name no currency and are shown in euros, but those of paid invoices are in the invoice's, which the note names.
 *
 * @param {Table} table
 * @param {MoneyField} field
 * @param {Row} row
 */
function currencyOf(table, field, row) {
  if (field.currencyField) return textOf(at(row, field.currencyField)).toUpperCase();
  if (table.name === "transactions" && textOf(row.id).startsWith("invoice-tx-")) {
    return /\b(CHF|EUR|USD)\b/.exec(textOf(row.note))?.[1] ?? "";
  }
  return field.currency ?? "";
}

/**
 * @param {string} text
 * @returns {string | null}
 */
function decimal(text) {
  return DECIMAL.test(text) ? text : null;
}

/**
 * @param {string} text a number of hundredths
 * @returns {string | null} of units: `12345` gives `123.45`, `12.5` gives `0.125`
 */
export function hundredths(text) {
  const parts = DECIMAL.exec(text);
  if (!parts) return null;
  const [, sign = "", whole = "0", fraction = ""] = parts;
  const digits = whole.padStart(3, "0");
  return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}${fraction}`;
}

/** @param {string} amount */
function negated(amount) {
  if (/^-?[0.]*$/.test(amount)) return amount;
  return amount.startsWith("-") ? amount.slice(1) : `-${amount}`;
}
