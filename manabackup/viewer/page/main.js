/**
 * Where the page's one script begins: in the page it starts the screens, in the worker, which is made of the same text,
 * the store.
 */

import { start } from "./app.js";
import { serve } from "./store/server.js";

if (typeof document === "undefined") {
  const worker = /** @type {any} */ (globalThis);
  serve(worker);
  worker.postMessage("ready");
} else {
  const code = element("code").textContent ?? "";
  const { archive, ...about } = JSON.parse(element("about").textContent ?? "{}");
  start({
    ...about,
    code,
    modules: JSON.parse(element("modules").textContent ?? "{}"),
    archive: archive === null ? null : archiveIn(element("archive"), archive),
  });
}

/** @param {string} id @returns {HTMLElement} */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new TypeError(`the page has no element ${id}`);
  return found;
}

/**
 * The archive that the page carries, in base64. Its text is taken out of the page: it would be in memory twice.
 * @param {HTMLElement} holder
 * @param {{name: string}} archive
 * @returns {File}
 */
function archiveIn(holder, { name }) {
  const text = (holder.textContent ?? "").replace(/\s+/g, "");
  holder.remove();
  const parts = [];
  const step = 4 * 1024 * 1024;
  for (let at = 0; at < text.length; at += step) {
    const binary = atob(text.slice(at, at + step));
    const bytes = new Uint8Array(binary.length);
    for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
    parts.push(bytes);
  }
  return new File(parts, name);
}
