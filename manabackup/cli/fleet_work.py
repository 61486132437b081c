"""What a fleet's worker does: a command of this program, whose results become numbers, names and sums."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ..about import __version__
from ..errors import JSONTextError
from ..host.secret_sources import SecretReader
from ..operations.fleet import Outcome, serve_standard_streams, unwired
from ..text import jsontext
from ..text.printable import one_line
from .execution import execute
from .frame import program
from .run import Run

_MOST_READ = 64 << 20
"""Bytes of a command's result that are looked at."""
_LONGEST = 500
_COUNTED = ("losses", "leftBehind")
"""Members of results that count by kind."""


class FleetWork:
    """From a command line, as it comes over a pipe, to its outcome. ``secrets`` has what was read already."""

    def __init__(self, secrets: SecretReader) -> None:
        self._secrets = secrets
        self._program = program()

    def __call__(self, order: Sequence[str]) -> dict[str, Any]:
        """In the process of one order, whose outputs are the command's until it has ended."""
        run = Run(os.environ, self._secrets.copy())
        with _captured() as out:
            code = execute([*unwired(order[:1]), "--json", "--quiet", *unwired(order[1:])], self._program, run=run)
            out.seek(0)
            record = _record(out.read(_MOST_READ))
        error = run.error
        return Outcome(
            exit_code=code,
            error=None if error is None else error.page,
            message="" if error is None else one_line(error.message, _LONGEST),
            rows=_number(record.get("rows")),
            data_sha256=_text(record.get("dataSha256")),
            losses=_losses(record),
            version=__version__,
        ).to_json()


def main() -> None:
    """A worker of a cluster's worker: orders come by the standard input, replies go to the standard output."""
    serve_standard_streams(FleetWork(SecretReader()), memory=int(sys.argv[1]) if len(sys.argv) > 1 else None)


@contextmanager
def _captured() -> Iterator[IO[bytes]]:
    """The standard output goes into memory, where there is such a file, and words go nowhere: the error is kept."""
    with _memory_file() as out, Path(os.devnull).open("wb") as nowhere:
        os.dup2(out.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 # the process ends with it
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
        yield out


def _memory_file() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("result"), "w+b")
    return tempfile.TemporaryFile()


def _record(content: bytes) -> dict[str, Any]:
    """The object that a command printed; of those that are given several files, that of the one."""
    try:
        found = jsontext.parse(content) if content else {}
    except JSONTextError:
        return {}
    if isinstance(found, dict) and isinstance(found.get("files"), list) and len(found["files"]) == 1:
        found = found["files"][0]
    return found if isinstance(found, dict) else {}


def _losses(record: dict[str, Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    completeness = record.get("completeness")
    for members in (record, completeness if isinstance(completeness, dict) else {}):
        for name in _COUNTED:
            kinds = members.get(name)
            if isinstance(kinds, dict):
                counted |= {str(kind): count for kind, count in kinds.items() if type(count) is int}
    left_out = record.get("leftOut")
    if type(record.get("losses")) is int and record["losses"] and isinstance(left_out, dict):
        counted["leftOut"] = record["losses"]
    for problem in record.get("problems") or ():
        code = str(problem.get("code"))
        counted[code] = counted.get(code, 0) + 1
    for name in ("refused", "notAsPlanned"):
        if record.get(name):
            counted[name] = int(record[name])
    differences = record.get("differences")
    if isinstance(differences, dict) and differences:
        counted["differing"] = sum(
            table.get(kind, 0) for table in differences.values() for kind in ("added", "removed", "changed")
        )
    return counted


def _number(value: Any) -> int | None:
    if isinstance(value, dict):
        return sum(count for count in value.values() if type(count) is int)
    return value if type(value) is int else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


if __name__ == "__main__":
    main()
