/**
 * Links that lead out of the page: only of kinds that can do no harm, and never without a click.
 *
 * @typedef {import("../words/words.js").Words} Words
 */
import { el } from "./dom.js";

/**
 * @param {string} address as somebody wrote it
 * @returns {string | null} null where it is none that may be followed
 */
export function safeAddress(address) {
  const text = address.trim();
  if (/^(mailto|tel):[^\s<>"]+$/i.test(text)) return text;
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
}

/**
 * @param {Words} words
 * @param {string} address
 * @param {Node[]} children
 * @returns {Node} the words alone where the address may not be followed
 */
export function outward(words, address, children) {
  const href = safeAddress(address);
  if (href === null) return el("span", {}, children);
  const away = href.startsWith("http");
  return el(
    "a",
    {
      href,
      ...(away ? { target: "_blank", rel: "noopener noreferrer", title: `${words.say("linkAway")}: ${href}` } : {}),
    },
    children,
    away ? el("span", { "aria-hidden": "true" }, "\u2060\u202f↗") : null,
  );
}
