/**
 * TipTap's documents (ProseMirror JSON), as newsletters hold them, to the same tree as Markdown. Of nodes that are not known
 * their text stays.
 *
 * @typedef {import("./markdown.js").Block} Block
 * @typedef {import("./markdown.js").Inline} Inline
 */
import { isObject, own, textOf } from "./values.js";

const DEEPEST = 40;

/** @type {Record<string, Block["type"]>} */
const BLOCKS = {
  paragraph: "paragraph",
  heading: "heading",
  blockquote: "quote",
  bulletList: "list",
  orderedList: "list",
  taskList: "list",
  listItem: "item",
  taskItem: "item",
  codeBlock: "code",
  horizontalRule: "rule",
};

/** What stands in a line, or between blocks as a paragraph of its own. */
const LOOSE = new Set(["text", "hardBreak", "image"]);

/** @type {Record<string, Inline["type"]>} */
const MARKS = { bold: "strong", strong: "strong", italic: "em", em: "em", strike: "del", code: "code" };

/**
 * @param {unknown} document
 * @returns {Block[]} none where it holds nothing
 */
export function parseTiptap(document) {
  return blocksOf(own(document, "content"), 0);
}

/**
 * @param {unknown} content
 * @param {number} depth
 * @returns {Block[]}
 */
function blocksOf(content, depth) {
  if (!Array.isArray(content) || depth > DEEPEST) return [];
  /** @type {Block[]} */
  const blocks = [];
  /** @type {Inline[]} */
  let loose = [];
  const settle = () => {
    if (loose.length > 0) blocks.push({ type: "paragraph", inlines: loose });
    loose = [];
  };
  for (const node of content) {
    const type = textOf(own(node, "type"));
    if (LOOSE.has(type)) {
      loose.push(...inlinesOf([node]));
      continue;
    }
    settle();
    if (Object.hasOwn(BLOCKS, type)) blocks.push(blockOf(type, node, depth));
    else blocks.push(...blocksOf(own(node, "content"), depth + 1));
  }
  settle();
  return blocks;
}

/**
 * @param {string} type
 * @param {any} node
 * @param {number} depth
 * @returns {Block}
 */
function blockOf(type, node, depth) {
  const kind = BLOCKS[type] ?? "paragraph";
  const attributes = own(node, "attrs");
  const content = own(node, "content");
  if (kind === "rule") return { type: "rule" };
  if (kind === "code")
    return {
      type: "code",
      text: inlinesOf(content)
        .map((inline) => inline.text ?? "")
        .join(""),
    };
  if (kind === "paragraph") return { type: "paragraph", inlines: inlinesOf(content) };
  if (kind === "heading") {
    const level = Number(own(attributes, "level"));
    return { type: "heading", level: level >= 1 && level <= 6 ? Math.floor(level) : 2, inlines: inlinesOf(content) };
  }
  const children = blocksOf(content, depth + 1);
  if (kind === "list")
    return { type: "list", ordered: type === "orderedList", start: Number(own(attributes, "start")) || 1, children };
  if (kind === "item")
    return { type: "item", checked: type === "taskItem" ? own(attributes, "checked") === true : null, children };
  return { type: kind, children };
}

/**
 * @param {unknown} content
 * @returns {Inline[]}
 */
function inlinesOf(content) {
  if (!Array.isArray(content)) return [];
  return content.filter(isObject).flatMap((node) => {
    if (node.type === "hardBreak") return [{ type: /** @type {const} */ ("break") }];
    if (node.type === "image") return [picture(own(node, "attrs"))];
    const text = textOf(own(node, "text"));
    return text === "" ? [] : [marked(text, own(node, "marks"))];
  });
}

/**
 * @param {unknown} attributes
 * @returns {Inline}
 */
function picture(attributes) {
  const said = textOf(own(attributes, "alt")) || textOf(own(attributes, "title"));
  return { type: "picture", href: textOf(own(attributes, "src")), text: said };
}

/**
 * @param {string} text
 * @param {unknown} marks
 * @returns {Inline}
 */
function marked(text, marks) {
  /** @type {Inline} */
  let inline = { type: "text", text };
  for (const mark of Array.isArray(marks) ? marks.slice(0, 8) : []) {
    const type = textOf(own(mark, "type"));
    if (type === "link") inline = { type: "link", href: textOf(own(own(mark, "attrs"), "href")), children: [inline] };
    else if (Object.hasOwn(MARKS, type))
      inline = type === "code" ? { type: "code", text } : { type: MARKS[type] ?? "em", children: [inline] };
  }
  return inline;
}
