/**
 * Somebody's HTML, cleaned by a small list of what may stay. It is parsed into a document that runs and loads nothing; what
 * stays is made anew, element by element. Classes, styles and ids never stay. Pictures stay where the page holds them itself.
 *
 * @typedef {import("./richtext.js").Page} Page
 */
import { el } from "./dom.js";
import { outward } from "./outward.js";
import { missingPicture } from "./pictures.js";

/** What stays, and what it becomes. */
const STAYS = new Map(
  /** @type {[string, string][]} */ ([
    ...[
      "p",
      "br",
      "hr",
      "ul",
      "ol",
      "li",
      "dl",
      "dt",
      "dd",
      "blockquote",
      "pre",
      "code",
      "em",
      "strong",
      "del",
      "sub",
      "sup",
    ].map((tag) => [tag, tag]),
    ...["table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "figure", "figcaption", "small", "kbd"].map(
      (tag) => [tag, tag],
    ),
    ["b", "strong"],
    ["i", "em"],
    ["s", "del"],
    ["strike", "del"],
    ["u", "em"],
    ["mark", "strong"],
    ["div", "div"],
    ["section", "div"],
    ["article", "div"],
    ["main", "div"],
    ["header", "div"],
    ["footer", "div"],
    ["aside", "div"],
    ["address", "div"],
  ]),
);

/** What goes with all that is in it: it says nothing to a reader. */
const GOES = new Set([
  "script",
  "style",
  "template",
  "head",
  "title",
  "meta",
  "link",
  "base",
  "map",
  "area",
  "track",
  "source",
  "input",
  "select",
  "textarea",
]);

/** What is named where it stood, because it cannot be shown. */
const NAMED = new Set(["svg", "canvas", "iframe", "frame", "object", "embed", "applet", "video", "audio", "portal"]);

const DEEPEST = 200;
const MOST = 50_000;
export const INLINE_PICTURE = /^data:image\/(?:png|jpeg|gif|webp|avif);base64,[A-Za-z0-9+/=\s]+$/;

/** @typedef {Page & {left: number, inLink: boolean}} State */

/** @type {any} */
let policy = null;

/**
 * @param {Page} page
 * @param {string} html
 * @returns {Node[]}
 */
export function sanitised(page, html) {
  const { words } = page;
  const state = { ...page, left: MOST, inLink: false };
  const kept = children(state, inertDocument(html).body, 0);
  return state.left >= 0 ? kept : [...kept, el("p", { class: "notice" }, words.say("rowCut"))];
}

/**
 * @param {string} html
 * @returns {Document} without a window: no script of it runs, no picture of it loads
 */
function inertDocument(html) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (types && !policy) policy = types.createPolicy("inert", { createHTML: (/** @type {string} */ text) => text });
  return new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");
}

/**
 * @param {State} state
 * @param {Node} parent
 * @param {number} depth
 * @returns {Node[]}
 */
function children(state, parent, depth) {
  /** @type {Node[]} */
  const kept = [];
  for (const child of parent.childNodes) {
    state.left -= 1;
    if (state.left < 0) break;
    if (child.nodeType === Node.TEXT_NODE) kept.push(document.createTextNode(child.nodeValue ?? ""));
    else if (child instanceof Element || child.nodeType === Node.ELEMENT_NODE)
      kept.push(...element(state, /** @type {Element} */ (child), depth));
  }
  return kept;
}

/**
 * @param {State} state
 * @param {Element} source
 * @param {number} depth
 * @returns {Node[]}
 */
function element(state, source, depth) {
  const tag = source.localName;
  if (GOES.has(tag)) return [];
  if (NAMED.has(tag))
    return [el("span", { class: "quiet" }, `[${state.words.say(tag === "svg" ? "picture" : "embedded")}]`)];
  if (source.namespaceURI !== "http://www.w3.org/1999/xhtml")
    return [document.createTextNode(source.textContent ?? "")];
  if (tag === "img") return [picture(state, source)];
  if (depth > DEEPEST) return [document.createTextNode(source.textContent ?? "")];
  const { inLink } = state;
  state.inLink ||= tag === "a";
  const inside = children(state, source, depth + 1);
  state.inLink = inLink;
  if (tag === "a") return [outward(state.words, source.getAttribute("href") ?? "", inside)];
  const level = /^h([1-6])$/.exec(tag)?.[1];
  if (level) return [state.outline.heading(Number(level), inside)];
  const becomes = STAYS.get(tag);
  if (!becomes) return inside;
  const made = document.createElement(becomes);
  for (const name of ["colspan", "rowspan", "start"]) {
    const value = source.getAttribute(name);
    if (value && /^\d{1,4}$/.test(value)) made.setAttribute(name, value);
  }
  made.append(...inside);
  return [made];
}

/**
 * One of the archive, or one that stands in the text as a whole; of all others the name.
 *
 * @param {State} state
 * @param {Element} source
 */
function picture({ words, pictures, inLink }, source) {
  const address = source.getAttribute("src") ?? "";
  const alt = source.getAttribute("alt") ?? "";
  if (INLINE_PICTURE.test(address)) return el("img", { src: address, alt });
  return pictures?.node(address, alt, inLink) ?? missingPicture(words, alt);
}
