"""``fleet verify``, ``roundtrip``, ``convert``, ``rekey``, ``report``: a command over many archives.

Each takes the options of the command that it runs, and hands them on as they are; in names of files and in commands for
secrets ``{folder}``, ``{stem}`` and ``{name}`` stand for the archive's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..errors import NotFoundError, UsageError
from ..operations.fleet import archives
from .archives import verify as verify_alone
from .convert import convert as convert_alone
from .fleet_options import Items, Single, fleet_options, run_fleet
from .frame import command
from .rekey import rekey as rekey_alone
from .report import report as report_alone
from .roundtrip import roundtrip as roundtrip_alone
from .run import Exit, Run


def _list_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--list", "lists", multiple=True, metavar="FILE", help="File with a path a line, from its folder on."
    )(function)


_output = click.option(
    "-o",
    "--output",
    required=True,
    metavar="PATTERN",
    help="Where each goes, with {folder}, {stem} or {name} of the archive in it.",
)
_archives = click.argument("places", nargs=-1, metavar="ARCHIVES...")


def _run(
    run: Run,
    single: Single,
    places: tuple[str, ...],
    lists: tuple[str, ...],
    options: dict[str, Any],
    output: str | None = None,
) -> Exit | None:
    if not places and not lists:
        raise UsageError("name archives: a folder, a pattern in quotes, or --list FILE")
    if not (found := archives(places, lists)):
        raise NotFoundError("the list names no archive")
    items = Items(found, lambda item: ["--", item.name])
    return run_fleet(run, single, items, options, output=output)


_VERIFY = Single(verify_alone)


@command("verify")
@_VERIFY.options
@fleet_options
@_list_option
@_archives
def verify(run: Run, places: tuple[str, ...], lists: tuple[str, ...], **options: Any) -> Exit | None:
    """Check many archives from the first byte to the last.

    ARCHIVES are folders (all below that end with .mana), patterns in quotes ('backups/**/*.mana'), or files. What the
    ledger has as done, and has not changed since, is not read again; --again and --older-than read it. Each archive is
    checked as `verify` does it, with the same options; in them {folder}, {stem} and {name} stand for the archive's.
    """
    return _run(run, _VERIFY, places, lists, options)


_ROUNDTRIP = Single(roundtrip_alone, without=("junit", "force"))


@command("roundtrip")
@_ROUNDTRIP.options
@fleet_options
@_list_option
@_archives
def roundtrip(run: Run, places: tuple[str, ...], lists: tuple[str, ...], **options: Any) -> Exit | None:
    """Try out whether many archives can be restored.

    As `fleet verify`, with `roundtrip` for each archive.
    """
    return _run(run, _ROUNDTRIP, places, lists, options)


_CONVERT = Single(convert_alone, without=("output",))


@command("convert")
@_CONVERT.options
@_output
@fleet_options
@_list_option
@_archives
def convert(run: Run, places: tuple[str, ...], lists: tuple[str, ...], output: str, **options: Any) -> Exit | None:
    """Make something that other programs and people read out of many archives.

    As `fleet verify`, with `convert` for each archive: -o 'notes/{folder}/{stem}' gives each its own place. What an
    archive that has changed was made into before is replaced with --force only.
    """
    return _run(run, _CONVERT, places, lists, options, output)


_REKEY = Single(rekey_alone, without=("output",))


@command("rekey")
@_REKEY.options
@_output
@fleet_options
@_list_option
@_archives
def rekey(run: Run, places: tuple[str, ...], lists: tuple[str, ...], output: str, **options: Any) -> Exit | None:
    """Encrypt many archives for another account.

    As `fleet verify`, with `rekey` for each archive: -o 'theirs/{stem}.mana' gives each its own place.
    """
    return _run(run, _REKEY, places, lists, options, output)


_REPORT = Single(report_alone, without=("output",))


@command("report")
@_REPORT.options
@_output
@fleet_options
@_list_option
@_archives
def report(run: Run, places: tuple[str, ...], lists: tuple[str, ...], output: str, **options: Any) -> Exit | None:
    """Report on many archives: what each is, whether it is whole, and how much is in it.

    As `fleet verify`, with `report` for each archive: -o 'reports/{stem}.html' gives each its own place.
    """
    return _run(run, _REPORT, places, lists, options, output)
