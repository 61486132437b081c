"""``README.md`` inside an archive: for the person who finds the file in ten years."""

from __future__ import annotations

PLAIN = """\
# A backup from Mana

This is a ZIP file. Every program that opens ZIP files opens it.

* `data/<table>.jsonl`: your rows, one JSON object a line
* `meta/<table>.jsonl`: who changed which field when
* `manifest.json`: when and from which account it was made, and whether anything is missing (`completeness`)

To check that nothing was damaged:

    unzip FILE.mana -d backup && cd backup && sha256sum -c SHA256SUMS

To put it back: the import in Mana's settings, or `manabackup restore FILE.mana`.

Nothing in this file is encrypted: who holds it can read it.
"""

SEALED = """\
# A sealed backup from Mana

`data.sealed` is a ZIP file, encrypted under a passphrase. Without the passphrase nobody can open it.

* key = PBKDF2-HMAC-SHA256(passphrase in UTF-8, kdfSaltBase64, kdfIterations), 32 bytes
* `data.sealed` = AES-256-GCM(key, ivBase64), the 16-byte tag at its end, no associated data

The parameters stand in `manifest.json` under `passphrase`. Besides Mana's own import and `manabackup unseal`, a few
lines of any language with AES-GCM open it; the project's README prints twenty lines of Python that do.
"""
