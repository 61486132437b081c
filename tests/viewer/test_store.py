"""The page's store in Node, and its reader on the worked examples of the format: ``store.test.mjs``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

from manabackup.model.registry import formats_folder
from tests.viewer import example
from tests.viewer.reading import NODE, needs_node

pytestmark = needs_node
_FORMS = re.compile(r"^```json vector ciphertext-or-text\n(.*?)^```", re.MULTILINE | re.DOTALL)


ODD = {
    "notes": [
        b'{"id":"ansi","title":"\\u001b[31mrot\\u001b[0m","content":"\\u202egnp.exe"}',
        b'{"id":"deep","deep":' + b"[" * 9_990 + b"]" * 9_990 + b',"title":"tief"}',
        b'{"id":"html","title":"<script>alert(1)</script>","content":"<img src=x onerror=alert(1)>"}',
        b'{"id":"long","title":"lang","content":"' + b"x" * 9_999_990 + " Nadelöhr ".encode() + b'"}',
        b'{"id":"numbers","big":9007199254740993,"huge":1e400,"title":"Zahlen"}',
        b'{"id":"proto","__proto__":{"polluted":true},"constructor":1,"hasOwnProperty":2,"title":"Prototyp"}',
    ],
    "__proto__": [b'{"id":"a","title":"Tabelle"}'],
    "constructor": [b'{"id":"a","title":"Tabelle"}'],
}
"""Rows that do no harm where they are taken for data."""


def write_odd(path: Path) -> None:
    """A plain archive of :data:`ODD`, as the web app writes them."""
    manifest = {
        "formatVersion": 2,
        "schemaVersion": 56,
        "producedBy": "mana-web",
        "exportedAt": "2026-05-01T12:00:00.000Z",
        "userId": "u-1",
        "scope": {"type": "full"},
        "rowCounts": {table: len(rows) for table, rows in ODD.items()},
        "fieldsPlaintext": True,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("manifest.json", json.dumps(manifest))
        for table, rows in ODD.items():
            container.writestr(f"data/{table}.jsonl", b"".join(row + b"\n" for row in rows))


def test_the_store(tmp_path: Path) -> None:
    whole, odd, forms = tmp_path / "example.mana", tmp_path / "odd.mana", tmp_path / "forms.json"
    example.write(whole, example.example())
    write_odd(odd)
    sealed = tmp_path / "sealed.mana"
    example.write(sealed, {"notes": example.notes()}, passphrase=example.PASSPHRASE)
    found = _FORMS.search((formats_folder() / "mana-v2.md").read_text())
    assert found is not None
    forms.write_text(json.dumps(json.loads(found[1])))
    given = {
        "EXAMPLE": whole,
        "ODD": odd,
        "FORMS": forms,
        "SEALED": sealed,
        "PASSPHRASE": example.PASSPHRASE,
        "MODULES": formats_folder() / "modules.json",
    }
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--test", "--test-force-exit", str(Path(__file__).with_name("store.test.mjs"))],
        env={**os.environ, **{name: str(path) for name, path in given.items()}, "TZ": "Europe/Berlin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
