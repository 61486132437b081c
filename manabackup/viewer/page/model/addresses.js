/**
 * What the address of a picture in a text leads to, spelled as the index of files spells it. Sources: `formats/mana-v2.md`,
 * "Files"; `formats/modules.md`, `binary`. Of an address only what it names is taken: nothing here, or anywhere in the page, asks
 * for it.
 */

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const MEDIA = new RegExp(`^\\s*(${UUID})\\s*$|/api/v1/media/(${UUID})/(?:file|transform)(?![\\w-])`, "i");
/** Characters of an address that is looked at: a picture as a whole may stand in its place. */
const LONGEST = 4_000;

/**
 * @param {string} address as somebody wrote it
 * @returns {string} `id:` and one of the media service, `storage:` or `music:` and a key, or the address itself
 */
export function leadsTo(address) {
  if (address.length > LONGEST) return address.slice(0, LONGEST);
  const media = MEDIA.exec(address);
  if (media) return idKey(media[1] ?? media[2] ?? "");
  const text = address.trim();
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") return text;
  const path = unquoted(url.pathname.replace(/^\/+/, ""));
  if (url.hostname === "storage-files.mana.how") return `storage:${path}`;
  const [, bucket, key] = /^(storage|music)-storage\/(.+)$/s.exec(url.hostname === "minio.mana.how" ? path : "") ?? [];
  return bucket && key ? `${bucket === "music" ? "music" : "storage"}:${key}` : text;
}

/** @param {string} id */
export function idKey(id) {
  return `id:${id.toLowerCase()}`;
}

/** @param {string} path */
function unquoted(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
