"""Where a run sets things aside: anonymous files in the output's folder, gone when the run is, however it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ..crypto.seal import SpoolFile
from ..output import writing_to


def spool_files(output: Path) -> Callable[[], SpoolFile]:
    """Makes the files of :class:`~manabackup.crypto.seal.CipherSpool`, beside ``output``: there must be room anyway."""
    folder = output.resolve().parent

    def make_file() -> SpoolFile:
        with writing_to(folder):
            return tempfile.TemporaryFile(dir=folder)

    return make_file
