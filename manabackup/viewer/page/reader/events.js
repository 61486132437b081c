/**
 * Archives of version 1: events in place of rows. This page does not make rows of them; it can say whether they are
 * whole. Source: `formats/mana-v1.md`.
 */

import { utf8 } from "./bytes.js";
import { ParseError, parseJson } from "./json.js";
import { badLine, wholeLines } from "./lines.js";
import { own } from "./manifest.js";
import { EVENTS, MANIFEST } from "./names.js";
import { ArchiveProblem } from "./problem.js";
import { runningSha256 } from "./sha256.js";

/** @typedef {import("./container.js").Container} Container */
/** @typedef {import("./limits.js").Limits} Limits */

const NEWEST_SCHEMA = 1;
const SHA256 = /^[0-9a-f]{64}$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/;

/**
 * @param {Container} container
 * @param {Record<string, any>} manifest
 * @param {Limits} limits
 * @throws {ArchiveProblem} for the first thing that is wrong
 */
export async function checkEvents(container, manifest, limits) {
  checkManifest(manifest);
  const entry = container.entries.get(EVENTS);
  if (entry === undefined) throw new ArchiveProblem("is missing", "missing", EVENTS);
  const hash = runningSha256(entry.size);
  const told = async function* () {
    for await (const chunk of container.chunks(entry)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  let number = 0;
  for await (const bytes of wholeLines(told(), EVENTS, limits)) {
    for (let at = 0; at < bytes.length; ) {
      const found = bytes.indexOf(10, at);
      const end = found < 0 ? bytes.length : found;
      checkEvent(utf8(bytes.subarray(at, end)), ++number, limits);
      at = end + 1;
    }
  }
  if ((await hash.digest()) !== manifest.eventsSha256) {
    throw new ArchiveProblem("its SHA-256 is not the one in the manifest", "eventsSha256", EVENTS);
  }
  if (number !== manifest.eventCount) {
    throw new ArchiveProblem(`the manifest counts ${manifest.eventCount} events, there are ${number}`, "counts", MANIFEST);
  }
}

/** @param {Record<string, any>} manifest */
function checkManifest(manifest) {
  const damaged = (/** @type {string} */ message, code = "manifest") => new ArchiveProblem(message, code, MANIFEST);
  const userId = own(manifest, "userId");
  if (typeof userId !== "string" || userId === "") throw damaged("userId is missing");
  if (typeof own(manifest, "createdAt") !== "string") throw damaged("createdAt is missing");
  const count = own(manifest, "eventCount");
  if (!Number.isSafeInteger(count) || count < 0) throw damaged("eventCount is not a number of events");
  const digest = own(manifest, "eventsSha256");
  if (typeof digest !== "string" || !SHA256.test(digest)) throw damaged("eventsSha256 is not a SHA-256");
  const apps = own(manifest, "apps") ?? null;
  if (apps !== null && !(Array.isArray(apps) && apps.every((app) => typeof app === "string"))) {
    throw damaged("apps is not a list of names");
  }
  for (const key of ["schemaVersion", "schemaVersionMin", "schemaVersionMax"]) {
    const version = own(manifest, key) ?? (Object.hasOwn(manifest, key) ? null : NEWEST_SCHEMA);
    if (!Number.isSafeInteger(version)) throw damaged(`${key} is not a number`);
    if (version > NEWEST_SCHEMA) throw damaged(`holds events of schema ${version}`, "schemaVersion");
  }
}

/** @param {string | null} text @param {number} number @param {Limits} limits */
function checkEvent(text, number, limits) {
  const event = text === null ? undefined : parsed(text, limits);
  if (event === undefined) throw badLine("not one JSON value in UTF-8", EVENTS, number);
  if (event === null || typeof event !== "object" || Array.isArray(event)) throw badLine("not a JSON object", EVENTS, number);
  const row = /** @type {Record<string, any>} */ (event);
  for (const key of ["eventId", "appId", "table", "createdAt"]) {
    const value = own(row, key);
    if (typeof value !== "string" || value === "") throw badLine(`has no string ${key}`, EVENTS, number);
  }
  if (!isTime(row.createdAt)) throw badLine("createdAt is not a time", EVENTS, number);
  const version = own(row, "schemaVersion");
  if (Number.isSafeInteger(version) && version > NEWEST_SCHEMA) {
    throw badLine("of a newer schema than the manifest says", EVENTS, number, "schemaVersion");
  }
  for (const key of ["data", "fieldTimestamps"]) {
    const value = own(row, key) ?? null;
    if (value !== null && (typeof value !== "object" || Array.isArray(value))) {
      throw badLine(`${key} is not an object`, EVENTS, number);
    }
  }
}

/** @param {string} text @param {Limits} limits @returns {unknown} undefined: no JSON */
function parsed(text, limits) {
  try {
    return parseJson(text, limits.nesting);
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}

/** @param {string} text @returns {boolean} whether it is RFC 3339 with a zone, of the years 1 to 9999 */
function isTime(text) {
  const match = TIME.exec(text);
  if (match === null) return false;
  const [year, month, day, hour, minute, second, zoneHour = 0, zoneMinute = 0] = match.slice(1).map((part) => Number(part ?? 0));
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  const date = year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days;
  return date && hour < 24 && minute < 60 && second < 60 && zoneHour < 24 && zoneMinute < 60;
}
