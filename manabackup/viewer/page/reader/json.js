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

const [QUOTE, BACKSLASH, OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
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
 * Like `JSON.parse`, with the numbers that JavaScript cannot hold as `NumberText`. Engines that show a reviver no texts of
 * numbers do it as well, and nothing recurses: a row may nest ten thousand deep.
 * @param {string} text that has been parsed before
 * @returns {any}
 */
export function parseExact(text) {
  if (!LARGE_NUMBER.test(text)) return JSON.parse(text);
  const mark = unusedMark(text);
  const marked = markNumbers(text, mark);
  return marked === text ? JSON.parse(text) : withNumberTexts(JSON.parse(marked), mark);
}

/** @param {string} text @returns {string} a beginning that none of its strings has, escaped or not */
function unusedMark(text) {
  if (!text.includes("\ue000") && !/\\u[eE]000/.test(text)) return "\ue000";
  // Somebody's text has that character, or its escape: a run of it that is longer than any in the text.
  let longest = 0;
  for (const [run] of text.matchAll(/(?:\ue000|\\u[eE]000)+/g)) longest = Math.max(longest, run.length);
  return "\ue000".repeat(longest + 1);
}

/** @param {string} text @param {string} mark @returns {string} numbers that would change are strings behind the mark */
function markNumbers(text, mark) {
  /** @type {string[]} */
  const parts = [];
  let done = 0;
  for (let at = 0; at < text.length; ) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      at = endOfString(text, at);
    } else if (unit === 0x2d || (unit >= 0x30 && unit <= 0x39)) {
      NUMBER.lastIndex = at;
      const number = NUMBER.exec(text)?.[0] ?? text.charAt(at);
      if (!sameNumber(number, Number(number))) {
        parts.push(text.slice(done, at), `"${mark}${number}"`);
        done = at + number.length;
      }
      at += number.length;
    } else {
      at += 1;
    }
  }
  parts.push(text.slice(done));
  return parts.join("");
}

/** @param {string} text @param {number} start of a quotation mark @returns {number} the place behind the closing one */
function endOfString(text, start) {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return text.length;
}

/** @param {any} root @param {string} mark @returns {any} with a `NumberText` for each marked string */
function withNumberTexts(root, mark) {
  const holder = [root];
  /** @type {any[]} */
  const open = [holder];
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    for (const [name, value] of Object.entries(container)) {
      if (typeof value === "string" && value.startsWith(mark)) {
        // Assignment to `__proto__` would set the prototype instead.
        Object.defineProperty(container, name, { value: new NumberText(value.slice(mark.length)) });
      } else if (typeof value === "object" && value !== null) {
        open.push(value);
      }
    }
  }
  return holder[0];
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

/**
 * By hand: a regular expression runs out of stack on a string of ten megabytes.
 * @param {string} text valid or not
 * @returns {number} how deep its arrays and objects nest
 */
function depth(text) {
  let level = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) inString = !inString;
    else if (inString) at += unit === BACKSLASH ? 1 : 0;
    else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) deepest = Math.max(deepest, ++level);
    else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) level--;
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
