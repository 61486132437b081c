/** Which entries an archive has, and under which names. Source: `formats/mana-v2.md`, "Names" and "Packed again". */

/**
 * @typedef {"manifest" | "sealed" | "readme" | "sums" | "nonce" | "events" | "data" | "meta" | "account" | "blob" | "other"} Kind
 */

export const MANIFEST = "manifest.json";
export const SEALED = "data.sealed";
export const README = "README.md";
export const SUMS = "SHA256SUMS";
export const EVENTS = "events.jsonl";
export const FILE_INDEX = "meta/blobs.jsonl";

/** @type {ReadonlyMap<string, Kind>} */
const FIXED = new Map([
  [MANIFEST, "manifest"],
  [SEALED, "sealed"],
  [README, "readme"],
  [SUMS, "sums"],
  [".nonce", "nonce"],
  [EVENTS, "events"],
]);
const LITTER = /^(?:\.DS_Store|\._.*|Thumbs\.db|desktop\.ini)$/is;

/**
 * @param {string} name
 * @returns {Kind | null} what an entry is; `other` is noted and ignored, null is refused: nested or absolute
 */
export function kindOf(name) {
  const fixed = FIXED.get(name);
  if (fixed !== undefined) return fixed;
  if (/[\\\0]/.test(name) || name.startsWith("/") || /^[A-Za-z]:/.test(name)) return null;
  const slash = name.indexOf("/");
  if (slash < 0) return ["", ".", ".."].includes(name) ? null : "other";
  const folder = name.slice(0, slash);
  const rest = name.slice(slash + 1);
  if (rest.includes("/") || rest === ".." || ["", ".", ".."].includes(folder)) return null;
  if (rest.startsWith(".")) return "other";
  if (folder === "account" && rest !== "") return "account";
  if (folder === "blobs" && /^[0-9a-f]{64}$/.test(rest)) return "blob";
  if ((folder === "data" || folder === "meta") && rest.endsWith(".jsonl")) return folder;
  return "other";
}

/** @param {string} name of an entry under `data/` or `meta/` @returns {string} the table, or other subject */
export function tableOf(name) {
  return name.slice(name.indexOf("/") + 1).replace(/\.jsonl$/, "");
}

/** @param {"data" | "meta"} folder @param {string} table @returns {string} the entry of its rows, or of its meta lines */
export function entryOf(folder, table) {
  return `${folder}/${table}.jsonl`;
}

/** @param {string} name of an entry under `blobs/` @returns {string} the SHA-256 that it states */
export function sha256Of(name) {
  return name.slice("blobs/".length);
}

/** @param {string} name @returns {boolean} whether file managers call so what they add */
export function isLitter(name) {
  const parts = name.replace(/\/$/, "").split("/");
  if (name.includes("\\") || parts.some((part) => ["", ".", ".."].includes(part))) return false;
  return name.startsWith("__MACOSX/") || LITTER.test(parts[parts.length - 1]);
}

/**
 * The names before another program packed the entries again; only those that are not what they were.
 * @param {readonly string[]} names
 * @returns {Map<string, string>} name → the name before
 */
export function originalNames(names) {
  let called = names.map((name) => [name, name]);
  if (!names.some((name) => name.includes("/"))) called = called.map(([name]) => [name, name.replace(/\\/g, "/")]);
  if (!called.some(([, name]) => name === MANIFEST)) {
    const folder = folderOfManifest(called.map(([, name]) => name));
    if (folder === null) return new Map();
    called = called.map(([name, now]) => [name, now.startsWith(folder) ? now.slice(folder.length) : now]);
  }
  return new Map(/** @type {[string, string][]} */ (called.filter(([name, now]) => name !== now)));
}

/** @param {string[]} names @returns {string | null} the folder that holds the manifest and all else but litter */
function folderOfManifest(names) {
  const own = names.filter((name) => !isLitter(name));
  const manifests = own.filter((name) => name.endsWith(`/${MANIFEST}`));
  if (manifests.length !== 1) return null;
  const folder = manifests[0].slice(0, -MANIFEST.length);
  const inside = own.every((name) => name.startsWith(folder) || (name.endsWith("/") && folder.startsWith(name)));
  const absolute = folder.startsWith("/") || folder.includes(":") || folder.split("/").includes("..");
  return inside && !absolute ? folder : null;
}

/** @param {string} name @returns {string} for a message: control characters escaped, not too long */
export function printable(name) {
  const shown = name.replace(/[\p{C}\p{Z}]/gu, (found) => (found === " " ? found : `\\u{${found.codePointAt(0)?.toString(16)}}`));
  return shown.length <= 120 ? shown : `${shown.slice(0, 117)}...`;
}
