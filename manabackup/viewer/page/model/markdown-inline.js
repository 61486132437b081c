/**
 * Marks within a line of Markdown: strong, emphasis, code, links. Linear in the text's length, whatever stands in it.
 *
 * @typedef {import("./markdown.js").Inline} Inline
 *
 * @typedef {object} Open a mark that was opened and not yet closed
 * @property {string} mark
 * @property {Inline[]} inlines that stand before it
 */

const ESCAPABLE = /[!-/:-@[-`{-~]/;
const AUTOLINK = /<((?:https?:\/\/|mailto:)[^\s<>]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+)>/y;
const BARE_LINK = /https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]]/y;
const LINK_TARGET = /\((?:<([^<>\n]*)>|([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*))(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'))?\)/y;

/**
 * @param {string} text
 * @returns {Inline[]}
 */
export function parseInlines(text) {
  return new Inlines(text).parse();
}

class Inlines {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.place = 0;
    /** @type {Inline[]} */
    this.inlines = [];
    /** @type {Open[]} */
    this.open = [];
    this.plain = "";
    /** Behind these places there is no such mark any more. */
    this.lastBracket = text.lastIndexOf("]");
    this.lastTick = text.lastIndexOf("`");
  }

  parse() {
    while (this.place < this.text.length) {
      if (!this.special()) {
        this.plain += this.text.charAt(this.place);
        this.place += 1;
      }
    }
    this.flush();
    while (this.open.length > 0) this.giveUp();
    return this.inlines;
  }

  /** @private @returns {boolean} whether something was taken */
  special() {
    const letter = this.text.charAt(this.place);
    if (letter === "\n") return this.lineEnd();
    if (letter === "\\") return this.escaped();
    if (letter === "`") return this.code();
    if (letter === "[" || (letter === "!" && this.text.charAt(this.place + 1) === "["))
      return this.link(letter === "!");
    if (letter === "h") return this.bareLink();
    if (letter === "<") return this.autolink();
    return letter === "*" || letter === "_" || letter === "~" ? this.emphasis(letter) : false;
  }

  /** @private */
  lineEnd() {
    this.plain = this.plain.trimEnd();
    this.flush();
    this.inlines.push({ type: "break" });
    this.place += 1;
    return true;
  }

  /** @private */
  escaped() {
    const next = this.text.charAt(this.place + 1);
    if (!ESCAPABLE.test(next)) return false;
    this.plain += next;
    this.place += 2;
    return true;
  }

  /** @private */
  code() {
    const ticks = /^`+/.exec(this.text.slice(this.place, this.place + 40))?.[0] ?? "`";
    const start = this.place + ticks.length;
    const end = start > this.lastTick ? -1 : this.text.slice(start, start + 10_000).indexOf(ticks);
    if (end === -1 || this.text.charAt(start + end + ticks.length) === "`") {
      this.plain += ticks;
      this.place += ticks.length;
      return true;
    }
    this.flush();
    this.inlines.push({ type: "code", text: this.text.slice(start, start + end).replace(/\n/g, " ") });
    this.place = start + end + ticks.length;
    return true;
  }

  /**
   * `[words](target)`, and pictures.
   *
   * @private
   * @param {boolean} picture
   */
  link(picture) {
    const start = this.place + (picture ? 2 : 1);
    if (start > this.lastBracket) return false;
    const end = start + this.text.slice(start, start + 1000).indexOf("]");
    if (end < start) return false;
    LINK_TARGET.lastIndex = end + 1;
    const target = LINK_TARGET.exec(this.text);
    if (!target) return false;
    this.flush();
    const href = target[1] ?? target[2] ?? "";
    const words = this.text.slice(start, end);
    if (picture) this.inlines.push({ type: "picture", href, text: words });
    else this.inlines.push({ type: "link", href, children: [{ type: "text", text: words === "" ? href : words }] });
    this.place = LINK_TARGET.lastIndex;
    return true;
  }

  /** @private */
  autolink() {
    AUTOLINK.lastIndex = this.place;
    const found = AUTOLINK.exec(this.text)?.[1];
    if (!found) return false;
    this.flush();
    const href = found.includes("@") && !found.includes(":") ? `mailto:${found}` : found;
    this.inlines.push({ type: "link", href, children: [{ type: "text", text: found }] });
    this.place += found.length + 2;
    return true;
  }

  /** @private */
  bareLink() {
    BARE_LINK.lastIndex = this.place;
    const found = BARE_LINK.exec(this.text)?.[0];
    if (!found || /\w/.test(this.text.charAt(this.place - 1))) return false;
    this.flush();
    this.inlines.push({ type: "link", href: found, children: [{ type: "text", text: found }] });
    this.place += found.length;
    return true;
  }

  /**
   * @private
   * @param {string} letter
   */
  emphasis(letter) {
    const double = this.text.charAt(this.place + 1) === letter;
    if (letter === "~" && !double) return false;
    const mark = double ? letter + letter : letter;
    const before = this.text.charAt(this.place - 1);
    const after = this.text.charAt(this.place + mark.length);
    const closes = before !== "" && !/\s/.test(before) && !(letter === "_" && isWord(after));
    const opens = after !== "" && !/\s/.test(after) && !(letter === "_" && isWord(before));
    if (closes && this.open.some((open) => open.mark === mark)) this.close(mark);
    else if (opens && this.open.length < 20) this.begin(mark);
    else this.plain += mark;
    this.place += mark.length;
    return true;
  }

  /**
   * @private
   * @param {string} mark
   */
  begin(mark) {
    this.flush();
    this.open.push({ mark, inlines: this.inlines });
    this.inlines = [];
  }

  /**
   * @private
   * @param {string} mark
   */
  close(mark) {
    this.flush();
    while (this.open.at(-1)?.mark !== mark) this.giveUp();
    const open = this.open.pop();
    const type = mark === "~~" ? "del" : mark.length === 2 ? "strong" : "em";
    const children = this.inlines;
    this.inlines = open?.inlines ?? [];
    this.inlines.push({ type, children });
  }

  /** A mark that nothing closes is a character like others. @private */
  giveUp() {
    const open = this.open.pop();
    if (!open) return;
    const inner = this.inlines;
    this.inlines = open.inlines;
    this.inlines.push({ type: "text", text: open.mark });
    for (const inline of inner) this.inlines.push(inline);
  }

  /** @private */
  flush() {
    if (this.plain !== "") this.inlines.push({ type: "text", text: this.plain });
    this.plain = "";
  }
}

/** @param {string} letter */
function isWord(letter) {
  return /[\p{L}\p{N}]/u.test(letter);
}
