"""``follow``: every change into the mirror within seconds, until somebody ends it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import click

from ..errors import UsageError
from ..host.secret_sources import variable
from ..operations.follow.events import FollowEvent, Happening
from ..operations.follow.exports import ExportCommand
from ..operations.follow.following import Follower
from ..operations.follow.record import FollowerPlace
from ..operations.follow.settings import FollowSettings, Surroundings
from ..operations.places import check_lock
from ..operations.progress import Step
from ..text.printable import counted, one_line, printable
from .access import account_access
from .backup import extra_app_option
from .files import STDOUT, retain_option
from .frame import command, secret_options
from .memory import share_one_heap
from .run import Exit, Run, outcome
from .this_program import secret_places, this_program

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LEAST_EXPORT, _LEAST_LOOK = 60.0, 10.0


def _span(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """Seconds."""
    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    if found is None:
        raise click.BadParameter(
            f"{printable(text[:64])} is not a span of time, such as 90s, 15m, 1h or 7d", context, parameter
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds()


@command("follow")
@secret_options("passphrase", "recovery-code", "key", "token")
@extra_app_option
@click.option(
    "--export-every", metavar="SPAN", callback=_span, help="Write an archive so often, such as 1h; at least 60s."
)
@click.option("--to", "output", metavar="FILE", help="Where archives go; {date} in its name is the day.")
@click.option("--force", is_flag=True, help="Let each archive take the place of the one before, without {date}.")
@retain_option
@click.option("--seal", is_flag=True, help="Encrypt archives under a passphrase.")
@click.option("--private", is_flag=True, help="With --seal: tell nothing outside the seal.")
@click.option("--files", is_flag=True, help="Also fetch the files that rows refer to, into archives.")
@click.option(
    "--look-every",
    metavar="SPAN",
    default="15m",
    show_default=True,
    callback=_span,
    help="Pull everything so often, whatever the server tells; at least 10s.",
)
@click.option("--for", "duration", metavar="SPAN", callback=_span, help="End by itself after so long, such as 8h.")
def follow(
    run: Run,
    extra_apps: tuple[str, ...],
    export_every: float | None,
    output: str | None,
    force: bool,
    retain: str | None,
    seal: bool,
    private: bool,
    files: bool,
    look_every: float,
    duration: float | None,
) -> Exit:
    """Keep the mirror up to date within seconds of every change, until interrupted.

    The server tells when another device writes, and that is pulled at once. What it does not tell of, such as what
    others write into shared spaces, is found by a whole pull every 15 minutes. A server that does not answer is waited
    for. The mirror is locked for pulls alone: `export` and `status` work beside it, and `status` says how far it is.

    With --export-every and --to an archive is written at the beginning and then so often, if anything has changed.
    `prune` removes old ones.
    """
    share_one_heap()
    if look_every < _LEAST_LOOK:
        raise UsageError("--look-every is at least 10s: a whole pull asks the server 200 questions")
    access = account_access(run)
    export = _export(run, export_every, output, retain, force=force, seal=seal, private=private, files=files)
    if export is not None:
        _check(run, export, force=force)
    settings = FollowSettings(
        look_every=look_every, duration=duration, export_every=export_every, extra_apps=extra_apps
    )
    with (
        access.connect() as connection,
        run.terminal.progress({Step.PULL: "pulling"}) as progress,
    ):
        place = FollowerPlace(run.state.follower_folder(connection.sync.base_url, connection.user_id))
        if export is not None:
            export = replace(export, check_account=lambda: access.expect_user(connection.user_id))
        with place.lock():
            follower = Follower(
                connection,
                lambda: access.mirror(connection),
                settings,
                Surroundings(keep=place.write, export=export, progress=progress),
            )
            _tell_all(run, follower)
    return outcome(losses=follower.chronicle.losses)


def _tell_all(run: Run, follower: Follower) -> None:
    """Tells what happens, and the sum of it at the end, however that comes."""
    happenings = follower.run()
    try:
        for happened in happenings:
            _tell(run, happened)
    except KeyboardInterrupt:  # how it usually ends
        run.terminal.detail("interrupted")
    finally:
        happenings.close()
        if follower.chronicle.looks:  # else it never began
            _tell(run, follower.summary())


def _export(
    run: Run, every: float | None, output: str | None, retain: str | None, *, force: bool, **options: bool
) -> ExportCommand | None:
    """The command that writes archives. Raises :class:`UsageError`."""
    if every is None or output is None:
        if output is not None or every is not None or any([force, retain, *options.values()]):
            raise UsageError("--export-every and --to go together, and what is said of archives goes with them")
        return None
    if every < _LEAST_EXPORT:
        raise UsageError("--export-every is at least 60s")
    if options["private"] and not options["seal"]:
        raise UsageError("--private goes with --seal")
    if output == STDOUT:
        raise UsageError("archives of a follower go into files", hint="--to mana-{date}.mana")
    if retain is not None:
        check_lock(output, retain)
    names = ["recovery-code", "key", "token", *(["passphrase"] if options["seal"] else [])]
    places = secret_places(run, names)
    environment = {}
    if options["seal"] and run.source("passphrase") is None:
        # Nobody is asked later. It goes where a shell could have put it, and is in no command line.
        environment[variable("passphrase")] = run.new_passphrase()
    return ExportCommand(
        program=(*this_program(), *_settings(run)),
        output=output,
        options=[
            *(f"--{name}" for name, given in options.items() if given),
            *([] if retain is None else ["--retain", retain]),
        ],
        secrets=places,
        environment=environment,
    )


def _check(run: Run, export: ExportCommand, *, force: bool) -> None:
    """Looks at where archives go. Raises what :meth:`ExportCommand.check` raises."""
    error = export.check(force=force)
    if error is not None:
        run.terminal.warning(
            f"NO ARCHIVE can be written now: {error.message}; it is tried again until the place answers, and "
            "`manabackup status` tells"
        )


def _settings(run: Run) -> Iterator[str]:
    """The options that lead another process of this program to the same account."""
    settings = run.settings
    if settings.config_path.exists():
        yield from ("--config", str(settings.config_path.absolute()))
    yield from ("--profile", settings.account.profile)
    yield from ("--state-dir", str(run.state.root.absolute()))
    yield from ("--auth-url", settings.account.auth_url)
    yield from ("--sync-url", settings.account.sync_url)


# --- words ------------------------------------------------------------------------------------------------------------


def _tell(run: Run, happened: FollowEvent) -> None:
    if run.terminal.json:
        run.terminal.result(happened.to_json())
    else:
        words = _words(happened.what, happened.facts, is_wordy=run.settings.verbosity > 0)
        if words is not None:
            run.terminal.result(None, [f"{happened.at.astimezone():%H:%M:%S}  {words}"])
    run.terminal.flush()  # whoever reads it waits for each line


def _words(what: Happening, facts: dict[str, Any], *, is_wordy: bool) -> str | None:
    """None for what only -v tells."""
    match what:
        case Happening.STARTED:
            held, streams = facts["held"], counted(facts["streams"], "stream")
            return f"started: {facts['new']:,} new changes, {held:,} in all; listening to {streams}"
        case Happening.PULLED:
            apps = ", ".join(map(one_line, facts["apps"]))
            return f"pulled: {counted(facts['new'], 'new change')} ({apps})" if facts["new"] or is_wordy else None
        case Happening.LOOKED:
            told = facts["new"] or is_wordy
            return f"pulled everything: {counted(facts['new'], 'new change')}" if told else None
        case Happening.CONNECTED:
            return f"listening to {one_line(facts['app'])}" if is_wordy else None
        case Happening.DISCONNECTED:
            reason = one_line(facts["reason"])
            if is_wordy:
                return f"not listening to {one_line(facts['app'])}: {reason}"
            return f"not listening: {reason}" if facts["streams"] == 0 else None
        case Happening.DELAYED:
            hint = f"; {one_line(facts['hint'])}" if facts["hint"] else ""
            return f"later, in {facts['retryIn']:.0f} s: {one_line(facts['reason'])}{hint}"
        case Happening.EXPORTED:
            lacks = f", lacks {', '.join(facts['losses'])}" if facts["losses"] else ""
            return f"exported: {printable(facts['archive'])}, {facts['bytes']:,} bytes, {facts['status']}{lacks}"
        case Happening.EXPORT_FAILED:
            return f"NOT EXPORTED, exit code {facts['exitCode']}: {one_line(facts['message'])}"
        case Happening.ENDED:
            archives = f", {counted(facts['exports'], 'archive')}" if facts["exports"] else ""
            return f"ended: {counted(facts['new'], 'new change')} in {counted(facts['pulls'], 'pull')}{archives}"
