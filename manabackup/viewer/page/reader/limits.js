/**
 * Bounds on what an archive may ask for. Those of `formats/mana-v2.md`, "Reading safely", and this page's own.
 */

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/**
 * @typedef {typeof LIMITS} Limits
 */
export const LIMITS = Object.freeze({
  /** Levels of arrays and objects in a line. */
  nesting: 20_000,
  /** Entries in one ZIP, but for files. */
  entries: 65_000,
  /** Files in one ZIP. */
  blobs: 250_000,
  /** Bytes in an entry's name. */
  entryName: 1_024,
  /** Uncompressed bytes of one entry. */
  entryBytes: 64 * GIB,
  /** Uncompressed bytes of all entries together. */
  totalBytes: 256 * GIB,
  /** Uncompressed to compressed size of one entry. */
  ratio: 1_100,
  /** Bytes of a manifest, and of SHA256SUMS. */
  manifestBytes: 64 * MIB,
  /** Bytes of the central directory. */
  directoryBytes: 64 * MIB,
  /** Bytes of a README, which is read and not shown. */
  readmeBytes: MIB,
  /** Bytes of one line. */
  lineBytes: 256 * MIB,
  kdfIterationsMin: 100_000,
  kdfIterationsMax: 10_000_000,
  /** Ours: WebCrypto decrypts one message as a whole, which then is in memory twice. */
  sealedBytes: 512 * MIB,
});
