/**
 * A list of which only what is seen is there. Rows are of one height; 100,000 of them cost as much as thirty.
 *
 * @template Item
 * @typedef {object} VirtualOptions
 * @property {number} total
 * @property {(from: number, count: number) => Promise<Item[]>} items
 * @property {(item: Item, place: number) => HTMLElement} render
 * @property {string} label for screen readers
 * @property {number} [at] the place to begin at
 */
import { el } from "./dom.js";

const CHUNK = 100;
const OVERSCAN = 8;
const PLAIN_UP_TO = 200;
/** Browsers give up on elements that are much higher; beyond it, scrolling is proportional. */
const HIGHEST = 12_000_000;

/**
 * A short list is a plain one, so that it can be searched by the browser, printed, and read out whole.
 *
 * @template Item
 * @param {VirtualOptions<Item>} options
 * @returns {Promise<{node: HTMLElement, shown: () => void}>}
 */
export async function makeList(options) {
  if (options.total > PLAIN_UP_TO) {
    const list = new VirtualList(options);
    return { node: list.node, shown: () => list.shown() };
  }
  const items = await options.items(0, options.total);
  const node = el(
    "ul",
    { class: "plain-list sheet-list", "aria-label": options.label },
    items.map((item, place) => el("li", {}, options.render(item, place))),
  );
  node.addEventListener("keydown", (event) => moveFocus(event, node));
  return { node, shown: () => {} };
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} list
 */
function moveFocus(event, list) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  const links = [...list.querySelectorAll("li > a")];
  const place = links.indexOf(/** @type {Element} */ (document.activeElement));
  const next = links[place + step];
  if (step === 0 || place === -1 || !(next instanceof HTMLElement)) return;
  event.preventDefault();
  next.focus();
}

/** @template Item */
class VirtualList {
  /** @param {VirtualOptions<Item>} options */
  constructor(options) {
    this.options = options;
    /** @type {Map<number, Item[]>} */
    this.chunks = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {Map<number, HTMLElement>} places that stand in the page */
    this.standing = new Map();
    this.room = el("ul", { class: "room", "aria-label": options.label });
    this.node = el("div", { class: "virtual", tabindex: 0, role: "group", "aria-label": options.label }, this.room);
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    this.node.addEventListener("keydown", (event) => this.key(event));
    this.height = 64;
  }

  /** The list stands in the page: now it has a height. */
  shown() {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const narrow = matchMedia("(max-width: 42rem)").matches;
    this.height = Math.round(rem * (narrow ? 5.1 : 4));
    this.whole = Math.min(this.options.total * this.height, HIGHEST);
    this.room.style.height = `${this.whole}px`;
    if (this.options.at) this.node.scrollTop = this.topOf(this.options.at);
    this.draw();
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  /** @private How many places the first one is from the beginning. */
  get first() {
    const { total } = this.options;
    const plain = this.node.scrollTop / this.height;
    if (total * this.height <= HIGHEST) return plain;
    const visible = this.node.clientHeight / this.height;
    return (
      (this.node.scrollTop / Math.max(1, (this.whole ?? 0) - this.node.clientHeight)) * Math.max(0, total - visible)
    );
  }

  /**
   * @private
   * @param {number} place
   */
  topOf(place) {
    if (this.options.total * this.height <= HIGHEST) return place * this.height;
    const visible = this.node.clientHeight / this.height;
    return (place / Math.max(1, this.options.total - visible)) * ((this.whole ?? 0) - this.node.clientHeight);
  }

  /** @private */
  draw() {
    const first = this.first;
    const visible = Math.ceil(this.node.clientHeight / this.height) + 1;
    const from = Math.max(0, Math.floor(first) - OVERSCAN);
    const to = Math.min(this.options.total, Math.floor(first) + visible + OVERSCAN);
    for (const [place, node] of this.standing) {
      if ((place < from || place >= to) && !node.contains(document.activeElement)) {
        node.remove();
        this.standing.delete(place);
      }
    }
    for (let place = from; place < to; place += 1) this.stand(place);
    const scaled = this.options.total * this.height > HIGHEST;
    for (const [place, node] of this.standing) {
      const top = scaled ? this.node.scrollTop + (place - first) * this.height : place * this.height;
      node.style.transform = `translateY(${top}px)`;
    }
  }

  /**
   * @private
   * @param {number} place
   */
  stand(place) {
    const item = this.chunks.get(Math.floor(place / CHUNK))?.[place % CHUNK];
    const standing = this.standing.get(place);
    if (standing && (standing.dataset.empty === undefined || item === undefined)) return;
    if (item === undefined) void this.ask(Math.floor(place / CHUNK));
    const node = el("li", { "aria-setsize": this.options.total, "aria-posinset": place + 1, "data-place": place });
    if (item === undefined) node.dataset.empty = "";
    else node.append(this.options.render(item, place));
    node.style.height = `${this.height}px`;
    if (standing) standing.replaceWith(node);
    else this.room.insertBefore(node, this.after(place));
    this.standing.set(place, node);
  }

  /**
   * In the page rows stand in their order, for keyboards and screen readers.
   *
   * @private
   * @param {number} place
   */
  after(place) {
    for (let next = this.room.lastElementChild; next; next = next.previousElementSibling) {
      if (Number(/** @type {HTMLElement} */ (next).dataset.place) < place) return next.nextElementSibling;
    }
    return this.room.firstElementChild;
  }

  /**
   * @private
   * @param {number} chunk
   */
  async ask(chunk) {
    if (this.asked.has(chunk)) return;
    this.asked.add(chunk);
    const items = await this.options.items(chunk * CHUNK, CHUNK).catch(() => null);
    this.asked.delete(chunk);
    if (!items) return;
    this.chunks.set(chunk, items);
    if (this.chunks.size > 200) this.chunks.delete(/** @type {number} */ (this.chunks.keys().next().value));
    this.draw();
  }

  /**
   * @private
   * @param {KeyboardEvent} event
   */
  key(event) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const row = document.activeElement?.closest?.("li[data-place]");
    if (step === 0 || !(row instanceof HTMLElement)) return;
    const next = this.standing.get(Number(row.dataset.place) + step)?.querySelector("a");
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}
