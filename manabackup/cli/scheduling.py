"""``schedule install``, ``status``, ``run``, ``remove``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from click.core import ParameterSource

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.account.settings import AUTH_URL, SECRETS, SYNC_URL, TEXTS
from ..operations.prune import Duration, Policy
from ..operations.schedule import (
    COMMANDS,
    DEFAULT_NAME,
    MANAGERS,
    WEEKDAYS,
    Order,
    PlannedInstallation,
    RunRecord,
    Schedule,
    ScheduleStatus,
    ScheduleStore,
    SecretKind,
    SecretPlace,
    When,
    error_of,
    is_due,
    machine_zone,
)
from ..operations.schedule import check_name as check
from ..operations.schedule import install as install_schedule
from ..operations.schedule import plan as plan_schedule
from ..operations.schedule import remove as remove_schedule
from ..operations.schedule import run as run_schedule
from ..operations.schedule import status as schedules
from ..text.printable import counted, one_line, printable
from .ages import age
from .files import is_address
from .frame import command, program
from .overview import PROGRAM
from .prompts import ask
from .prune import keep_options
from .run import Exit, Run
from .this_program import secret_places, this_program

_PATHS = frozenset({"output", "config", "state-dir"})
_SETTINGS = tuple(name for name in TEXTS if name != "state-dir")
"""What a run would miss if only this shell's environment says it."""
_NEEDED = {"passphrase": "--seal"}
_name_option = click.option(
    "--name", default=DEFAULT_NAME, metavar="NAME", show_default=True, help="What the schedule is called."
)


@command("install")
@_name_option
@click.option("--at", default="03:00", metavar="HH:MM", show_default=True, help="When, by this computer's clock.")
@click.option("--every", type=click.Choice(["day", "week"]), default="day", show_default=True, help="How often.")
@click.option("--on", "weekday", type=click.Choice(WEEKDAYS), default="Sun", show_default=True, help="Of --every week.")
@click.option("--with", "manager", type=click.Choice(list(MANAGERS)), help="What starts it; by default what is there.")
@keep_options
@click.option("--ping-url-file", metavar="FILE", help="File with the address of a watcher that is told of every run.")
@click.option("--on-failure", metavar="CMD", help="Command that gets words about a failed run on its standard input.")
@click.option("--no-notification", is_flag=True, help="Show no failed run on the desktop.")
@click.option("--dry-run", is_flag=True, help="Show what would be written and run, and do nothing.")
@click.option("--yes", is_flag=True, help="Install without a question.")
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...")
def install(
    run: Run,
    name: str,
    at: str,
    every: str,
    weekday: str,
    manager: str | None,
    keep_within: str | None,
    ping_url_file: str | None,
    on_failure: str | None,
    no_notification: bool,
    dry_run: bool,
    yes: bool,
    keep_last: int,
    keep_hourly: int,
    keep_daily: int,
    keep_weekly: int,
    keep_monthly: int,
    keep_yearly: int,
    words: tuple[str, ...],
) -> None:
    """Let the computer run `export` or `pull` every day or week.

    The command stands behind `--`, as it would be typed. {date} in the archive's name is the day of each run. What is
    written and run for it is shown first, and done after a yes at the terminal or with --yes.

    A run that the computer slept through is made up. Before a run the disk is looked at; a server that does not answer
    is asked again for an hour; the new archive is verified, and with --keep-... old ones go as with `prune`. A run that
    fails is told of on the desktop, to --on-failure, to the watcher, and by `schedule status`.

    No secret stands in what is written: files and commands that give them do. A passphrase that is typed in here, or
    that comes from the environment, is kept as a credential of systemd, encrypted where it can be, else in a file that
    you alone can read.
    """
    parsed = _Parsed(run, words)
    within = None if keep_within is None else Duration.parse(keep_within)
    wanted = Schedule(
        name=check(name),
        words=parsed.words,
        when=When.parse(at, every, weekday),
        program=this_program(),
        state_dir=str(run.state.root.absolute()),
        secrets=parsed.secrets,
        environment=parsed.environment,
        keep=Policy(keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly, within).options,
        ping_file=None if ping_url_file is None else str(Path(ping_url_file).absolute()),
        on_failure=on_failure,
        notify=not no_notification,
    )
    # What is to be kept is named in the plan, and asked for when somebody has said yes to it.
    planned = plan_schedule(Order(wanted, parsed.held(ask=False), manager), run.state)
    if not run.terminal.json:
        run.terminal.result(None, planned.shown())
    for note in planned.notes:
        run.terminal.note(note)
    installed = not dry_run and _confirmed(run, yes=yes)
    if installed:
        install_schedule(planned, run.state, held=parsed.held(ask=True))
    _tell(run, planned, installed=installed)


@command("status")
def status(run: Run) -> Exit:
    """Show schedules: when they ran last and how, when next, and whether one is overdue.

    A schedule is overdue when no run has done its work two hours after the last one was due. Then, after a run that
    failed, and where something keeps a schedule from running, the exit code is 4.
    """
    found = schedules(run.state, zone=machine_zone())
    run.terminal.result({"schedules": [each.to_json() for each in found]}, _status_lines(found))
    return Exit.DONE if all(each.well for each in found) else Exit.DIFFERENCES


@command("run")
@click.option("--if-due", is_flag=True, help="Only if its hour has come since the last run.")
@click.argument("name", default=DEFAULT_NAME)
def run(run: Run, name: str, if_due: bool) -> Exit | None:
    """Run a schedule now, as the computer does.

    The exit code is that of the command, of the verification behind it, or of what failed before. How it ended is what
    `schedule status` shows from now on.
    """
    store = ScheduleStore(run.state, check(name))
    schedule = store.load()
    zone = machine_zone()
    if if_due and not is_due(schedule, store, now=datetime.now(UTC), zone=zone):
        run.terminal.detail("not due")
        return None
    record = run_schedule(schedule, store, zone=zone, say=run.terminal.note)
    run.terminal.result(record.to_json(), _run_lines(record))
    if not record.good:
        raise error_of(record)
    return Exit.LOSSES if record.exit_code else Exit.DONE


@command("remove")
@click.argument("name", default=DEFAULT_NAME)
def remove(run: Run, name: str) -> None:
    """Take a schedule away, with the secrets that were kept for it alone.

    Archives, the mirror and the session stay.
    """
    remove_schedule(run.state, name)
    run.terminal.result({"removed": name}, [f"{name}: removed; its archives stay"])


# --- the command behind -- --------------------------------------------------------------------------------------------


class _Parsed:
    """The command that is to run, checked as when it is typed, with absolute paths and without its secrets."""

    def __init__(self, run: Run, words: Sequence[str]) -> None:
        self._run = run
        name, *rest = words[1:] if words[0] == PROGRAM and len(words) > 1 else words
        if name not in COMMANDS:
            raise UsageError(f"{one_line(name)} cannot be scheduled", hint=f"what can: {', '.join(COMMANDS)}")
        whole = program()
        parent = click.Context(whole, info_name="manabackup", obj=run)
        found = whole.get_command(parent, name)
        assert found is not None
        with found.make_context(name, list(rest), parent=parent) as context:
            self._given = [
                parameter
                for parameter in found.get_params(context)
                if parameter.name is not None
                and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
            ]
            parser = found.make_parser(context)
        self._values, _, _ = parser.parse_args(list(rest))
        if self._values.get("from_database") or self._values.get("dumps"):
            raise UsageError(
                "what reads databases cannot be scheduled here", hint="a timer of the server's own runs it as it is"
            )
        if name == "export" and self._values.get("output") is None:
            raise UsageError("missing option '-o'", hint="-o 'mana-{date}.mana' says where each archive goes")
        self.words = (name, *self._options())

    @property
    def secrets(self) -> dict[str, SecretPlace]:
        """Where each secret comes from that has a place: behind ``--``, else as the settings say."""
        found = secret_places(self._run, list(SECRETS))
        for parameter in self._given:
            option, value = _option(parameter), self._values[str(parameter.name)]
            name, _, kind = option.removeprefix("--").rpartition("-")
            if name in SECRETS and kind == "file":
                found[name] = SecretPlace(SecretKind.FILE, str(Path(value).absolute()))
            elif name in SECRETS and kind == "command":
                found[name] = SecretPlace(SecretKind.COMMAND, value)
        return {name: place for name, place in found.items() if self._takes(name)}

    def held(self, *, ask: bool) -> dict[str, bytes]:
        """Secrets that have no place yet: from the environment, and a passphrase that is to be asked for."""
        placed = self.secrets
        found: dict[str, bytes] = {}
        for name in SECRETS:
            value = os.environ.get(variable(name))
            if value and name not in placed and self._takes(name):
                found[name] = os.fsencode(value)
        for name, option in _NEEDED.items():
            if option in self.words and name not in placed and name not in found:
                found[name] = self._run.new_passphrase(name).encode() if ask else b""
        return found

    @property
    def environment(self) -> dict[str, str]:
        """Settings that a run would not find: those of this environment, and options before the command's name."""
        settings = self._run.settings
        found = {variable(name): os.environ[variable(name)] for name in _SETTINGS if os.environ.get(variable(name))}
        found[variable("profile")] = settings.account.profile
        for name, url, usual in (
            ("auth-url", settings.account.auth_url, AUTH_URL),
            ("sync-url", settings.account.sync_url, SYNC_URL),
        ):
            if url != usual:
                found[variable(name)] = url
        if settings.config_path.exists():
            found[variable("config")] = str(settings.config_path.absolute())
        return found

    def _takes(self, name: str) -> bool:
        """Whether the command has use for a secret."""
        if name == "passphrase":
            return "--seal" in self.words
        return name in ("token", "recovery-code", "key") and (self.words[0] == "export" or name == "token")

    def _options(self) -> Iterator[str]:
        for parameter in self._given:
            option, value = _option(parameter), self._values[str(parameter.name)]
            name, _, kind = option.removeprefix("--").rpartition("-")
            if name in SECRETS and kind in {"file", "command"}:
                continue
            if getattr(parameter, "is_flag", False):
                yield option
            elif getattr(parameter, "count", False):
                yield from [option] * int(value)
            else:
                for each in value if isinstance(value, list) else [value]:
                    path = option.removeprefix("--") in _PATHS and each != "-" and not is_address(str(each))
                    yield from (option, str(Path(each).absolute()) if path else str(each))


def _option(parameter: click.Parameter) -> str:
    return max(parameter.opts, key=len)


# --- words ------------------------------------------------------------------------------------------------------------


def _confirmed(run: Run, *, yes: bool) -> bool:
    if yes:
        return True
    answer = None if run.terminal.json else ask("install it? Type yes to go on")
    if answer is None:
        raise UsageError("nobody is there to confirm it", hint="--yes installs it, --dry-run only shows it")
    if answer.lower() not in ("y", "yes"):
        raise UsageError("not confirmed; nothing was done")
    return True


def _tell(run: Run, planned: PlannedInstallation, *, installed: bool) -> None:
    schedule = planned.schedule
    record = {
        "name": schedule.name,
        "installed": installed,
        "manager": schedule.manager,
        "when": str(schedule.when),
        "files": {str(path): text.decode() for path, text in planned.installation.files.items()},
        "crontab": planned.installation.added or None,
        "commands": [list(words) for words in planned.installation.commands],
    }
    if not installed:
        run.terminal.result(record)
        run.terminal.note("nothing was done (--dry-run)")
        return
    run.terminal.result(
        record, [f"{schedule.name}: {' '.join(schedule.words)}, {schedule.when}, by {schedule.manager}"]
    )
    run.terminal.note(f"try it now: manabackup schedule run {schedule.name}")


def _status_lines(found: Sequence[ScheduleStatus]) -> Iterator[str]:
    if not found:
        yield "nothing is scheduled"
    for each in found:
        schedule, last = each.schedule, each.last
        if schedule is not None:
            yield f"{each.name}: {printable(' '.join(schedule.words))}"
            yield f"{'when':>10}  {schedule.when}, by {schedule.manager}"
        else:
            yield f"{each.name}:"
        if each.problem is not None:
            yield f"{'problem':>10}  {one_line(each.problem)}"
        yield f"{'last run':>10}  {'never' if last is None else f'{age(last.started_at)}: {_outcome(last)}'}"
        if last is not None and not last.good and last.last_good_at is not None:
            yield f"{'last good':>10}  {age(last.last_good_at)}"
        if each.next_due is not None:
            yield f"{'next run':>10}  {each.next_due.astimezone():%a %Y-%m-%d %H:%M}"
        if each.overdue:
            yield f"{'OVERDUE':>10}  there should have been a good run by now"


def _outcome(record: RunRecord) -> str:
    if not record.good:
        return f"FAILED at {record.step}, exit code {record.exit_code}: {one_line(record.message)}"
    if record.archive is None:
        return "done"
    verified = ", verified" if record.verified else ""
    lacks = f", lacks {', '.join(record.losses)}" if record.exit_code else ""
    return f"{printable(record.archive)}, {record.bytes:,} bytes{verified}{lacks}"


def _run_lines(record: RunRecord) -> Iterator[str]:
    yield _outcome(record)
    if record.removed:
        yield f"removed: {counted(record.removed, 'old archive')}"
