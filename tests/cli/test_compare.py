"""Secrets of two archives that are compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ARCHIVES = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"


def test_the_first_passphrase_is_tried_on_the_second_archive_whether_the_first_is_sealed_or_not(tmp_path: Path) -> None:
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple")
    passphrase.chmod(0o600)
    for pair in (("all-tables", "all-tables-sealed"), ("all-tables-sealed", "all-tables")):
        files = [ARCHIVES / f"{name}.mana" for name in pair]
        ended = subprocess.run(
            [sys.executable, "-m", "manabackup", "diff", *files, "--passphrase-file", passphrase],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
