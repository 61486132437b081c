"""Verify, against ``unzip -t``, which inflates and compares CRCs and does nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from manabackup.operations.archives.verify import verify

from ..data import prose
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run, run_command
from ..report import Line, rate, speed_ratio
from ..setting import PASSPHRASE, Setting
from .export import write_archive


def measure(setting: Setting) -> list[Line]:
    """Plain and sealed, against unzip on the plain one."""
    dataset = setting.data(prose(setting.rows))
    plain, sealed = setting.scratch / "verify.mana", setting.scratch / "verify.sealed.mana"
    run(write_archive, folder=dataset.folder, target=str(plain))
    run(write_archive, folder=dataset.folder, target=str(sealed), sealed=True)
    unzip = shutil.which("unzip")
    argv = [unzip, "-tqq"] if unzip else ["python", "-m", "zipfile", "-t"]

    def check(archive: Path) -> Measurement:
        return run(verify_archive, archive=str(archive))

    results = interleaved(
        setting.rounds,
        {
            "yardstick": lambda: run_command([*argv, str(plain)]),
            "plain": lambda: check(plain),
            "sealed": lambda: check(sealed),
        },
    )
    yardstick, rows = results["yardstick"], setting.rows
    return [
        Line(
            f"verify, {name}",
            rate(results[name], rows, "rows"),
            f"{Path(argv[0]).name} -t {rate(yardstick, rows, 'rows')}",
            speed_ratio(results[name], yardstick),
            "≥ 1.0",
        )
        for name in ("plain", "sealed")
    ]


def verify_archive(meter: Meter, *, archive: str) -> dict[str, Any]:
    """What ``verify`` does, deriving the key included."""
    with meter:
        report = verify(Path(archive), lambda: PASSPHRASE)
    if not report.ok:
        raise BrokenOutputError(f"{archive}: {report.problems}")
    return {"rows": report.rows}
