"""How this program is started again by itself: by schedules, and by whoever has it work in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ..host.secret_sources import SecretCommand, SecretFile
from ..operations.schedule import SecretKind, SecretPlace
from .run import Run


def this_program() -> tuple[str, ...]:
    """What starts this program wherever it is called from: its own script, else the interpreter that runs it."""
    script = Path(os.environ.get("PEX") or sys.argv[0])  # the program in one file says so itself
    if script.name.startswith("manabackup") and script.is_file() and os.access(script, os.X_OK):
        return (str(script.absolute()),)
    return (sys.executable, "-P", "-m", "manabackup")


def secret_places(run: Run, names: Sequence[str]) -> dict[str, SecretPlace]:
    """Where each secret comes from that lies in a file or comes from a command."""
    found: dict[str, SecretPlace] = {}
    for name in names:
        source = run.source(name)
        if isinstance(source, SecretFile):
            found[name] = SecretPlace(SecretKind.FILE, str(source.path.absolute()))
        elif isinstance(source, SecretCommand):
            found[name] = SecretPlace(SecretKind.COMMAND, source.command)
    return found
