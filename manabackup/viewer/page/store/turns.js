/** Who comes first: what somebody waits for, or what is done meanwhile. */

export class Turns {
  constructor() {
    this._waited = 0;
    /** @type {(() => void)[]} */
    this._behind = [];
  }

  /**
   * @template T
   * @param {Promise<T>} work that somebody waits for
   * @returns {Promise<T>}
   */
  async foreground(work) {
    this._waited += 1;
    try {
      return await work;
    } finally {
      this._waited -= 1;
      if (this._waited === 0) for (const go of this._behind.splice(0)) go();
    }
  }

  /** @returns {Promise<void> | void} when nobody waits for anything else */
  background() {
    if (this._waited > 0) return new Promise((resolve) => this._behind.push(resolve));
  }
}
