/**
 * Markdown to a tree, for what people and models write in notes and chats: headings, lists, tasks, quotes, code, tables, links.
 * A subset of CommonMark 0.31 with GitHub's tables, task lists and strikethrough. HTML in it stays text. The tree goes into a
 * page node by node; no HTML text is ever made.
 *
 * @typedef {object} Block
 * @property {"paragraph" | "heading" | "quote" | "list" | "item" | "code" | "table" | "rule"} type
 * @property {number} [level] of a heading
 * @property {boolean} [ordered] of a list
 * @property {number} [start] of an ordered list
 * @property {boolean | null} [checked] of an item that is a task
 * @property {string} [text] of code
 * @property {Inline[]} [inlines]
 * @property {Block[]} [children]
 * @property {Inline[][][]} [rows] of a table, the first is the head
 *
 * @typedef {object} Inline
 * @property {"text" | "strong" | "em" | "del" | "code" | "link" | "picture" | "break"} type
 * @property {string} [text] of a picture: what somebody said of it
 * @property {string} [href] as written; whether it may be followed, `links.js` of the screens decides
 * @property {Inline[]} [children]
 */
import { parseInlines } from "./markdown-inline.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}>[ \t]?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const DEEPEST = 12;

/**
 * @param {string} text
 * @returns {Block[]}
 */
export function parseMarkdown(text) {
  return parseBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

/**
 * @param {string[]} lines
 * @param {number} depth quotes and lists around; what is deeper than DEEPEST stays text
 * @returns {Block[]}
 */
function parseBlocks(lines, depth) {
  /** @type {Block[]} */
  const blocks = [];
  let place = 0;
  while (place < lines.length) {
    const line = lines[place] ?? "";
    if (line.trim() === "") {
      place += 1;
      continue;
    }
    const found =
      leaf(lines, place) ?? (depth < DEEPEST ? container(lines, place, depth) : null) ?? paragraph(lines, place, depth);
    blocks.push(found.block);
    place = found.next;
  }
  return blocks;
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @returns {{block: Block, next: number} | null}
 */
function leaf(lines, place) {
  const line = lines[place] ?? "";
  const fence = FENCE.exec(line);
  if (fence) return code(lines, place, fence[1] ?? "```");
  const heading = HEADING.exec(line);
  if (heading) {
    const level = (heading[1] ?? "#").length;
    return { block: { type: "heading", level, inlines: parseInlines((heading[2] ?? "").trim()) }, next: place + 1 };
  }
  if (RULE.test(line)) return { block: { type: "rule" }, next: place + 1 };
  return line.includes("|") && TABLE_RULE.test(lines[place + 1] ?? "") ? table(lines, place) : null;
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {string} fence
 */
function code(lines, place, fence) {
  const end = new RegExp(`^ {0,3}${fence.charAt(0)}{${fence.length},}\\s*$`);
  let next = place + 1;
  while (next < lines.length && !end.test(lines[next] ?? "")) next += 1;
  /** @type {Block} */
  const block = { type: "code", text: lines.slice(place + 1, next).join("\n") };
  return { block, next: next + 1 };
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @returns {{block: Block, next: number} | null}
 */
function table(lines, place) {
  const head = cells(lines[place] ?? "");
  if (head.length !== cells(lines[place + 1] ?? "").length) return null;
  const rows = [head.map(parseInlines)];
  let next = place + 2;
  for (; next < lines.length && (lines[next] ?? "").includes("|"); next += 1) {
    const row = cells(lines[next] ?? "");
    rows.push(head.map((_, column) => parseInlines(row[column] ?? "")));
  }
  return { block: { type: "table", rows }, next };
}

/** @param {string} line */
function cells(line) {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {number} depth
 * @returns {{block: Block, next: number} | null}
 */
function container(lines, place, depth) {
  if (QUOTE.test(lines[place] ?? "")) {
    let next = place;
    while (next < lines.length && QUOTE.test(lines[next] ?? "")) next += 1;
    const inner = lines.slice(place, next).map((line) => line.replace(QUOTE, ""));
    return { block: { type: "quote", children: parseBlocks(inner, depth + 1) }, next };
  }
  return ITEM.test(lines[place] ?? "") ? list(lines, place, depth) : null;
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {number} depth
 * @returns {{block: Block, next: number}}
 */
function list(lines, place, depth) {
  const marker = ITEM.exec(lines[place] ?? "")?.[2] ?? "-";
  const ordered = /\d/.test(marker);
  /** @type {Block[]} */
  const children = [];
  let next = place;
  while (next < lines.length) {
    const found = ITEM.exec(lines[next] ?? "");
    if (!found || /\d/.test(found[2] ?? "") !== ordered || RULE.test(lines[next] ?? "")) break;
    const indent = found[0].length + ((found[3] ?? "") === "" ? 1 : 0);
    const end = endOfItem(lines, next + 1, Math.min(indent, (found[1] ?? "").length + (found[2] ?? "").length + 1));
    const inner = [
      (lines[next] ?? "").slice(found[0].length),
      ...lines.slice(next + 1, end).map((line) => unindented(line, indent)),
    ];
    children.push(item(inner, depth));
    next = end;
  }
  return {
    block: { type: "list", ordered, ...(ordered ? { start: Number.parseInt(marker, 10) } : {}), children },
    next,
  };
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {number} indent
 */
function endOfItem(lines, place, indent) {
  let end = place;
  for (let next = place; next < lines.length; next += 1) {
    const line = lines[next] ?? "";
    const blank = line.trim() === "";
    const inside = line.search(/\S/) >= Math.min(indent, 2);
    if (
      !blank &&
      !inside &&
      (ITEM.test(line) || end < next || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line))
    )
      break;
    if (!blank) end = next + 1;
  }
  while (end < lines.length && (lines[end] ?? "").trim() === "" && ITEM.test(lines[end + 1] ?? "")) end += 1;
  return end;
}

/**
 * @param {string} line
 * @param {number} indent
 */
function unindented(line, indent) {
  const blanks = line.search(/\S/);
  return blanks <= 0 ? line : line.slice(Math.min(blanks, indent));
}

/**
 * @param {string[]} lines
 * @param {number} depth
 * @returns {Block}
 */
function item(lines, depth) {
  const task = /^\[([ xX])\][ \t]+/.exec(lines[0] ?? "");
  if (task) lines[0] = (lines[0] ?? "").slice(task[0].length);
  return { type: "item", checked: task ? task[1] !== " " : null, children: parseBlocks(lines, depth + 1) };
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {number} depth
 * @returns {{block: Block, next: number}}
 */
function paragraph(lines, place, depth) {
  let next = place + 1;
  while (next < lines.length && !endsParagraph(lines, next, depth)) next += 1;
  const text = lines
    .slice(place, next)
    .map((line) => line.replace(/^[ \t]+/, ""))
    .join("\n");
  return { block: { type: "paragraph", inlines: parseInlines(text) }, next };
}

/**
 * @param {string[]} lines
 * @param {number} place
 * @param {number} depth
 */
function endsParagraph(lines, place, depth) {
  const line = lines[place] ?? "";
  if (line.trim() === "" || leaf(lines, place)) return true;
  return depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line));
}
