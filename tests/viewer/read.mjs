// Reads `{folder, archives: [{file, passphrase}], privateFields}` from the standard input, prints what was found of each.

import { readFileSync } from "node:fs";

const PAGE = new URL("../../manabackup/viewer/page/reader/", import.meta.url);
const modules = ["archive.js", "problem.js", "rows.js", "source.js", "verify.js"];
const reader = Object.assign({}, ...(await Promise.all(modules.map((name) => import(new URL(name, PAGE))))));
const { found } = await import(new URL("reading.js", import.meta.url));

const { archives, privateFields } = JSON.parse(readFileSync(0, "utf-8"));
const results = [];
for (const { file, passphrase } of archives) {
  const blob = new Blob([readFileSync(file)]);
  results.push(await found(reader, blob, passphrase ?? "", (table) => privateFields[table] ?? []));
}
process.stdout.write(JSON.stringify(results));
