/**
 * Texts of rows as elements: plain with its line breaks, Markdown, TipTap and HTML, each from a tree of our own.
 *
 * @typedef {import("../model/markdown.js").Block} Block
 * @typedef {import("../model/markdown.js").Inline} Inline
 * @typedef {import("../model/types.js").TextFormat} TextFormat
 * @typedef {import("../words/words.js").Words} Words
 * @typedef {import("./pictures.js").TextPictures} TextPictures
 */
import { isLocked } from "../model/locked.js";
import { parseMarkdown } from "../model/markdown.js";
import { parseTiptap } from "../model/tiptap.js";
import { textOf, texts } from "../model/values.js";
import { button, el, own } from "./dom.js";
import { INLINE_PICTURE, sanitised } from "./html.js";
import { Outline } from "./outline.js";
import { outward, safeAddress } from "./outward.js";
import { missingPicture } from "./pictures.js";

/** Characters that are shown at once. */
export const LONGEST = 100_000;

/**
 * @param {Words} words
 * @param {any} value
 * @param {TextFormat} format
 * @param {number} base the level of the page's own heading above the text
 * @param {TextPictures | null} [pictures] of the archive, that the text may show
 * @returns {HTMLElement}
 */
export function textNode(words, value, format, base, pictures = null) {
  if (isLocked(value)) return el("p", { class: "notice" }, words.say("rowCiphertext"));
  const page = { words, outline: new Outline(base), pictures };
  if (format === "tiptap") return el("div", { class: "text", dir: "auto" }, blocks(page, parseTiptap(value)));
  if (Array.isArray(value))
    return el(
      "ol",
      { class: "text", dir: "auto" },
      texts(value).map((line) => el("li", {}, own(line))),
    );
  return written(page, textOf(value), format);
}

/**
 * @typedef {{words: Words, outline: Outline, pictures: TextPictures | null}} Page where a text is put
 *
 * @param {Page} page
 * @param {string} text
 * @param {TextFormat} format
 */
function written(page, text, format) {
  if (text.length <= LONGEST) return rendered(page, text, format);
  const { words } = page;
  const node = el("div", {});
  const whole = () => node.replaceChildren(rendered(page, text, "plain"));
  node.append(
    el(
      "p",
      { class: "notice" },
      words.say("rowLong", { count: text.length, shown: LONGEST }),
      " ",
      button(words.say("showAll"), whole),
    ),
    rendered(page, text.slice(0, LONGEST), "plain"),
  );
  return node;
}

/**
 * @param {Page} page
 * @param {string} text
 * @param {TextFormat} format
 */
function rendered(page, text, format) {
  if (format === "html") return el("div", { class: "text", dir: "auto" }, sanitised(page, text));
  if (format === "markdown") return el("div", { class: "text", dir: "auto" }, blocks(page, parseMarkdown(text)));
  return el("div", { class: "text plain", dir: "auto" }, text);
}

/**
 * @param {Page} page
 * @param {Block[]} list
 * @returns {HTMLElement[]}
 */
function blocks(page, list) {
  return list.map((block) => blockNode(page, block));
}

/**
 * @param {Page} page
 * @param {Block} block
 * @returns {HTMLElement}
 */
function blockNode(page, block) {
  if (block.type === "rule") return el("hr");
  if (block.type === "code") return el("pre", { tabindex: 0 }, block.text ?? "");
  if (block.type === "quote") return el("blockquote", {}, blocks(page, block.children ?? []));
  if (block.type === "table") return tableNode(page, block.rows ?? []);
  if (block.type === "item") return itemNode(page, block);
  if (block.type === "list") {
    const children = blocks(page, block.children ?? []);
    return block.ordered ? el("ol", { start: block.start !== 1 && block.start }, children) : el("ul", {}, children);
  }
  if (block.type !== "heading") return el("p", {}, inlines(page, block.inlines ?? []));
  return page.outline.heading(block.level ?? 1, inlines(page, block.inlines ?? []));
}

/**
 * @param {Page} page
 * @param {Block} block
 */
function itemNode(page, block) {
  const children = block.children ?? [];
  const [only] = children;
  const content =
    children.length === 1 && only?.type === "paragraph" ? inlines(page, only.inlines ?? []) : blocks(page, children);
  if (block.checked === null || block.checked === undefined) return el("li", {}, content);
  const said = block.checked ? el("span", { class: "visually-hidden" }, `${page.words.say("flagDone")}: `) : null;
  const box = el(
    "span",
    { class: block.checked ? "box done" : "box", "aria-hidden": "true" },
    block.checked ? "✓" : "",
  );
  return el("li", { class: "task" }, box, said, content);
}

/**
 * @param {Page} page
 * @param {Inline[][][]} rows
 */
function tableNode(page, rows) {
  const [head = [], ...body] = rows;
  return el(
    "div",
    { class: "scroll-x" },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head.map((cell) => el("th", { scope: "col" }, inlines(page, cell))),
        ),
      ),
      el(
        "tbody",
        {},
        body.map((row) =>
          el(
            "tr",
            {},
            row.map((cell) => el("td", {}, inlines(page, cell))),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {Page} page
 * @param {Inline[]} list
 * @returns {Node[]}
 */
function inlines(page, list) {
  return list.map((inline) => inlineNode(page, inline));
}

/**
 * @param {Page} page
 * @param {Inline} inline
 * @returns {Node}
 */
function inlineNode(page, inline) {
  if (inline.type === "break") return el("br");
  if (inline.type === "code") return el("code", {}, inline.text ?? "");
  if (inline.type === "picture") return pictureOf(page, inline.href ?? "", inline.text ?? "");
  const children = inlines(page, inline.children ?? []);
  if (inline.type === "strong") return el("strong", {}, children);
  if (inline.type === "em") return el("em", {}, children);
  if (inline.type === "del") return el("del", {}, children);
  if (inline.type === "link") return outward(page.words, inline.href ?? "", children);
  return document.createTextNode(inline.text ?? "");
}

/**
 * @param {Page} page
 * @param {string} address
 * @param {string} alt
 * @returns {Node} of one that is not in the archive a link to where it is, if it may be followed
 */
function pictureOf({ words, pictures }, address, alt) {
  if (INLINE_PICTURE.test(address)) return el("img", { src: address, alt });
  const found = pictures?.node(address, alt);
  if (found) return found;
  const missing = missingPicture(words, alt);
  return safeAddress(address) === null ? missing : outward(words, address, [missing]);
}
