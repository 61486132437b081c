"""Rekey against export, and diff of two archives against verify of both: the same rows on the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.operations.compare.diff import Side, diff
from manabackup.operations.rekey import rekey

from ..data import prose
from ..measure import BrokenOutputError, Meter, interleaved, run
from ..report import Line, memory, rate, seconds, speed_ratio, time_ratio
from ..setting import Setting
from .export import write_archive
from .verify import verify_archive

_ANOTHER_KEY = bytes(range(32))


def measure(setting: Setting) -> list[Line]:
    """Both."""
    dataset = setting.data(prose(setting.rows))
    one, other, third = (str(setting.scratch / f"{name}.mana") for name in ("one", "other", "rekeyed"))
    run(write_archive, folder=dataset.folder, target=other)
    results = interleaved(
        setting.rounds,
        {
            "export": lambda: run(write_archive, folder=dataset.folder, target=one),
            "rekey": lambda: run(rekey_archive, source=other, target=third),
            "verify": lambda: run(verify_archive, archive=one),
            "verify other": lambda: run(verify_archive, archive=other),
            "diff": lambda: run(diff_archives, one=one, other=other),
        },
    )
    both = [a.plus(b) for a, b in zip(results["verify"], results["verify other"], strict=True)]
    rows = setting.rows
    return [
        Line(
            "rekey",
            rate(results["rekey"], rows, "rows"),
            f"export {rate(results['export'], rows, 'rows')}",
            speed_ratio(results["rekey"], results["export"]),
            "≥ 0.8",
        ),
        Line("rekey, memory", memory(results["rekey"]), "", "", "≤ 150 MB"),
        Line(
            "diff of two archives",
            seconds(results["diff"]),
            f"verify of both {seconds(both)}",
            time_ratio(results["diff"], both),
            "≤ 2",
        ),
        Line("diff, memory", memory(results["diff"]), "", "", "≤ 150 MB"),
    ]


def rekey_archive(meter: Meter, *, source: str, target: str) -> dict[str, Any]:
    """What ``rekey`` does once the target's key is there."""
    cipher = FieldCipher(_ANOTHER_KEY)
    with meter, open_archive(Path(source)) as archive:
        result = rekey(archive, Path(target), cipher, force=True)
    if result.losses:
        raise BrokenOutputError(f"rekey lost {result.losses}")
    return {"rows": result.written.rows}


def diff_archives(meter: Meter, *, one: str, other: str) -> dict[str, Any]:
    """What ``diff`` does with two archives of one state."""
    with meter, open_archive(Path(one)) as a, open_archive(Path(other)) as b:
        found = diff(Side(a), Side(b))
    if not found.equal:
        raise BrokenOutputError(f"two exports of one state differ: {found.to_json()}")
    return {"rows": found.rows[0]}
