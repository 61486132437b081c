/**
 * Opens `.mana` archives of format version 2, plain and sealed, manabackup's and the web app's.
 *
 * The order of the checks is the promise (`formats/mana-v2.md`, "Reading safely"): the container, then the manifest,
 * then the sealed body's hash, and only then is a passphrase asked for; the tag; the inner container; the inner
 * manifest against the outer one. No row is given out before all of that held.
 */

import { Container } from "./container.js";
import { crc32 } from "./crc32.js";
import { checkEvents } from "./events.js";
import { LIMITS } from "./limits.js";
import { checkManifest, isOurs, isSealed, own, parseManifest, repeatsOuter, sealParameters } from "./manifest.js";
import { EVENTS, FILE_INDEX, MANIFEST, README, SEALED, SUMS, entryOf, printable, tableOf } from "./names.js";
import { ArchiveProblem } from "./problem.js";
import { TAG_BYTES, canUnseal, unseal } from "./seal.js";
import { sha256 } from "./sha256.js";
import { BytesSource } from "./source.js";
import { dataSha256, isCovered, parseSums } from "./sums.js";

/** @typedef {import("./bytes.js").Bytes} Bytes */
/** @typedef {import("./limits.js").Limits} Limits */
/** @typedef {import("./manifest.js").RawManifest} RawManifest */
/** @typedef {import("./source.js").Source} Source */

/**
 * What an archive shows without a secret.
 * @typedef {object} Outer
 * @property {number} size of the file
 * @property {Container} container
 * @property {RawManifest} manifest
 * @property {boolean} ours a sealed archive that manabackup wrote
 * @property {Limits} limits
 */

/** An open archive. */
export class Archive {
  /**
   * @param {Outer} outer
   * @param {Container} container the one that holds the rows
   * @param {RawManifest} manifest the authenticated one where there are two
   * @param {Map<string, string>} sums what `SHA256SUMS` says
   */
  constructor(outer, container, manifest, sums) {
    this.size = outer.size;
    this.sealed = isSealed(outer.manifest);
    this.container = container;
    this.manifest = manifest;
    this.ours = isOurs(manifest);
    this.sums = sums;
    this.limits = outer.limits;
    this.notes = notesOn(outer, container);
  }

  /** @returns {string[]} in the archive's order */
  get tables() {
    return this.container.ofKind("data").map((entry) => tableOf(entry.name));
  }

  /** @param {string} name of an entry @returns {AsyncGenerator<Bytes, void, void>} its content */
  chunks(name) {
    const entry = this.container.entries.get(name);
    if (entry === undefined) throw new TypeError(`no such entry: ${name}`);
    return this.container.chunks(entry);
  }

  /** @param {"data" | "meta"} folder @param {string} table @returns {boolean} */
  has(folder, table) {
    return this.container.entries.has(entryOf(folder, table));
  }

  /** @param {string} table @returns {unknown} how many rows the manifest says there are */
  statedCount(table) {
    return own(this.manifest.rowCounts, table);
  }

  /** Where manabackup wrote both, they must agree; elsewhere the rows win. @param {string} table @param {number} count */
  checkCount(table, count) {
    if (this.ours && this.statedCount(table) !== count) {
      throw new ArchiveProblem(`the manifest counts other rows of ${printable(table)} than there are`, "counts", MANIFEST);
    }
  }
}

/**
 * @param {Source} source
 * @param {Limits} [limits]
 * @returns {Promise<Outer>} all checked that needs no secret, but for the sealed body
 */
export async function openOuter(source, limits = LIMITS) {
  const container = await Container.open(source, limits);
  const entry = container.entries.get(MANIFEST);
  if (entry === undefined) {
    if (container.entries.has(EVENTS)) throw new ArchiveProblem("events without a manifest: the export was cut off", "truncated");
    throw new ArchiveProblem("has no manifest.json: cut off, or not a .mana archive", "notAnArchive");
  }
  const raw = parseManifest(await container.read(entry, limits.manifestBytes), limits);
  if (container.entries.has(EVENTS) && own(raw, "formatVersion") === 1) {
    await checkEvents(container, raw, limits);
    throw new ArchiveProblem("is an archive of version 1, which holds events in place of rows", "older");
  }
  const manifest = checkManifest(raw);
  if (isSealed(manifest) !== container.entries.has(SEALED)) {
    throw new ArchiveProblem("manifest and entries disagree about whether the archive is sealed", "seal");
  }
  const ours = isSealed(manifest) && own(manifest, "sealedSha256") !== undefined;
  if (ours) refuseWhatDoesNotBelong(container);
  const readme = container.entries.get(README);
  if (isSealed(manifest) && readme !== undefined) await container.read(readme, limits.readmeBytes);
  return { size: source.size, container, manifest, ours, limits };
}

/** @param {Outer} outer @returns {Promise<Archive>} of an archive that is not sealed */
export function openPlain(outer) {
  return archive(outer, outer.container, outer.manifest);
}

/** A sealed body whose damage is ruled out as far as can be without a key. */
export class SealedBody {
  /** @param {Outer} outer @param {Bytes} sealed @param {import("./manifest.js").SealParameters} parameters */
  constructor(outer, sealed, parameters) {
    this._outer = outer;
    this._sealed = sealed;
    this._parameters = parameters;
  }

  /** @param {Outer} outer @returns {Promise<SealedBody>} */
  static async check(outer) {
    const { container, limits, manifest } = outer;
    const parameters = sealParameters(manifest, limits);
    const entry = container.ofKind("sealed")[0];
    if (!canUnseal()) throw new ArchiveProblem("this browser gives the page no WebCrypto", "unreadable");
    if (entry.size > limits.sealedBytes) throw new ArchiveProblem(`larger than ${limits.sealedBytes} bytes`, "limit", SEALED);
    if (entry.size < TAG_BYTES) throw new ArchiveProblem("cut off", "truncated", SEALED);
    const stated = own(manifest, "sealedSha256");
    const inPlace = entry.method === 0;
    const sealed = inPlace
      ? await container.source.read(entry.dataOffset, entry.size)
      : await container.read(entry, limits.sealedBytes);
    if (stated !== undefined && (await sha256(sealed)) !== stated) {
      throw new ArchiveProblem("damaged: its SHA-256 is not the manifest's", "sealedSha256", SEALED);
    }
    if (inPlace && crc32(sealed) !== entry.crc) {
      throw new ArchiveProblem("damaged: its CRC-32 does not match", "crc", SEALED);
    }
    return new SealedBody(outer, sealed, parameters);
  }

  /** @param {string} passphrase @returns {Promise<Archive>} */
  async open(passphrase) {
    const outer = this._outer;
    const body = await unseal(this._sealed, this._parameters, passphrase);
    if ((await sha256(body)) !== own(outer.manifest.passphrase, "plaintextSha256")) {
      const verdict = outer.ours ? "tampered" : "damaged";
      throw new ArchiveProblem("opens, but its content is not what the manifest says", "plaintextSha256", null, verdict);
    }
    const inner = await Container.open(new BytesSource(body), outer.limits);
    return archive(outer, inner, await innerManifest(outer, inner));
  }
}

/** @param {Container} container the outer one of a sealed archive that manabackup wrote */
function refuseWhatDoesNotBelong(container) {
  const packedAgain = container.isPackedAgain();
  if (!packedAgain) container.requireFixedBytes();
  for (const { name, kind } of container.entries.values()) {
    const belongs = kind === "manifest" || kind === "sealed" || kind === "readme" || (packedAgain && kind === "other");
    if (!belongs) throw new ArchiveProblem("does not belong beside a sealed body", "container", printable(name));
  }
}

/** @param {Outer} outer @param {Container} inner @returns {Promise<RawManifest>} the one to use from here on */
async function innerManifest(outer, inner) {
  const tampered = (/** @type {string} */ message) => new ArchiveProblem(message, "tampered");
  const entry = inner.entries.get(MANIFEST);
  if (entry === undefined) {
    if (outer.ours) throw tampered("the manifest inside the seal is missing");
    return outer.manifest;
  }
  const raw = parseManifest(await inner.read(entry, outer.limits.manifestBytes), outer.limits);
  if (own(raw, "outer") === undefined) {
    if (outer.ours) throw tampered("the manifest inside the seal is not manabackup's");
    return outer.manifest;
  }
  if (!outer.ours) throw tampered("sealedSha256 was removed from the manifest");
  if (!repeatsOuter(raw, outer.manifest)) throw tampered("the outer manifest is not the one that was sealed");
  const { outer: _, ...manifest } = raw;
  return checkManifest(manifest);
}

/** @param {Outer} outer @param {Container} container @param {RawManifest} manifest @returns {Promise<Archive>} */
async function archive(outer, container, manifest) {
  /** @type {Map<string, string>} */
  let sums = new Map();
  const entry = container.entries.get(SUMS);
  if (entry !== undefined) {
    sums = parseSums(await container.read(entry, outer.limits.manifestBytes));
    for (const { name, kind } of container.entries.values()) {
      if (isCovered(name) && kind !== "other" && !sums.has(name)) {
        throw new ArchiveProblem("is not listed in SHA256SUMS", "sums", printable(name));
      }
    }
    for (const name of sums.keys()) {
      if (container.entries.has(name)) continue;
      throw new ArchiveProblem("is missing, though SHA256SUMS lists it", "missing", printable(name));
    }
  }
  if (isOurs(manifest) && (entry === undefined || (await dataSha256(sums)) !== own(manifest, "dataSha256"))) {
    throw new ArchiveProblem("dataSha256 does not fit SHA256SUMS", "sums", MANIFEST);
  }
  checkFiles(container, manifest, sums);
  return new Archive(outer, container, manifest, sums);
}

/**
 * Whether the files are those that the manifest counts, where manabackup wrote it. What they hold is checked by verify.
 * @param {Container} container @param {RawManifest} manifest @param {ReadonlyMap<string, string>} sums
 */
function checkFiles(container, manifest, sums) {
  if (!isOurs(manifest)) return;
  const entries = container.ofKind("blob");
  const assets = own(manifest, "binaryAssets");
  if (typeof assets !== "object" || assets === null || Array.isArray(assets)) {
    if (entries.length === 0 && !container.entries.has(FILE_INDEX)) return;
    throw new ArchiveProblem("holds files, and the manifest does not count them", "blobs", MANIFEST);
  }
  if (entries.length > 0 && !container.entries.has(FILE_INDEX)) {
    throw new ArchiveProblem("holds files without an index of them", "blobs", MANIFEST);
  }
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
  if (own(assets, "count") !== entries.length || own(assets, "bytes") !== bytes || own(assets, "sha256") !== sums.get(FILE_INDEX)) {
    throw new ArchiveProblem("the manifest counts other files, or names another index, than there are", "blobs", MANIFEST);
  }
}

/** @param {Outer} outer @param {Container} container @returns {string[]} oddities that lose nothing */
function notesOn(outer, container) {
  const notes = [];
  if (outer.container.renamed || (outer.ours && outer.container.isPackedAgain())) {
    notes.push("packed again by another program; what was in it is what it was");
  }
  notes.push(...container.ofKind("other").map(({ name }) => `unknown entry ${printable(name)}`));
  if (container !== outer.container) {
    const beside = outer.container.ofKind("other");
    notes.push(...beside.map(({ name }) => `an entry outside the seal, which is not read: ${printable(name)}`));
  }
  return notes;
}
