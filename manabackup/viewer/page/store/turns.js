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

  /** @returns {Promise<void>} when nobody waits for anything else */
  async background() {
    await pause();
    if (this._waited > 0) await new Promise((resolve) => this._behind.push(() => resolve(undefined)));
  }
}

/**
 * Let messages in and timers ring. What is in memory already is read without a wait, and a worker that never waits hears
 * nobody. Timers themselves would wait longer and longer.
 * @returns {Promise<void>}
 */
export function pause() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
