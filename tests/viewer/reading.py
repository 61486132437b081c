"""What the page's reader makes of archives, in Node: the same code that browsers run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from manabackup.model import registry

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")
FIXTURES = Path(__file__).parents[2] / "fixtures"
HOSTILE = FIXTURES / "vectors" / "hostile"
VECTORS = FIXTURES / "vectors"
RELEASED = FIXTURES / "released"
V1 = FIXTURES / "v1"


@dataclass(frozen=True)
class Given:
    """An archive, and the passphrase to try."""

    path: Path
    passphrase: str | None = None


def read(given: Sequence[Given]) -> list[dict[str, Any]]:
    """What ``reading.js`` says of each archive."""
    assert NODE is not None
    asked = {
        "archives": [{"file": str(each.path), "passphrase": each.passphrase} for each in given],
        "privateFields": private_fields(),
    }
    script = str(Path(__file__).with_name("read.mjs"))
    done = subprocess.run([NODE, script], input=json.dumps(asked).encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def private_fields() -> dict[str, list[str]]:
    """Table → the fields that are encrypted, by the registry."""
    return {table.name: sorted(table.encrypted) for table in registry.load().tables if table.encrypted}


def hostile_cases() -> list[dict[str, Any]]:
    """The index of ``fixtures/vectors/hostile``."""
    cases: list[dict[str, Any]] = json.loads((HOSTILE / "index.json").read_text())["archives"]
    return cases


def differing(cases: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> list[str]:
    """Hostile archives of which something else was said than their index does."""
    return [
        f"{case['file']}: {[result.get(key) for key in ('exit', 'code', 'where', 'message')]}"
        for case, result in zip(cases, results, strict=True)
        if any(key in case and case[key] != result.get(key) for key in ("exit", "code", "where"))
    ]
