"""What all commands of ``fleet`` share: the options of the command that they run, the ledger, and how a run is told."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import errors
from ..errors import ManabackupError, UsageError
from ..host.secret_sources import SecretCommand, SecretFile, SecretReader
from ..operations.account.settings import TARGET
from ..operations.fleet import (
    DONE,
    PAUSES,
    Claimed,
    ClusterEngine,
    FleetSummary,
    Job,
    Ledger,
    Listed,
    LocalEngine,
    Scheduler,
    Worker,
    filled,
    filled_command,
    has_any,
    usable_cores,
)
from ..operations.fleet import run as run_items
from ..operations.progress import Step
from ..operations.prune import Duration
from ..text.jsontext import dumps
from ..text.printable import counted
from . import overview
from .files import STDOUT, is_address
from .fleet_words import lines
from .fleet_work import FleetWork
from .run import Exit, Run

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MIB = 1 << 20
_GLOBAL = frozenset(name.lstrip("-") for names, _, _ in overview.GLOBAL_OPTIONS for name in names)
_HANDED_ON = frozenset({"config", "profile", "state-dir"})
"""Global options that count for each item, too; the others say how this run is told."""
_WAIT = 600
"""Seconds for which an item's command waits for the state folder, which another item's may use."""
_PROGRAM = "manabackup.cli.fleet_work"
_COMMAND = "-command"
_ONLY_OPENING = frozenset(
    {*_HANDED_ON, "force", "passphrase-file", "passphrase-command", "token-file", "token-command"}
)
"""Options that change nothing about what is made of an item that opens."""


class Single:
    """The command that a fleet runs for each item, and its options as a fleet has them."""

    def __init__(self, command: click.Command, *, without: Sequence[str] = ()) -> None:
        assert command.name is not None
        self.name = command.name
        self._options = [
            option
            for option in command.params
            if isinstance(option, click.Option) and option.name not in without and not _is_global(option)
        ]

    def options(self, function: _Function) -> _Function:
        """Gives a function of a command these options, in their order."""
        parameters: list[click.Parameter] = function.__dict__.setdefault("__click_params__", [])
        parameters.extend(reversed(self._options))
        return function

    def words(self, given: dict[str, Any], flags: dict[str, Any]) -> list[tuple[str, str | None]]:
        """The options that were given, each with its value, None for a switch. ``given`` loses them."""
        words: list[tuple[str, str | None]] = [
            (name, str(value))
            for name, value in sorted(flags.items())
            if (name in _HANDED_ON or name not in _GLOBAL) and not isinstance(value, bool)
        ]
        for option in self._options:
            if not option.expose_value:
                continue
            assert option.name is not None
            value = given.pop(option.name)
            name = max(option.opts, key=len).lstrip("-")
            if option.is_flag:
                words += [(name, None)] if value else []
            elif isinstance(value, tuple):
                words += [(name, str(part)) for part in value]
            elif value is not None and value != option.default:
                words.append((name, str(value)))
        return words


def fleet_options(function: _Function) -> _Function:
    """The ledger, and how the work is shared out."""
    for option in reversed(
        (
            click.option("--ledger", required=True, metavar="FILE", help="What is done and what came of it; SQLite."),
            click.option(
                "--workers", type=click.IntRange(1, 256), metavar="N", help="Processes (default: one a core)."
            ),
            click.option("--again", is_flag=True, help="Also what is done and has not changed since."),
            click.option("--older-than", metavar="TIME", help="Also what was done longer ago than this, such as 30d."),
            click.option(
                "--retries",
                type=click.IntRange(0, 20),
                metavar="N",
                default=len(PAUSES),
                show_default=True,
                help="Attempts more where a server cannot be reached (14) or an output not be written (17).",
            ),
            click.option(
                "--item-timeout", type=click.IntRange(1), metavar="SECONDS", help="End what takes longer than this."
            ),
            click.option("--item-memory", type=click.IntRange(64), metavar="MIB", help="Memory that one item may use."),
            click.option("--scheduler", metavar="URL", help="Work on a Dask cluster: tls://HOST:PORT."),
            click.option("--tls-ca", metavar="FILE", help="Who signs the cluster's certificates, PEM."),
            click.option("--tls-cert", metavar="FILE", help="This computer's certificate for the cluster, PEM."),
            click.option("--tls-key", metavar="FILE", help="Its key, PEM."),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Items:
    """What a command is run over."""

    listed: Sequence[Listed]
    words: Callable[[Claimed], list[str]]
    """What names an item on the command line."""
    in_rounds: bool = False
    """Whether all are done again once all were."""
    by_own_settings: bool = False
    """Whether each has settings of its own, and is not opened by this run's."""


def run_fleet(
    run: Run, single: Single, items: Items, options: dict[str, Any], *, output: str | None = None
) -> Exit | None:
    """Runs a command over items, tells what came of it, and gives the exit code of all of them together."""
    context = click.get_current_context()
    words = single.words(options, context.meta.get(overview.FLAGS, {}))
    if output == STDOUT:
        raise UsageError("-o names places of files: the standard output is one for all")
    if options["scheduler"] is not None:  # there is another working folder there
        words = [(name, _absolute(name, value)) for name, value in words]
        if output is not None and not is_address(output):
            output = os.path.abspath(output)  # noqa: PTH100 # a pattern
    telling = [[name, value] for name, value in [*words, ("output", output)] if name not in _ONLY_OPENING]
    digest = "" if items.in_rounds else hashlib.sha256(dumps(telling)).hexdigest()[:16]
    job = Job(
        single.name,
        lambda item: [single.name, f"--wait={_WAIT}", *_for(words, item), *items.words(item)],
        told=[f"--{name}" if value is None else f"--{name}={value}" for name, value in words],
        output=output,
        retries=options["retries"],
    )
    with Ledger.to_write(Path(options["ledger"]), wait=run.settings.wait) as ledger:
        last = ledger.last_run()
        round_is_over = items.in_rounds and last is not None and last["ending"] == DONE
        with (
            _engine(run, words, options, own=not items.by_own_settings) as engine,
            _telling_what_is_left(run, ledger),
            run.terminal.progress({Step.FLEET: single.name}) as progress,
        ):
            run_items(
                ledger,
                (replace(item, stamp=f"{item.stamp}-{digest}") for item in items.listed),
                job,
                engine,
                again=options["again"] or round_is_over,
                older_than=_before(options["older_than"]),
                progress=progress,
            )
        found = FleetSummary.of(ledger)
    run.terminal.result(found.to_json(), lines(found))
    return _ending(found)


@contextmanager
def _telling_what_is_left(run: Run, ledger: Ledger) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        found = FleetSummary.of(ledger, most=0)
        run.terminal.note(f"{found.left:,} of {found.items:,} items are left; the same command goes on with them")
        raise


def _engine(
    run: Run, words: Sequence[tuple[str, str | None]], options: dict[str, Any], *, own: bool
) -> LocalEngine | ClusterEngine:
    """``own``: items are opened by this run's own settings, and not by settings of theirs."""
    memory = None if options["item_memory"] is None else options["item_memory"] * _MIB
    deadline = options["item_timeout"]
    tls = [None if options[name] is None else Path(options[name]) for name in ("tls_ca", "tls_cert", "tls_key")]
    if options["scheduler"] is not None:
        if options["workers"] is not None:
            raise UsageError("--workers is for this computer: a cluster has the workers that it has")
        scheduler = Scheduler(options["scheduler"], *tls)
        return ClusterEngine(scheduler, _PROGRAM, memory=memory, deadline=deadline, say=run.terminal.note)
    if any(tls):
        raise UsageError("--tls-ca, --tls-cert and --tls-key go with --scheduler")
    start = partial(Worker.forked, FleetWork(_known(run, words, own=own)), memory=memory)
    return LocalEngine(start, options["workers"] or usable_cores(), deadline=deadline)


def _before(span: str | None) -> float | None:
    return None if span is None else Duration.parse(span).before(datetime.now(UTC)).timestamp()


def _ending(told: FleetSummary) -> Exit | None:
    code = told.exit_code
    if code in (Exit.DONE, Exit.LOSSES, Exit.DIFFERENCES):
        return Exit(code)
    page = next((page for _, found, page in told.by_outcome if found == code), None)
    failing = sum(count for found, count in told.codes.items() if found not in (0, Exit.LOSSES, Exit.DIFFERENCES))
    hint = f"`manabackup fleet status {told.ledger}` names them"
    raise _kind(code, page)(f"{failing:,} of {counted(told.items, 'item')} did not pass", hint=hint)


def _kind(code: int, page: str | None) -> type[ManabackupError]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ManabackupError)]
    of_code = [kind for kind in kinds if kind.exit_code == code]
    return next((kind for kind in of_code if kind.page == page), of_code[0] if of_code else ManabackupError)


def _for(words: Sequence[tuple[str, str | None]], item: Claimed) -> list[str]:
    """The words for one item."""

    def value_of(name: str, value: str) -> str:
        fill = filled_command if name.endswith(_COMMAND) else filled
        return fill(value, item.name, item.folder)

    return [f"--{name}" if value is None else f"--{name}={value_of(name, value)}" for name, value in words]


def _absolute(name: str, value: str | None) -> str | None:
    is_path = value is not None and (name.endswith("-file") or name in ("config", "state-dir", "audit"))
    return os.path.abspath(value) if is_path and value is not None else value  # noqa: PTH100 # a pattern


def _known(run: Run, words: Sequence[tuple[str, str | None]], *, own: bool) -> SecretReader:
    """What is the same for all items and cannot be read, or should not be run, for each of them."""
    reader = run.secrets_read()
    each_its_own = {name.rpartition("-")[0] for name, value in words if value is not None and has_any(value)}
    for name in ("passphrase", "key", f"{TARGET}key", f"{TARGET}passphrase", "sync-dsn", "auth-dsn", "kek"):
        if name in each_its_own or not (own or any(given.startswith(f"{name}-") for given, _ in words)):
            continue
        source = run.source(name)
        if isinstance(source, SecretCommand) or (isinstance(source, SecretFile) and not source.can_be_read_again()):
            reader.content(source)
    return reader


def _is_global(option: click.Option) -> bool:
    return any(name.lstrip("-") in _GLOBAL for name in option.opts)
