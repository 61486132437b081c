/**
 * JSON texts of somebody else.
 *
 * `JSON.parse` gives every name as the object's own, `__proto__` too. Whoever asks for a name uses `Object.hasOwn`;
 * whoever copies uses spread or `Object.entries`, never assignment.
 */

/** A text that is not one JSON value, or nests deeper than is allowed. */
export class ParseError extends Error {}

/** A number that JavaScript cannot hold, as it stands in the text: `9007199254740993`, `1e400`, `-0`. */
export class NumberText {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }

  /** @returns {number} the nearest that JavaScript has */
  valueOf() {
    return Number(this.text);
  }

  /** @returns {number} for whoever turns it into JSON again and does not mind */
  toJSON() {
    return Number(this.text);
  }
}

const LARGE_NUMBER = /[0-9]{16}|[0-9][eE]|\.[0-9]{15}|-0/;

/**
 * @param {string} text
 * @param {number} nesting levels of arrays and objects that are allowed
 * @returns {unknown}
 * @throws {ParseError}
 */
export function parseJson(text, nesting) {
  if (text.length > nesting && depth(text) > nesting) throw new ParseError("nests too deep");
  try {
    return JSON.parse(text);
  } catch {
    throw new ParseError("not one JSON value");
  }
}

/**
 * Like `JSON.parse`, with the numbers that JavaScript cannot hold as `NumberText`. An engine that does not show a
 * number's text to a reviver, and a text that nests too deep for one, give the nearest numbers.
 * @param {string} text that has been parsed before
 * @returns {any}
 */
export function parseExact(text) {
  if (!LARGE_NUMBER.test(text)) return JSON.parse(text);
  try {
    return JSON.parse(text, exact);
  } catch {
    return JSON.parse(text);
  }
}

/** @param {string} _name @param {any} value @param {{source?: string}} [context] */
function exact(_name, value, context) {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined) return value;
  return sameNumber(source, value) ? value : new NumberText(source);
}

/** @param {string} source @param {number} value @returns {boolean} whether the text says exactly that number */
function sameNumber(source, value) {
  if (!Number.isFinite(value) || Object.is(value, -0)) return false;
  return decimal(source) === decimal(String(value));
}

/** @param {string} text of a number @returns {string} its digits and exponent, one text for one value */
function decimal(text) {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (match === null) return text;
  const [, sign, whole, fraction = "", exponent = "0"] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const bare = digits.replace(/0+$/, "");
  const shift = Number(exponent) - fraction.length + (digits.length - bare.length);
  return bare === "" ? "0" : `${sign}${bare}e${shift}`;
}

/** @param {string} text valid or not @returns {number} how deep its arrays and objects nest */
function depth(text) {
  let level = 0;
  let deepest = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++level);
    else if (token === "]" || token === "}") level--;
  }
  return deepest;
}

/** @param {unknown} a @param {unknown} b @returns {boolean} whether two parsed values are equal, however deep */
export function equalJson(a, b) {
  const pairs = [[a, b]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [one, other] = /** @type {[any, any]} */ (pair);
    if (one === other) continue;
    if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return false;
    const keys = Object.keys(one);
    if (Array.isArray(one) !== Array.isArray(other) || keys.length !== Object.keys(other).length) return false;
    for (const key of keys) {
      if (!Object.hasOwn(other, key)) return false;
      pairs.push([one[key], other[key]]);
    }
  }
  return true;
}
