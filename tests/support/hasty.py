"""The program as it is, but that it asks again at once, where it waits for seconds between two attempts.

That it does wait, and for how long, is tried in ``tests/remote``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from manabackup.cli import main
from manabackup.remote.transport import Transport


def hasty(folder: Path, first: str = "") -> list[str]:
    """How it is called: a script in ``folder`` that does something first, by which it starts itself again, too."""
    script = folder / "manabackup-hasty"
    script.write_text(f"#!{sys.executable}\nfrom tests.support.hasty import run\n{first}\nrun()\n")
    script.chmod(0o755)
    return [sys.executable, str(script)]


def run() -> None:
    """Does what the command line says, and ends."""
    vars(Transport)["__init__"].__kwdefaults__.update(sleep=lambda seconds: None, jitter=lambda: 0.0)
    sys.exit(main())
