/**
 * Headings of somebody's text below those of the page: none leaves a level out, whatever the text does.
 */
import { el } from "./dom.js";

export class Outline {
  /** @param {number} base the level of the page's own heading above the text */
  constructor(base) {
    this.base = base;
    this.last = base;
  }

  /**
   * @param {number} level as the text has it, 1 to 6
   * @param {Node[]} children
   */
  heading(level, children) {
    this.last = Math.min(this.base + level, this.last + 1, 6);
    return el(/** @type {"h6"} */ (`h${this.last}`), {}, children);
  }
}
