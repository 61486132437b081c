import assert from "node:assert/strict";
import { test } from "node:test";

import { leadsTo } from "../../../manabackup/viewer/page/model/addresses.js";

const ID = "7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90";

test("every way to write where a picture lies leads to one file", () => {
  for (const address of [
    ID,
    ` ${ID.toUpperCase()}\n`,
    `https://media.mana.how/api/v1/media/${ID}/file`,
    `http://localhost:3011/api/v1/media/${ID}/file/thumb?x=1#y`,
    `/api/v1/media/${ID.toUpperCase()}/transform?w=400`,
  ])
    assert.equal(leadsTo(address), `id:${ID}`, address);
  assert.equal(leadsTo("https://storage-files.mana.how/users/a/b%20c.png"), "storage:users/a/b c.png");
  assert.equal(leadsTo("https://minio.mana.how/storage-storage/users/a/b.png"), "storage:users/a/b.png");
  assert.equal(leadsTo("https://minio.mana.how/music-storage/a.jpg"), "music:a.jpg");
  assert.equal(leadsTo(" https://example.org/p.gif?a=1&b "), "https://example.org/p.gif?a=1&b");
});

test("what leads to none of Mana's files is what it was", () => {
  for (const address of [
    "",
    "x.png",
    "__proto__",
    "javascript:globalThis.ran=1",
    "blob:null/7c1d6f0e-3b52-4c1a-9d0e-5a2b8c4f1e90",
    "file:///etc/passwd",
    "https://",
    "https://minio.mana.how/picture-storage/a.png",
    `${ID}0`,
    `https://example.org/api/v1/media/${ID}/files`,
    `https://example.org/api/v1/media/${ID}-1/file`,
  ])
    assert.equal(leadsTo(address), address);
  assert.equal(leadsTo("https://storage-files.mana.how/%zz"), "storage:%zz");
  assert.ok(leadsTo(`data:image/png;base64,${"A".repeat(1_000_000)}`).length < 10_000);
});
