/**
 * Long texts of rows as plain text: for the first line in lists, for the search, for CSV.
 *
 * @typedef {import("./types.js").TextFormat} TextFormat
 */

const BLOCK_ENDS =
  /<\/?(?:p|div|h[1-6]|li|ul|ol|tr|table|blockquote|pre|section|article|header|footer|figure|hr|br)\b[^>]*>/gi;
const UNSEEN = /<(script|style|head|title|template|noscript)\b[^>]*>[\s\S]*?(?:<\/\1\s*>|$)|<!-{2}[\s\S]*?(?:-->|$)/gi;
const ENTITY = /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));/gi;

/** Characters of a line in a list. */
const LINE = 200;

/** @type {Record<string, string>} */
const ENTITIES = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  auml: "ä",
  ouml: "ö",
  uuml: "ü",
  Auml: "Ä",
  Ouml: "Ö",
  Uuml: "Ü",
  szlig: "ß",
  euro: "€",
  hellip: "…",
  ndash: "–",
  mdash: "—",
};

/**
 * HTML without its tags, for the eye and for the search; never to be put into a page as HTML.
 *
 * @param {string} html
 */
export function htmlToText(html) {
  return html
    .replace(UNSEEN, "")
    .replace(BLOCK_ENDS, "\n")
    .replace(/<[^<>]*>/g, "")
    .replace(ENTITY, (whole, dec, hex, name) => entity(whole, dec, hex, name))
    .replace(/[ \t]*\n\s*/g, "\n")
    .trim();
}

/**
 * @param {string} whole
 * @param {string} [dec]
 * @param {string} [hex]
 * @param {string} [name]
 */
function entity(whole, dec, hex, name) {
  if (name) return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] ?? whole) : whole;
  const code = dec ? Number(dec) : Number.parseInt(hex ?? "", 16);
  return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : whole;
}

/**
 * @param {string} text
 * @param {TextFormat} format
 */
export function plainText(text, format) {
  return format === "html" ? htmlToText(text) : text;
}

/**
 * The first line that says something, without the marks of Markdown.
 *
 * @param {string} text
 * @param {TextFormat} format
 * @param {string} [known] a line that stands elsewhere, and is passed over
 */
export function firstLine(text, format, known = "") {
  const head = plainText(text.length > 20_000 ? text.slice(0, 20_000) : text, format);
  for (const line of head.split(/[\r\n\u2028\u2029]+/)) {
    const said = format === "markdown" ? withoutMarks(line) : line.trim();
    if (said !== "" && clip(said, LINE) !== known) return clip(said, LINE);
  }
  return "";
}

/** @param {string} line */
function withoutMarks(line) {
  return line
    .replace(/^\s*(?:#{1,6}\s+|>+\s?|[-*+]\s+(?:\[[ xX]\]\s+)?|\d{1,9}[.)]\s+)+/, "")
    .replace(/^\s*(?:[-*_]\s*){3,}$|^\s*(?:```|~~~).*$/, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|~~|`)(?=\S)(.*?\S)\1/g, "$2")
    .replace(/(^|[^\p{L}\p{N}])([*_])(?=\S)([^*_]*?\S)\2(?![\p{L}\p{N}])/gu, "$1$3")
    .trim();
}

/**
 * @param {string} text
 * @param {number} limit of characters
 */
export function clip(text, limit) {
  if (text.length <= limit) return text;
  const cut = text.slice(0, limit);
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}
