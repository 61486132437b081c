"""Convert, against ``verify`` of the same archive: what every reader of it has to do at least."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from manabackup.conversion.formats import FORMATS
from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.from_database import from_database
from manabackup.operations.archives.readable import convert_to

from ..data import everyday, in_a_mirror, prose
from ..measure import BrokenOutputError, Measurement, Meter, interleaved, run
from ..report import Line, memory, rate, speed_ratio
from ..setting import Setting
from .export import write_archive
from .verify import verify_archive

_WANTED = {"sqlite": "≥ 0.5", "csv": "≥ 0.5", "json": "≥ 0.5"}
_MOST_MEMORY = "≤ 200 MB"
_PROSE = ("sqlite", "csv", "json", "parquet", "markdown")
"""Formats that hold notes; of the others the usual account is measured."""
_SLOW = frozenset({"markdown", "folder"})
"""Of many files: measured once."""
_FORMATS = tuple(name for name in FORMATS if name != "files")
"""All but the one that copies files, which the account has none of."""


def measure(setting: Setting) -> list[Line]:
    """The formats that hold everything over rows of 3 kB, then all formats over all tables; the way back."""
    lines = _measure(setting, setting.data(prose(setting.rows)).folder, setting.rows, "", _PROSE)
    everything = in_a_mirror(everyday(setting.rows // 10))
    lines += _measure(setting, setting.data(everything).folder, everything.rows, ", all tables", _FORMATS)
    return lines


def _measure(setting: Setting, folder: str, rows: int, what: str, formats: tuple[str, ...]) -> list[Line]:
    archive, target = setting.scratch / "convert.mana", setting.scratch / "converted"
    run(write_archive, folder=folder, target=str(archive), strict=False)
    verify = partial(run, verify_archive, archive=str(archive))
    jobs: dict[str, Callable[[], Measurement]] = {}
    for name in formats:
        job = partial(run, convert_archive, archive=str(archive), target=str(target), to=name)
        jobs[name] = job
        if name == "sqlite":
            jobs["sqlite --no-index"] = partial(job, index=False)
            jobs["back"] = partial(run, convert_back, archive=str(archive), target=str(target))
    lines = []
    for rounds, names in ((setting.rounds, jobs.keys() - _SLOW), (1, jobs.keys() & _SLOW)):
        chosen = {name: job for name, job in jobs.items() if name in names}
        results = interleaved(rounds, {"verify": verify, **chosen})
        yardstick = results.pop("verify")
        for name, found in results.items():
            called = "convert, of a database to mana" if name == "back" else f"convert --to {name}"
            told = f"verify {rate(yardstick, rows, 'rows')}"
            wanted = _WANTED.get(name, "") if not what else ""
            lines.append(Line(called + what, rate(found, rows, "rows"), told, speed_ratio(found, yardstick), wanted))
            lines.append(Line(f"{called}{what}, memory", memory(found), "", "", _MOST_MEMORY))
    return lines


def convert_archive(meter: Meter, *, archive: str, target: str, to: str, index: bool = True) -> dict[str, Any]:
    """What ``convert`` does once it knows what is wanted. What is made is gone afterwards."""
    output = Path(target)
    try:
        with meter:
            result = convert_to(Path(archive), to, output, options=ConvertOptions(index=index))
        if not result.rows:
            raise BrokenOutputError(f"{archive} has no rows")
        return {"rows": result.rows}
    finally:
        _remove(output)


def convert_back(meter: Meter, *, archive: str, target: str) -> dict[str, Any]:
    """From a database the archive again."""
    database, output = Path(f"{target}.sqlite"), Path(f"{target}.mana")
    try:
        options = ConvertOptions(index=False, include_secrets=True)
        convert_to(Path(archive), "sqlite", database, options=options)
        with meter:
            returned = from_database(database, output)
        if not returned.same:
            raise BrokenOutputError("the archive that was made of a database has another content")
        return {"rows": returned.archive.rows}
    finally:
        _remove(database)
        _remove(output)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
