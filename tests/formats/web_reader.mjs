// Reads .mana archives as the web app does, written from the description in formats/mana-v2.md ("The web app's reader")
// and not from its source. Usage: node web_reader.mjs FILE [PASSPHRASE-ON-STDIN]; prints one JSON object.
//
// It is as careless as the web app is: the central directory alone, no Zip64, no CRC, the last of two entries wins.

import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";

const utf8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: false });

function entriesOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw new Error("no end of central directory");
  const entries = new Map();
  let at = view.getUint32(end + 16, true);
  for (let n = view.getUint16(end + 10, true); n > 0; n--) {
    if (view.getUint32(at, true) !== 0x02014b50) throw new Error("bad central header");
    const method = view.getUint16(at + 10, true);
    const compressed = view.getUint32(at + 20, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const name = utf8.decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (view.getUint32(local, true) !== 0x04034b50) throw new Error("bad local header");
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const raw = bytes.subarray(start, start + compressed);
    if (method !== 0 && method !== 8) throw new Error(`unsupported method ${method}`);
    entries.set(name, () => (method === 0 ? raw : new Uint8Array(inflateRawSync(raw))));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function manifestOf(entries) {
  const manifest = JSON.parse(utf8.decode(entries.get("manifest.json")()));
  const good =
    manifest.formatVersion === 2 &&
    typeof manifest.schemaVersion === "number" &&
    typeof manifest.userId === "string" &&
    manifest.userId !== "" &&
    typeof manifest.exportedAt === "string" &&
    manifest.scope !== null &&
    typeof manifest.scope === "object" &&
    manifest.rowCounts !== null &&
    typeof manifest.rowCounts === "object" &&
    typeof manifest.fieldsPlaintext === "boolean";
  if (!good) throw new Error("not a v2 manifest");
  return manifest;
}

async function unseal(sealed, seal, passphrase) {
  if (seal.kdf !== "PBKDF2-SHA256" || seal.cipher !== "AES-GCM-256") throw new Error("unknown seal");
  const bytesOf = (text) => Buffer.from(text, "base64url"); // takes both alphabets, with and without padding
  const material = await crypto.subtle.importKey("raw", new TextEncoder().encode(passphrase), "PBKDF2", false, [
    "deriveKey",
  ]);
  const kdf = { name: "PBKDF2", hash: "SHA-256", salt: bytesOf(seal.kdfSaltBase64), iterations: seal.kdfIterations };
  const key = await crypto.subtle.deriveKey(kdf, material, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  let body;
  try {
    body = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytesOf(seal.ivBase64) }, key, sealed));
  } catch {
    throw new Error("wrong passphrase");
  }
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", body)).toString("hex");
  if (hash !== seal.plaintextSha256) throw new Error("corrupted");
  return body;
}

function tablesOf(entries) {
  const tables = {};
  for (const [name, content] of entries) {
    const match = /^data\/([^/]+)\.jsonl$/.exec(name);
    if (match === null) continue;
    const lines = utf8.decode(content()).split("\n").map((line) => line.trim());
    tables[match[1]] = lines.filter((line) => line !== "");
    for (const line of tables[match[1]]) JSON.parse(line);
  }
  return tables;
}

async function read(path, passphrase) {
  let entries = entriesOf(new Uint8Array(readFileSync(path)));
  const manifest = manifestOf(entries);
  if (manifest.passphrase) {
    entries = entriesOf(await unseal(entries.get("data.sealed")(), manifest.passphrase, passphrase));
  }
  return { manifest, tables: tablesOf(entries) };
}

try {
  const result = await read(process.argv[2], readFileSync(0, "utf8"));
  process.stdout.write(JSON.stringify({ ok: true, ...result }));
} catch (error) {
  process.stdout.write(JSON.stringify({ ok: false, error: error.message }));
}
