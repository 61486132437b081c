import assert from "node:assert/strict";
import { test } from "node:test";

import { parseInlines } from "../../../manabackup/viewer/page/model/markdown-inline.js";
import { parseMarkdown } from "../../../manabackup/viewer/page/model/markdown.js";
import { parseTiptap } from "../../../manabackup/viewer/page/model/tiptap.js";

/** A tree as short text. */
const inline = ({ type, text, href, children }) =>
  type === "text"
    ? text
    : type === "break"
      ? "⏎"
      : `${type}(${href === undefined ? "" : `${href}|`}${children ? children.map(inline).join("") : text})`;
const block = ({ type, level, ordered, start, checked, text, inlines, children, rows }) => {
  const name = [type, level, ordered ? start : undefined, checked === true ? "x" : checked === false ? "o" : undefined]
    .filter((part) => part !== undefined)
    .join(" ");
  const inside = rows
    ? rows.map((row) => row.map((cell) => cell.map(inline).join("")).join(",")).join(";")
    : inlines
      ? inlines.map(inline).join("")
      : children
        ? children.map(block).join(" ")
        : (text ?? "");
  return `[${name}${inside === "" ? "" : `: ${inside}`}]`;
};
const parsed = (text) => parseMarkdown(text).map(block).join("");
const spoken = (text) => parseInlines(text).map(inline).join("");

test("blocks", () => {
  assert.equal(parsed("# Titel #\n\nEin\nAbsatz"), "[heading 1: Titel][paragraph: Ein⏎Absatz]");
  assert.equal(
    parsed("- a\n- b\n  - c\n\nd"),
    "[list: [item: [paragraph: a]] [item: [paragraph: b] [list: [item: [paragraph: c]]]]][paragraph: d]",
  );
  assert.equal(parsed("3. drei\n4. vier"), "[list 3: [item: [paragraph: drei]] [item: [paragraph: vier]]]");
  assert.equal(parsed("- [x] ja\n- [ ] nein"), "[list: [item x: [paragraph: ja]] [item o: [paragraph: nein]]]");
  assert.equal(parsed("> a\n> > b"), "[quote: [paragraph: a] [quote: [paragraph: b]]]");
  assert.equal(parsed("```js\na < b\n\n# c\n```\nd"), "[code: a < b\n\n# c][paragraph: d]");
  assert.equal(parsed("~~~\nnie zu"), "[code: nie zu]");
  assert.equal(parsed("a | b\n--|--\n1 | **2** | 3"), "[table: a,b;1,strong(2)]");
  assert.equal(parsed("***\n#kein Titel"), "[rule][paragraph: #kein Titel]");
});

test("marks within a line", () => {
  assert.equal(spoken("**fett *und* schräg** `a*b`"), "strong(fett em(und) schräg) code(a*b)");
  assert.equal(spoken("snake_case_name und 2 * 3 * 4"), "snake_case_name und 2 * 3 * 4");
  assert.equal(spoken("~~weg~~ \\*nicht\\*"), "del(weg) *nicht*");
  assert.equal(spoken("**offen und `offen"), "**offen und `offen");
  assert.equal(
    spoken('[da](https://a.b/c_(d) "t") ![Bild](x.png) https://a.b/x. <https://c.d>'),
    "link(https://a.b/c_(d)|da) picture(x.png|Bild) link(https://a.b/x|https://a.b/x). link(https://c.d|https://c.d)",
  );
});

test("HTML in Markdown is text", () => {
  const text = "<b>x</b> <img src=x onerror=y>";
  assert.equal(spoken(text), text);
});

test("long and wicked texts take no time that grows faster than they do", () => {
  for (const piece of [
    "[",
    "![",
    "`",
    "``` ",
    "**a ",
    "*a_",
    "> ",
    "- ",
    "| ",
    "h",
    "https://",
    "<",
    "\\",
    " ",
    "[a](",
    "# ",
  ]) {
    parseMarkdown(piece.repeat(100_000 / piece.length));
  }
});

test("TipTap's documents, and nodes that nobody knows", () => {
  const document = JSON.parse(`{"type":"doc","content":[
    {"type":"heading","attrs":{"level":2},"content":[{"type":"text","text":"T"}]},
    {"type":"taskList","content":[{"type":"taskItem","attrs":{"checked":true},"content":[{"type":"paragraph","content":[{"type":"text","text":"a","marks":[{"type":"bold"},{"type":"link","attrs":{"href":"javascript:x"}}]}]}]}]},
    {"type":"futureBox","content":[{"type":"paragraph","content":[{"type":"text","text":"b"},{"type":"hardBreak"},{"type":"text","text":"c"}]}]},
    {"type":"text","text":"lose"}, null, 7,
    {"type":"image","attrs":{"src":"x.png","alt":null,"title":"am See"}}]}`);
  assert.equal(
    parseTiptap(document).map(block).join(""),
    "[heading 2: T][list: [item x: [paragraph: link(javascript:x|strong(a))]]][paragraph: b⏎c][paragraph: lose][paragraph: picture(x.png|am See)]",
  );
  for (const none of [null, "", 3, {}, { content: {} }]) assert.deepEqual(parseTiptap(none), []);
  let deep = { type: "paragraph", content: [] };
  for (let depth = 0; depth < 5_000; depth += 1) deep = { type: "blockquote", content: [deep] };
  parseTiptap({ content: [deep] });
});
