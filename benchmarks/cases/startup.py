"""How long the program takes to say something short, against an interpreter that says nothing."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from ..measure import interleaved, run_command, typical
from ..report import Line, time_ratio
from ..setting import Setting

_ROUNDS = 11


def measure(setting: Setting) -> list[Line]:
    """``--version`` and ``--help``."""
    beside = Path(sys.executable).with_name("manabackup")
    program = [str(beside)] if beside.exists() else [shutil.which("manabackup") or "manabackup"]
    nothing = [sys.executable, "-c", "pass"]
    options = ("--version", "--help")
    results = interleaved(
        _ROUNDS,
        {
            "nothing": lambda: run_command(nothing),
            **{option: partial(run_command, [*program, option]) for option in options},
        },
    )
    return [
        Line(
            f"manabackup {option}",
            f"{typical(results[option]).wall * 1000:.0f} ms",
            f"python -c pass {typical(results['nothing']).wall * 1000:.0f} ms",
            time_ratio(results[option], results["nothing"]),
            "≤ 4",
        )
        for option in options
    ]
