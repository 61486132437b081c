"""``python -m benchmarks``: measures, and prints a table. Fails when something does wrong, never for being slow."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .cases import (
    compare,
    convert,
    databases,
    export,
    files,
    fleet,
    follow,
    operator,
    pull,
    seal,
    stages,
    startup,
    unchanged,
    verify,
    viewer,
)
from .measure import BrokenOutputError
from .report import Line, print_lines
from .setting import Setting

CASES: dict[str, Callable[[Setting], list[Line]]] = {
    "export": export.measure,
    "many": export.measure_many,
    "files": files.measure,
    "verify": verify.measure,
    "seal": seal.measure,
    "unchanged": unchanged.measure,
    "fleet": fleet.measure,
    "compare": compare.measure,
    "convert": convert.measure,
    "databases": databases.measure,
    "pull": pull.measure,
    "follow": follow.measure,
    "operator": operator.measure,
    "startup": startup.measure,
    "stages": stages.measure,
    "viewer": viewer.measure,
}
"""By the name that the command line takes, in the table's order."""
_FULL_ONLY = frozenset({"many"})


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 when something that was measured did not do its work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="less of everything, in less than a minute")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="a folder for the generated accounts, kept for next time"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"no case is called {', '.join(sorted(unknown))}")
    names = options.cases or [name for name in CASES if not (options.quick and name in _FULL_ONLY)]
    lines: list[Line] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="manabackup-benchmarks-") as scratch:
        cache = options.keep.resolve() if options.keep is not None else Path(scratch, "data")
        setting = Setting(cache, Path(scratch), options.quick)
        for name in names:
            print(f"measuring {name} …", file=sys.stderr, flush=True)
            try:
                lines += CASES[name](setting)
            except BrokenOutputError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed = True
    if lines:
        print_lines(lines)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
