"""``prune``: old archives go by rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, TypeVar

import click

from ..errors import DamagedArchiveError, OutputError, UsageError
from ..operations.places import folder as folder_at
from ..operations.places import span_of
from ..operations.progress import Step
from ..operations.prune import (
    A_DAY,
    UNLIMITED,
    Cleared,
    ClearPlan,
    Duration,
    Fate,
    Judged,
    Policy,
    Pruned,
    PrunePlan,
    Remnant,
    clear,
    plan_clear,
    plan_prune,
)
from ..operations.prune import prune as carry_out
from ..text.printable import counted, one_line, printable
from .ages import ago
from .frame import command, secret_options
from .prompts import ask
from .run import Run

_Function = TypeVar("_Function", bound=Callable[..., Any])
_RULES = {
    "last": "Keep the N newest.",
    "hourly": "Keep the newest of each of the last N hours in which there is one.",
    "daily": "The same by days.",
    "weekly": "By weeks, Monday to Sunday.",
    "monthly": "By months.",
    "yearly": "By years.",
}
_UNLIMITED = "unlimited"


def _number(context: click.Context, parameter: click.Parameter, value: str) -> int:
    if value == _UNLIMITED:
        return UNLIMITED
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise click.BadParameter(f"{printable(value[:64])} is neither a number nor `{_UNLIMITED}`", context, parameter)
    return int(value)


def keep_options(function: _Function) -> _Function:
    """The options ``--keep-…``."""
    function = click.option("--keep-within", metavar="SPAN", help="Keep all that are so much older, such as 30d.")(
        function
    )
    for name, summary in reversed(_RULES.items()):
        add = click.option(f"--keep-{name}", default="0", metavar="N", help=summary, callback=_number)
        function = add(function)
    return function


@command("prune")
@keep_options
@click.option("--unfinished", is_flag=True, help="Remove what killed runs left of archives that never appeared.")
@click.option("--older-than", metavar="SPAN", help="With --unfinished: sent so long ago, such as 12h; usually 1d.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and remove nothing.")
@click.option("--yes", is_flag=True, help="Remove without a question.")
@secret_options("passphrase")
@click.argument("folder", metavar="DIR")
def prune(
    run: Run,
    folder: str,
    unfinished: bool,
    older_than: str | None,
    dry_run: bool,
    yes: bool,
    keep_last: int,
    keep_hourly: int,
    keep_daily: int,
    keep_weekly: int,
    keep_monthly: int,
    keep_yearly: int,
    keep_within: str | None,
) -> None:
    """Remove old archives of a folder by rules. DIR may be an address, such as s3://BUCKET/PREFIX/.

    The rules are those of restic's `forget`: an archive stays when one of them keeps it; N may be `unlimited`, and a
    SPAN is written like 1y5m7d2h. Compared are archives of one account, of the same part of it; days are those of this
    computer's clock.

    What would go is shown first, and goes after a yes at the terminal or with --yes. What stays is read to its end
    before: a damaged archive is not counted, and not removed either. A file that is no archive of this program's is
    left alone, and so is one that was sealed with --private, unless its passphrase comes from one of the sources below.

    With --unfinished, and no rule, go uploads in parts of a bucket that nobody ended, and files that were to get an
    archive's name and did not. What something was sent of within the last day stays: a run may be sending it.
    """
    within = None if keep_within is None else Duration.parse(keep_within)
    policy = Policy(keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly, within)
    if unfinished and not policy.is_empty:
        raise UsageError("--unfinished and the rules (--keep-…) are two things", hint="run it twice")
    if unfinished:
        _clear(run, folder, older_than, dry_run=dry_run, yes=yes)
        return
    if older_than is not None:
        raise UsageError("--older-than goes with --unfinished", hint="--keep-within is a rule for archives")
    passphrase = (lambda: run.secret("passphrase")) if run.source("passphrase") is not None else None
    with run.terminal.progress({Step.PRUNE: "checking"}) as progress:
        found = plan_prune(folder_at(folder), policy, passphrase=passphrase, progress=progress)
    going = found.of(Fate.REMOVE)
    done = Pruned()
    if not run.terminal.json:
        run.terminal.result(None, _lines(found))
    if dry_run:
        run.terminal.note("nothing was removed (--dry-run)")
    elif going:
        size = sum(file.bytes for file in going)
        _confirm(run, f"{counted(len(going), 'archive')}, {size:,} bytes", yes=yes)
        done = carry_out(found)
    if run.terminal.json:
        run.terminal.result(found.to_json() | done.to_json())
    elif done.removed:
        run.terminal.result(None, [f"removed: {counted(len(done.removed), 'archive')}, {done.bytes:,} bytes"])
    _tell_failures(run, found, done)


def _clear(run: Run, folder: str, older_than: str | None, *, dry_run: bool, yes: bool) -> None:
    found = plan_clear(folder_at(folder), older_than=A_DAY if older_than is None else span_of(older_than))
    done = Cleared()
    if not run.terminal.json:
        run.terminal.result(None, _remnant_lines(found))
    if dry_run:
        run.terminal.note("nothing was removed (--dry-run)")
    elif found.going:
        size = sum(max(0, what.size) for what in found.going)
        _confirm(run, f"{counted(len(found.going), 'remnant')}, {size:,} bytes", yes=yes)
        done = clear(found)
    if run.terminal.json:
        run.terminal.result(found.to_json() | done.to_json())
    elif done.removed:
        run.terminal.result(None, [f"removed: {counted(len(done.removed), 'remnant')}, {done.bytes:,} bytes"])
    for name, why in done.failed:
        run.terminal.warning(f"{one_line(name)} was not removed: {why}")
    if done.failed:
        raise OutputError(f"{counted(len(done.failed), 'remnant')} could not be removed")


def _remnant_lines(found: ClearPlan) -> Iterator[str]:
    if not found.remnants:
        yield f"nothing unfinished in {found.folder}"
    for remnant in found.remnants:
        yield f"  {remnant.decision.value:6}  {one_line(remnant.what.name, 68)}"
        yield f"          {', '.join(_about(remnant))}"


def _about(remnant: Remnant) -> Iterator[str]:
    what = remnant.what
    if what.size >= 0:
        yield f"{what.size:,} bytes"
    if what.age is not None:
        yield f"last sent {ago(what.age)}"
    if remnant.reason:
        yield remnant.reason


def _confirm(run: Run, what: str, *, yes: bool) -> None:
    if yes:
        return
    answer = None
    if not run.terminal.json:
        answer = ask(f"remove {what}? Type yes to go on")
    if answer is None:
        raise UsageError(
            "nobody is there to confirm it", hint="--yes removes what is marked so, --dry-run only shows it"
        )
    if answer.lower() not in ("y", "yes"):
        raise UsageError("not confirmed; nothing was removed")


def _lines(found: PrunePlan) -> Iterator[str]:
    width = max((len(printable(file.path.name)) for file in found.files), default=0)
    if not found.files:
        yield f"no archives in {found.folder}"
    for whose, files in groupby(found.files, key=_kind):
        yield whose
        for file in files:
            made = f"{file.at.astimezone():%Y-%m-%d %H:%M}" if file.at is not None else ""
            name = f"{printable(file.path.name):<{width}}"
            line = f"  {file.decision.value:6}  {name}  {made:16}  {', '.join(file.reasons)}"
            yield line.rstrip()


def _kind(file: Judged) -> str:
    if file.decision is Fate.LEAVE:
        return "left alone:"
    partial = "" if file.complete is not False else ", archives that lack something"
    return f"account {one_line(str(file.user_id))}, {one_line(str(file.scope))}{partial}:"


def _tell_failures(run: Run, found: PrunePlan, done: Pruned) -> None:
    for path, why in done.failed:
        run.terminal.warning(f"{path} was not removed: {why}")
    if done.failed:
        raise OutputError(f"{counted(len(done.failed), 'archive')} could not be removed")
    if found.damaged:
        names = ", ".join(printable(file.path.name) for file in found.damaged[:3])
        more = f" and {len(found.damaged) - 3} more" if len(found.damaged) > 3 else ""
        raise DamagedArchiveError(
            f"damaged: {names}{more}",
            hint="they were not counted and not removed; `manabackup verify` says what is wrong",
        )
