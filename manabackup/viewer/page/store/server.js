/** The store's inside: an engine behind a port. */

import { createModel } from "../model/model.js";
import { answer } from "./calls.js";
import { Engine } from "./engine.js";

const METHODS = /** @type {const} */ ([
  "open", "unlock", "verify", "list", "items", "texts", "release", "rows", "row", "facets", "activity", "between",
  "onThisDay", "search", "index", "gallery", "filesOf", "fileTold", "file",
]);

/** @param {import("./calls.js").Port} port of the worker, or of a channel in the page */
export function serve(port) {
  /** @type {Engine | null} */
  let engine = null;
  /** @type {Record<string, (asked: any, onProgress: import("./types.js").OnProgress) => Promise<any>>} */
  const methods = {
    start: async ({ modules, textBudget, indexBudget }) => {
      engine = new Engine(createModel(modules), textBudget, indexBudget);
    },
  };
  for (const method of METHODS) {
    methods[method] = async (asked, onProgress) => {
      if (engine === null) throw new TypeError("start the engine first");
      return engine[method](asked, onProgress);
    };
  }
  answer(port, methods);
}
