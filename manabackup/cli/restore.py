"""``restore``: an archive's rows back into an account."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..operations.archives import Archive, open_of_mana
from ..operations.restore.decision import Fault, OnConflict, Reason, RowAction
from ..operations.restore.files import FileTarget, configured_target
from ..operations.restore.from_archive import RestoreOrder
from ..operations.restore.plan import RestorePlan
from ..operations.restore.restoring import restore as restore_archive
from ..operations.restore.result import RestoreResult
from ..operations.restore.target_account import TargetAccount, target_account
from ..text.printable import counted, one_line, printable
from .access import target_access
from .archives import weak_kdf_option
from .file_options import target_file_settings
from .files import archive_argument, located
from .frame import command, secret_options, strict_option, target_options
from .memory import share_one_heap
from .passphrases import Passphrases
from .restoring import (
    FAULTS,
    MEANINGS,
    STEPS,
    ask_for_yes,
    file_lines,
    lost_files,
    plan_table,
    tell_refused,
    tell_skipped,
    warn_of_devices,
    words_for,
)
from .run import Exit, Run, outcome

if TYPE_CHECKING:
    from ..remote.connection import Connection


@command("restore")
@secret_options("passphrase", "key", "recovery-code", "token")
@target_options()
@target_file_settings
@click.option(
    "--on-conflict",
    type=click.Choice([mode.value for mode in OnConflict]),
    default=OnConflict.OVERWRITE.value,
    show_default=True,
    help="What happens to a row that the target holds differently.",
)
@click.option("--app", "apps", multiple=True, metavar="APP", help="Only this app. May be given several times.")
@click.option("--table", "tables", multiple=True, metavar="TABLE", help="Only this table. May be given several times.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this row. May be given several times.")
@click.option(
    "--space",
    "spaces",
    multiple=True,
    metavar="SPACE",
    help="Only rows of this space of the archive: an id, #n, or `personal`, which includes settings.",
)
@click.option(
    "--map-space",
    "map_space",
    multiple=True,
    metavar="OLD=NEW",
    help="Rows of the archive's space OLD (an id, #n, `personal`) go to the target's space NEW (an id, `personal`).",
)
@click.option("--personal-space", metavar="ID", help="The target's personal space, where a token cannot tell.")
@click.option("--shared-into-personal", is_flag=True, help="Rows of all other spaces go to the personal one.")
@click.option(
    "--shared-plaintext", is_flag=True, help="Store rows in a shared space so that its members can read them."
)
@click.option("--yes-private", is_flag=True, help="Also rows that are marked as private.")
@click.option(
    "--yes-space", is_flag=True, help="Do not ask about a space of which nothing tells that it is the target's."
)
@click.option("--include-deleted", is_flag=True, help="Also rows in the bin, into the bin.")
@click.option("--replace-ai", is_flag=True, help="Also replace rows of `ai` where that is needed.")
@click.option(
    "--repair",
    is_flag=True,
    help="Also write equal rows of which a device that signs in afresh shows something else.",
)
@click.option(
    "--files",
    "with_files",
    is_flag=True,
    help="Also send pictures, documents and songs that the target's server does not have.",
)
@click.option("--keep-visibility", is_flag=True, help="Leave rows public or unlisted, with their links.")
@click.option("--in-clear", is_flag=True, help="Store private fields in clear in an account that has no key.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the target's key is another one than before.")
@click.option("--dry-run", is_flag=True, help="Show the plan and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask whether this is the right account.")
@click.option(
    "--resume/--no-resume", default=True, show_default=True, help="Go on with a restore that did not come to its end."
)
@weak_kdf_option
@strict_option
@archive_argument("file")
def restore(
    run: Run,
    /,
    file: str,
    on_conflict: str,
    personal_space: str | None,
    yes_private: bool,
    yes_space: bool,
    accept_new_key: bool,
    dry_run: bool,
    yes: bool,
    resume: bool,
    with_files: bool,
    allow_weak_kdf: bool,
    strict: bool,
    **asked: Any,
) -> Exit:
    """Put an archive's rows back into an account.

    The target is read first, and the plan is shown: nothing is sent before you have seen it and said yes. What the
    archive does not hold is never touched. A restore that was interrupted goes on when the same command is given again.
    Afterwards the account is read once more and held against the plan.

    The target is the account that --to-profile or --to-token-file names, else the one that is signed in.
    """
    share_one_heap()
    order = RestoreOrder(on_conflict=OnConflict(on_conflict), private_into_shared=yes_private, **asked)
    access = target_access(run, own_key=True)
    everything = run.settings.verbosity > 0
    with (
        Passphrases(run).opening(file, partial(open_of_mana, located(file), allow_weak_kdf=allow_weak_kdf)) as archive,
        access.connect() as connection,
        _files(run, connection, asked=with_files) as files,
    ):
        # For an encrypted archive nobody is asked for a key, unless references in it are to be led anew.
        needed = archive.manifest.fields_plaintext or with_files
        key = access.key_to_write_with(connection, needed=needed, accept_new_key=accept_new_key)
        known = None if key is not None or accept_new_key else access.known_fingerprint(connection)
        target = target_account(connection, key, personal_space=personal_space, known_fingerprint=known)
        _warn_of_stand_in(run, target)
        with run.state.lock(), run.terminal.progress(STEPS) as bars:

            def confirm(plan: RestorePlan) -> bool:
                bars.rest()
                if plan.resumed:
                    run.terminal.note("going on with a restore that did not come to its end")
                for line in _plan_lines(plan, target, archive, everything=everything):  # it stands before the question
                    run.terminal.note(line)
                warn_of_devices(run, plan)
                _warn_of_spaces(run, plan)
                if plan.planned and not plan.count(RowAction.CONFLICT):
                    if plan.unconfirmed_spaces and not yes_space:
                        ask_for_yes(_question(plan, target, archive), what="space", option="--yes-space")
                    elif not yes:
                        ask_for_yes(_question(plan, target, archive))
                return True

            result = restore_archive(
                archive,
                target,
                run.state.restore_folder(connection.sync.base_url, connection.user_id),
                confirm=confirm,
                order=order,
                resume=resume,
                dry_run=dry_run,
                progress=bars,
                files=files,
            )
        if dry_run:
            lines = _plan_lines(result.plan, target, archive, everything=everything)
            run.terminal.result(result.to_json(), [*lines, "nothing was sent (--dry-run)"])
            warn_of_devices(run, result.plan)
            _warn_of_spaces(run, result.plan)
        else:
            tell_skipped(run, result)
            tell_refused(run, result)
            for line in lost_files(result.plan, everything=everything):
                run.terminal.warning(line)
            run.terminal.result(result.to_json(), _lines(result))
    return outcome(losses=result.losses, notices=result.plan.typed_over, strict=strict)


@contextmanager
def _files(run: Run, connection: Connection, *, asked: bool) -> Iterator[FileTarget | None]:
    """Where files go, if they are to go anywhere."""
    if not asked:
        yield None
        return
    with configured_target(run.settings.target, connection.tokens) as target:
        yield target


def _warn_of_stand_in(run: Run, target: TargetAccount) -> None:
    if not target.knows_personal_space:
        run.terminal.warning(
            "the target's personal space is not known: rows go to its stand-in, and show in every space until the "
            "app is started again (sign in with `manabackup login`, or give --personal-space)"
        )


def _warn_of_spaces(run: Run, plan: RestorePlan) -> None:
    """Where rows would be shown to nobody, if the space is not the right one."""
    if not plan.unconfirmed_spaces:
        return
    spaces = ", ".join(
        f"{printable(space)} ({counted(rows, 'row')})" for space, rows in plan.unconfirmed_spaces.items()
    )
    seen = f"; its rows are in {', '.join(map(printable, plan.seen_spaces))}" if plan.seen_spaces else ""
    run.terminal.warning(
        f"nothing tells that the target is a member of the space that rows go to: {spaces}. An access token does not, "
        f"and no app has written anything there (what a restore wrote tells nothing){seen}. "
        "In a space that is none of its own no device shows them. "
        "`manabackup login` tells which spaces it has"
    )


# --- words ------------------------------------------------------------------------------------------------------------


def _key_words(target: TargetAccount, archive: Archive) -> str:
    if target.cipher is not None:
        return f"key {target.cipher.fingerprint}"
    if not target.has_vault:
        return "no key"
    stated = archive.manifest.key_fingerprint
    if target.known_fingerprint is not None and stated is not None:
        return f"key {stated}, as this computer remembers it"
    return f"key not checked, the archive is encrypted under {stated}" if stated else "key not checked"


def _question(plan: RestorePlan, target: TargetAccount, archive: Archive) -> str:
    user = printable(target.connection.user_id)
    spaces = ", ".join(map(printable, plan.unconfirmed_spaces))
    account = f"account {user}, {_key_words(target, archive)}"
    files = f", and send {counted(plan.files.to_send, 'file')} to its server" if plan.files.to_send else ""
    elsewhere = f", and into space {spaces}" if spaces else ""
    return f"write {counted(plan.planned, 'row')} into {account}{files}{elsewhere}"


def _plan_lines(plan: RestorePlan, target: TargetAccount, archive: Archive, *, everything: bool) -> Iterator[str]:
    """The plan, for people; with ``everything`` single rows are named, too."""
    session = target.connection.session
    named = f" ({session.email})" if session is not None else ""
    yield f"target: account {target.connection.user_id}{named}, {_key_words(target, archive)}"
    yield from plan_table(plan)
    for reason, count in sorted(plan.reasons.items()):
        yield f"skipped: {counted(count, 'row')}: {MEANINGS[Reason(reason)]}"
    for space, count in sorted(plan.spaces.items()):
        yield f"  {count:,} of them in space {space}"
    yield from _repairs(plan, everything=everything)
    yield from file_lines(plan, everything=everything)
    if plan.left_out:
        yield f"left out: {plan.left_out:,} fields that the target's key does not open"
    if plan.withheld:
        fields = ", ".join(f"{name} {count:,}" for name, count in sorted(plan.withheld.items()))
        yield f"left behind: secrets and links of the account that the archive is from ({printable(fields)})"
    if target.compares_without_key:
        yield "compared without key: a private field counts as equal only where its ciphertext is the same"
    if plan.typed_over:
        yield f"{plan.typed_over:,} rows were typed by somebody since; a web app may offer to undo their restore"


def _repairs(plan: RestorePlan, *, everything: bool) -> Iterator[str]:
    """Equal rows of which a device that has never seen them shows something else."""
    if not plan.repairable:
        return
    yield (
        f"in need of repair: {counted(plan.repairable, 'row')} as in the archive, of which a device that signs in "
        f"afresh shows something else; "
        + (f"{plan.repaired:,} of them are written" if plan.repaired else "they stay as they are (--repair)")
    )
    for case in plan.repairable_cases if everything else ():
        names = "".join(f" {one_line(name)}" for name in case["fields"])
        yield f"  {one_line(case['table'])} {one_line(case['id'])}: {FAULTS[Fault(case['reason'])]}{names}"


def _lines(result: RestoreResult) -> Iterator[str]:
    plan = result.plan
    if result.verification is None:
        yield f"nothing to do: {plan.count(RowAction.UNCHANGED):,} rows are as in the archive"
        return
    said = words_for(result)
    repaired = f" ({result.repaired:,} of them repaired)" if result.repaired else ""
    sent = f"{counted(plan.files.sent, 'file')} sent and read back; " if plan.files.sent else ""
    yield (
        f"{sent}{result.inserted:,} inserted, {result.updated:,} updated{repaired}, "
        f"{plan.count(RowAction.UNCHANGED):,} unchanged, "
        f"{plan.count(RowAction.SKIPPED):,} skipped, {result.failed:,} refused; {said}"
    )
