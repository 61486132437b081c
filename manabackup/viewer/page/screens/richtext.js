/**
 * Texts of rows as elements: plain with its line breaks, Markdown, TipTap and HTML, each from a tree of our own.
 *
 * @typedef {import("../model/markdown.js").Block} Block
 * @typedef {import("../model/markdown.js").Inline} Inline
 * @typedef {import("../model/types.js").TextFormat} TextFormat
 * @typedef {import("../words/words.js").Words} Words
 */
import { parseMarkdown } from "../model/markdown.js";
import { parseTiptap } from "../model/tiptap.js";
import { textOf, texts } from "../model/values.js";
import { button, el, own } from "./dom.js";
import { sanitised } from "./html.js";
import { outward } from "./outward.js";

const LONGEST = 100_000;

/**
 * @param {Words} words
 * @param {any} value
 * @param {TextFormat} format
 * @returns {HTMLElement}
 */
export function textNode(words, value, format) {
  if (format === "tiptap") return el("div", { class: "text", dir: "auto" }, blocks(words, parseTiptap(value)));
  if (Array.isArray(value))
    return el(
      "ol",
      { class: "text", dir: "auto" },
      texts(value).map((line) => el("li", {}, own(line))),
    );
  return written(words, textOf(value), format);
}

/**
 * @param {Words} words
 * @param {string} text
 * @param {TextFormat} format
 */
function written(words, text, format) {
  if (text.length <= LONGEST) return rendered(words, text, format);
  const node = el("div", {});
  const whole = () => node.replaceChildren(rendered(words, text, "plain"));
  node.append(
    el(
      "p",
      { class: "notice" },
      words.say("rowLong", { count: text.length, shown: LONGEST }),
      " ",
      button(words.say("showAll"), whole),
    ),
    rendered(words, text.slice(0, LONGEST), "plain"),
  );
  return node;
}

/**
 * @param {Words} words
 * @param {string} text
 * @param {TextFormat} format
 */
function rendered(words, text, format) {
  if (format === "html") return el("div", { class: "text", dir: "auto" }, sanitised(words, text));
  if (format === "markdown") return el("div", { class: "text", dir: "auto" }, blocks(words, parseMarkdown(text)));
  return el("div", { class: "text plain", dir: "auto" }, text);
}

/**
 * @param {Words} words
 * @param {Block[]} list
 * @returns {HTMLElement[]}
 */
function blocks(words, list) {
  return list.map((block) => blockNode(words, block));
}

/**
 * @param {Words} words
 * @param {Block} block
 * @returns {HTMLElement}
 */
function blockNode(words, block) {
  if (block.type === "rule") return el("hr");
  if (block.type === "code") return el("pre", { tabindex: 0 }, block.text ?? "");
  if (block.type === "quote") return el("blockquote", {}, blocks(words, block.children ?? []));
  if (block.type === "table") return tableNode(words, block.rows ?? []);
  if (block.type === "item") return itemNode(words, block);
  if (block.type === "list") {
    const children = blocks(words, block.children ?? []);
    return block.ordered ? el("ol", { start: block.start !== 1 && block.start }, children) : el("ul", {}, children);
  }
  if (block.type !== "heading") return el("p", {}, inlines(words, block.inlines ?? []));
  const tag = /** @type {"h2" | "h3" | "h4" | "h5"} */ (`h${Math.min(5, (block.level ?? 1) + 2)}`);
  return el(tag, {}, inlines(words, block.inlines ?? []));
}

/**
 * @param {Words} words
 * @param {Block} block
 */
function itemNode(words, block) {
  const children = block.children ?? [];
  const [only] = children;
  const content =
    children.length === 1 && only?.type === "paragraph" ? inlines(words, only.inlines ?? []) : blocks(words, children);
  if (block.checked === null || block.checked === undefined) return el("li", {}, content);
  const said = block.checked ? el("span", { class: "visually-hidden" }, `${words.say("flagDone")}: `) : null;
  const box = el(
    "span",
    { class: block.checked ? "box done" : "box", "aria-hidden": "true" },
    block.checked ? "✓" : "",
  );
  return el("li", { class: "task" }, box, said, content);
}

/**
 * @param {Words} words
 * @param {Inline[][][]} rows
 */
function tableNode(words, rows) {
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
          head.map((cell) => el("th", { scope: "col" }, inlines(words, cell))),
        ),
      ),
      el(
        "tbody",
        {},
        body.map((row) =>
          el(
            "tr",
            {},
            row.map((cell) => el("td", {}, inlines(words, cell))),
          ),
        ),
      ),
    ),
  );
}

/**
 * @param {Words} words
 * @param {Inline[]} list
 * @returns {Node[]}
 */
function inlines(words, list) {
  return list.map((inline) => inlineNode(words, inline));
}

/**
 * @param {Words} words
 * @param {Inline} inline
 * @returns {Node}
 */
function inlineNode(words, inline) {
  if (inline.type === "break") return el("br");
  if (inline.type === "code") return el("code", {}, inline.text ?? "");
  const children = inlines(words, inline.children ?? []);
  if (inline.type === "strong") return el("strong", {}, children);
  if (inline.type === "em") return el("em", {}, children);
  if (inline.type === "del") return el("del", {}, children);
  if (inline.type === "link") return outward(words, inline.href ?? "", children);
  return document.createTextNode(inline.text ?? "");
}
