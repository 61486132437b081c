/** What the page's reader makes of an archive, in the words of the vectors' indexes. Runs in Node and in browsers. */

/**
 * @param {any} reader the reader's modules: openOuter, openPlain, SealedBody, BlobSource, ArchiveProblem, verify, rowBlocks
 * @param {Blob} blob
 * @param {string} passphrase
 * @param {(table: string) => readonly string[]} privateFields
 */
export async function found(reader, blob, passphrase, privateFields) {
  try {
    const outer = await reader.openOuter(new reader.BlobSource(blob));
    const sealed = Boolean(outer.manifest.passphrase);
    const archive = sealed
      ? await (await reader.SealedBody.check(outer)).open(passphrase)
      : await reader.openPlain(outer);
    const report = await reader.verify(archive, { privateFields });
    if (!report.whole) return { exit: 15, ...report.problems[0] };
    return { exit: 0, sealed, dataSha256: report.dataSha256, notes: report.notes, rows: await rows(reader, archive) };
  } catch (error) {
    if (!(error instanceof reader.ArchiveProblem)) throw error;
    const problem = error.toData();
    if (problem.verdict === "older") return { exit: 0, older: true };
    return { exit: problem.verdict === "wrongPassphrase" ? 12 : 15, ...problem };
  }
}

/** @param {any} reader @param {any} archive @returns {Promise<[string, string[]][]>} each table's rows, exactly as they stand there */
async function rows(reader, archive) {
  /** @type {[string, string[]][]} */
  const tables = [];
  for (const table of archive.tables) {
    /** @type {string[]} */
    const lines = [];
    for await (const block of reader.rowBlocks(archive, table)) {
      for (const line of block.lines) lines.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(block.bytes.subarray(line.start, line.end)));
    }
    tables.push([table, lines]);
  }
  return tables;
}
