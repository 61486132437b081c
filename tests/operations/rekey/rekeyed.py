"""An archive under another key, and the keys of the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.operations.rekey import RekeyResult, rekey
from manabackup.text import jsontext

VECTORS = Path(__file__).parents[3] / "fixtures" / "vectors"
KEY_A = bytes(range(32))
KEY_B = bytes(range(255, 223, -1))
BOB = "bob-user-id-0123456789abcdefghij"
PASSPHRASE = "Überraschung für Oma 🔑"
TABLES = registry.load().by_name


def rekeyed(source: Path, target: Path, key: bytes = KEY_B, *, passphrase: str = "", **options: Any) -> RekeyResult:
    with open_archive(source, lambda: passphrase) as archive:
        return rekey(archive, target, FieldCipher(key), **options)


def sealed_value(value: Any, key: bytes = KEY_A) -> str:
    return FieldCipher(key).encrypt(jsontext.dumps(value))
