/**
 * What the model's functions take and give. There is no code here.
 *
 * @typedef {Record<string, any>} Row A row as it was parsed. Its own keys alone count: a key may be called `__proto__`.
 *
 * @typedef {object} Moment A point in time as the row states it. Nothing is made more exact than it was written.
 * @property {'day' | 'instant' | 'local' | 'time' | 'month'} kind
 *   day: a day without a clock; instant: a moment of the world; local: a clock on the wall of a zone that no row names;
 *   time: a clock without a day; month: a month.
 * @property {string} text day `YYYY-MM-DD`, local `YYYY-MM-DDTHH:mm:ss`, time `HH:mm`, month `YYYY-MM`, instant: as written
 * @property {number} [ms] of an instant: milliseconds since 1970
 *
 * @typedef {object} Money
 * @property {string} amount decimal digits with a point, signed; never computed in binary fractions
 * @property {string} currency ISO 4217, or '' where none is stored
 * @property {string} [per] `hour` or `day`
 *
 * @typedef {'plain' | 'markdown' | 'html' | 'tiptap'} TextFormat
 *
 * @typedef {{de: string, en: string}} Label
 *
 * @typedef {object} MoneyField
 * @property {string} field
 * @property {string} unit
 * @property {string} [currency]
 * @property {string} [currencyField]
 * @property {string} [per]
 * @property {{field: string, negative: string}} [sign]
 * @property {{field: string, value: string}} [hoursWhere]
 *
 * @typedef {object} Table A table as `formats/modules.json` describes it, with what is absent there filled in.
 * @property {string} name
 * @property {string} app
 * @property {boolean} known whether the description has it
 * @property {Label} label
 * @property {string} role
 * @property {string} scope
 * @property {string[]} title paths whose values make the title, joined by a blank
 * @property {string[]} titleElse where it is otherwise, the first of these that says something
 * @property {string | null} date the path of the row's own date; `a>b` is field b of the time block that a names
 * @property {Map<string, string>} dates path to kind
 * @property {Map<string, TextFormat>} texts path to format
 * @property {Map<string, Map<string, Label>>} enums path to the labels of its values
 * @property {Map<string, string>} units
 * @property {MoneyField[]} money
 * @property {string | null} bin a field that is true in rows that lie in the app's own bin
 * @property {string | null} order
 * @property {Map<string, string>} references path to table; a path that ends with `[]` holds several ids
 * @property {string[]} geo paths of latitude and longitude
 * @property {Set<string>} fields
 * @property {Set<string>} secrets fields that let somebody in: shown in no list, no facts and nothing that is taken along
 * @property {{entity: string, tag: string, oldTag?: string, tagTable: string} | null} junction
 * @property {string[]} tagIds paths of ids of tags
 * @property {string[]} tagNames paths of names of tags
 *
 * @typedef {object} App
 * @property {string} id
 * @property {Label} label
 * @property {string | null} color
 * @property {string} group
 * @property {string[]} tables
 *
 * @typedef {object} Group
 * @property {string} id
 * @property {Label} label
 */

export {};
