/**
 * Calls over a pair of ports: a number, a method, what is asked; a result, a problem, or how far it is.
 *
 * Rows cross as text: what nests ten thousand deep can be parsed, and cannot be cloned.
 */

import { ArchiveProblem } from "../reader/problem.js";

/** @typedef {import("./types.js").OnProgress} OnProgress */

/**
 * @typedef {object} Port a worker, its inside, or one end of a message channel
 * @property {(message: any) => void} postMessage
 * @property {((event: MessageEvent) => any) | null} onmessage
 */

/** @typedef {{call: number, method: string, asked: any}} Call */
/** @typedef {{call: number, result?: any, problem?: import("../reader/problem.js").ProblemData, failure?: string, progress?: import("./types.js").Progress}} Answer */

/** The asking end. */
export class Caller {
  /** @param {Port} port */
  constructor(port) {
    this._port = port;
    this._next = 1;
    /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void, onProgress: OnProgress}>} */
    this._waiting = new Map();
    /** @type {Error | null} */
    this._closed = null;
    port.onmessage = (event) => this._answered(event.data);
  }

  /** @param {string} method @param {any} asked @param {OnProgress} [onProgress] @returns {Promise<any>} */
  call(method, asked, onProgress = () => {}) {
    if (this._closed !== null) return Promise.reject(this._closed);
    return new Promise((resolve, reject) => {
      const call = this._next++;
      this._waiting.set(call, { resolve, reject, onProgress });
      this._port.postMessage({ call, method, asked });
    });
  }

  /** Whoever waits, or asks from now on, gets this. @param {Error} error */
  close(error) {
    this._closed = error;
    for (const { reject } of this._waiting.values()) reject(error);
    this._waiting.clear();
  }

  /** @param {Answer} answer */
  _answered(answer) {
    const waiting = this._waiting.get(answer.call);
    if (waiting === undefined) return;
    if (answer.progress !== undefined) {
      waiting.onProgress(answer.progress);
      return;
    }
    this._waiting.delete(answer.call);
    if (answer.problem !== undefined) waiting.reject(ArchiveProblem.fromData(answer.problem));
    else if (answer.failure !== undefined) waiting.reject(new Error(answer.failure));
    else waiting.resolve(answer.result);
  }
}

/**
 * The answering end.
 * @param {Port} port
 * @param {Record<string, (asked: any, onProgress: OnProgress) => Promise<any>>} methods
 */
export function answer(port, methods) {
  port.onmessage = async (event) => {
    const { call, method, asked } = /** @type {Call} */ (event.data);
    let told = -1;
    const onProgress = (/** @type {import("./types.js").Progress} */ progress) => {
      // A hundred messages say as much as a hundred thousand.
      const part = Math.floor((100 * progress.done) / Math.max(progress.total, 1));
      if (part === told) return;
      told = part;
      port.postMessage({ call, progress });
    };
    try {
      port.postMessage({ call, result: await methods[method](asked, onProgress) });
    } catch (error) {
      if (error instanceof ArchiveProblem) port.postMessage({ call, problem: error.toData() });
      else port.postMessage({ call, failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    }
  };
}
