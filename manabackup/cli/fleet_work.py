"""What a fleet's worker does: a command of this program, whose results become numbers, names and sums."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click

from ..about import __version__
from ..errors import JSONTextError
from ..host.secret_sources import SecretReader
from ..operations.account.settings import Settings, resolve
from ..operations.fleet import Outcome, serve_standard_streams, unwired
from ..text import jsontext
from ..text.printable import one_line
from . import overview
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
        self._understood = _Understood()
        self._captured: _Captured | None = None
        self._flags: Mapping[str, Any] = {}
        self._settings: Settings | None = None

    def __call__(self, order: Sequence[str]) -> dict[str, Any]:
        """In the process of one order, whose outputs are the command's until it has ended."""
        run = Run(os.environ, self._secrets.copy(), self._resolved)
        name, *words = unwired(order)
        self._captured = self._captured or _Captured()
        self._captured.begin()
        code = execute([name, "--json", "--quiet", *words], run=run, understood=self._understood)
        record = _record(self._captured.end())
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

    def _resolved(self, flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
        """What options like those of the order before say: read once, for as long as this process does orders."""
        if self._settings is None or flags != self._flags:
            self._settings, self._flags = resolve(flags, environ), dict(flags)
        return self._settings


class _Understood:
    """What command lines are worth, one after the other: one that says the same of another archive is not parsed again.

    Parsing takes longer than some archives. Options of the program as a whole are each command's as well.
    """

    def __init__(self) -> None:
        self._program = program()
        self._same: list[str] = []
        self._last: click.Context | None = None
        """Of a command line that ends with ``--`` and the name of an archive."""

    def __call__(self, arguments: list[str], run: Run) -> click.Context:
        """The context that the program itself would make of a command line that begins with a command's name."""
        *same, archive = arguments
        if self._last is None or same != self._same or not archive:
            return self._parsed(arguments, run)
        last = self._last
        found = click.Context(last.command, info_name=last.info_name, obj=run, **last.command.context_settings)
        found.meta[overview.FLAGS] = dict(last.meta[overview.FLAGS])
        found.params = {**last.params, **_argument(last.command, archive)}
        for name in found.params:
            if (source := last.get_parameter_source(name)) is not None:
                found.set_parameter_source(name, source)
        return found

    def _parsed(self, arguments: list[str], run: Run) -> click.Context:
        name, *words = arguments
        command = self._program.get_command(click.Context(self._program), name)
        assert command is not None
        found = command.make_context(f"{overview.PROGRAM} {name}", list(words), obj=run)
        *self._same, archive = arguments
        again = self._same[-1] == "--" and _argument(command, archive).items() <= found.params.items()
        self._last = found if again else None
        return found


def _argument(command: click.Command, value: str) -> dict[str, Any]:
    """The one argument that a command takes, as it hands on the one that was given."""
    found = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    return {str(one.name): value if one.nargs == 1 else (value,) for one in found}


def main() -> None:
    """A worker of a cluster's worker: orders come by the standard input, replies go to the standard output."""
    serve_standard_streams(FleetWork(SecretReader()), memory=int(sys.argv[1]) if len(sys.argv) > 1 else None)


class _Captured:
    """The standard output goes into memory, where there is such a file, and words go nowhere: the error is kept.

    For good: the process ends with it.
    """

    def __init__(self) -> None:
        self._out = _memory_file()
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(self._out.fileno(), 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115

    def begin(self) -> None:
        """Nothing is there yet, and the streams are as they are at a command's beginning."""
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 # what the one before held is written
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.ftruncate(1, 0)
        os.lseek(1, 0, os.SEEK_SET)

    def end(self) -> bytes:
        """What was written, as far as it is looked at."""
        return os.pread(self._out.fileno(), _MOST_READ, 0)


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
