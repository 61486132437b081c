"""``restore``: an archive's rows back into an account."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..archive.reader import Archive, open_archive
from ..crypto.fields import FieldCipher
from ..operations.account.key import KeyOrigin, ask_vault, open_vault
from ..operations.account.settings import TARGET
from ..operations.account.settings import Account as TargetSettings
from ..operations.restore.check import Verification
from ..operations.restore.job import Account, target_spaces
from ..operations.restore.plan import Fault, Kind, OnConflict, Reason
from ..operations.restore.report import Report
from ..operations.restore.result import Result
from ..operations.restore.run import Order, Restore
from ..remote.connection import Connection
from ..remote.vault import VaultClient
from ..text.printable import counted, one_line, printable
from .archives import weak_kdf_option
from .connection import connect, expect_zero_knowledge, target_account, tell_origin
from .files import archive_argument
from .frame import command, secret_options, strict_option, target_options
from .memory import share_one_heap
from .rekey import hold_against_known
from .restoring import FAULTS, MEANINGS, confirm, plan_table, tell_refused, warn_of_devices, words_for
from .run import Exit, Run, outcome


@command("restore")
@secret_options("passphrase", "key", "recovery-code", "token")
@target_options()
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
@click.option("--include-deleted", is_flag=True, help="Also rows in the bin, into the bin.")
@click.option("--replace-ai", is_flag=True, help="Also replace rows of `ai` where that is needed.")
@click.option(
    "--repair",
    is_flag=True,
    help="Also write equal rows of which a device that signs in afresh shows something else.",
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
    accept_new_key: bool,
    dry_run: bool,
    yes: bool,
    resume: bool,
    allow_weak_kdf: bool,
    strict: bool,
    **asked: Any,
) -> Exit:
    """Put an archive's rows back into an account.

    The target is read first, and the plan is shown: nothing is sent before you have seen it and said yes. What the
    archive does not hold is never touched. A restore that was interrupted goes on when the same command is given again.
    Afterwards the account is read once more and held against the plan.

    The target is the account that --to-profile or --to-token names, else the one that is signed in.
    """
    share_one_heap()
    order = Order(on_conflict=OnConflict(on_conflict), private_into_shared=yes_private, **asked)
    with (
        open_archive(Path(file), lambda: run.secret("passphrase"), allow_weak_kdf=allow_weak_kdf) as archive,
        _account(run, archive, personal_space, accept_new_key) as account,
    ):
        state = run.state
        folder = state.restore_folder(account.connection.sync.base_url, account.connection.user_id)
        rehearsal = folder.with_name(f"{folder.name}.dry")
        with state.lock():
            if dry_run:
                return _dry_run(run, archive, account, order, rehearsal, strict)
            shutil.rmtree(rehearsal, ignore_errors=True)  # of a dry run that was killed
            with Restore(archive, account, order, folder) as job:
                return _restore(run, job, account, archive, yes=yes, resume=resume, strict=strict)


def _dry_run(run: Run, archive: Archive, account: Account, order: Order, folder: Path, strict: bool) -> Exit:
    with Restore(archive, account, order, folder) as job:
        report = _plan(run, job)
    result = Result(report)
    everything = run.settings.verbosity > 0
    lines = [*_plan_lines(report, account, archive, everything=everything), "nothing was sent (--dry-run)"]
    run.terminal.result(_record(result, account, dry_run=True), lines)
    warn_of_devices(run, report)
    return outcome(losses=result.losses, notices=report.typed_over, strict=strict)


def _restore(
    run: Run, job: Restore, account: Account, archive: Archive, *, yes: bool, resume: bool, strict: bool
) -> Exit:
    if not resume:
        job.abandon()
    report = job.resumed()
    if report is not None:
        run.terminal.note("going on with a restore that did not come to its end")
    else:
        report = _plan(run, job)
    for line in _plan_lines(
        report, account, archive, everything=run.settings.verbosity > 0
    ):  # it stands before the question
        run.terminal.note(line)
    warn_of_devices(run, report)
    verification: Verification | None = None
    if report.planned or report.count(Kind.CONFLICT):
        if not yes and not report.count(Kind.CONFLICT):
            _confirm(report, account, archive)
        with run.terminal.progress("sending", unit="changes") as bar:
            job.push(bar.reach)
        with run.terminal.progress("verifying", unit="collections") as bar:
            verification = job.verify(lambda done, total, changes: bar.reach(done, total, f"{changes:,} changes"))
    result = job.result(verification)
    job.forget()
    tell_refused(run, result)
    run.terminal.result(_record(result, account, dry_run=False), _lines(result))
    return outcome(losses=result.losses, notices=report.typed_over, strict=strict)


# --- the account ------------------------------------------------------------------------------------------------------


@contextmanager
def _account(run: Run, archive: Archive, personal_space: str | None, accept_new_key: bool) -> Iterator[Account]:
    target = target_account(run)
    with connect(run, target) as connection:
        cipher, has_vault = _key(run, archive, connection, target, accept_new_key)
        spaces = target_spaces(connection, personal_space)
        if spaces.personal is None:
            run.terminal.warning(
                "the target's personal space is not known: rows go to its stand-in, and show in every space until the "
                "app is started again (sign in with `manabackup login`, or give --personal-space)"
            )
        yield Account(connection, spaces, cipher, has_vault)


def _key(
    run: Run, archive: Archive, connection: Connection, target: TargetSettings, accept_new_key: bool
) -> tuple[FieldCipher | None, bool]:
    """The target's key, and whether it has one. For an encrypted archive nobody is asked for it."""
    code = f"{TARGET}recovery-code"
    if not target.prefix and run.source(code) is None:
        code = "recovery-code"  # of the account that is signed in, which has one, whatever it is called here
    given = run.master_key(TARGET)
    if given is None and not target.prefix:
        given = run.master_key()
    needed = archive.manifest.fields_plaintext or given is not None or run.source(code) is not None
    if not needed and VaultClient(connection.auth, connection.tokens).status().zero_knowledge:
        return None, True
    key = open_vault(lambda: ask_vault(connection), master_key=given, recovery_code=lambda: run.secret(code))
    tell_origin(run, key)
    expect_zero_knowledge(run, key, code, accept_new_key)
    if key.cipher is not None:
        hold_against_known(run, connection, key.cipher, accept_new_key)
    return key.cipher, key.origin is not KeyOrigin.NONE


def _key_words(account: Account, archive: Archive) -> str:
    if account.cipher is not None:
        return f"key {account.cipher.fingerprint}"
    if not account.has_vault:
        return "no key"
    stated = archive.manifest.key_fingerprint
    return f"key not checked, the archive is encrypted under {stated}" if stated else "key not checked"


def _confirm(report: Report, account: Account, archive: Archive) -> None:
    user = printable(account.connection.user_id)
    confirm(f"write {report.planned:,} rows into account {user}, {_key_words(account, archive)}")


# --- words ------------------------------------------------------------------------------------------------------------


def _plan(run: Run, job: Restore) -> Report:
    with run.terminal.progress("reading the target", unit="collections") as reading:

        def read(done: int, total: int, changes: int) -> None:
            reading.reach(done, total, f"{changes:,} changes")

        return job.plan(pulling_progress=read)


def _plan_lines(report: Report, account: Account, archive: Archive, *, everything: bool) -> Iterator[str]:
    """The plan, for people; with ``everything`` single rows are named, too."""
    session = account.connection.session
    named = f" ({session.email})" if session is not None else ""
    yield f"target: account {account.connection.user_id}{named}, {_key_words(account, archive)}"
    yield from plan_table(report)
    for reason, count in sorted(report.reasons.items()):
        yield f"skipped: {count:,} rows: {MEANINGS[Reason(reason)]}"
    for space, count in sorted(report.spaces.items()):
        yield f"  {count:,} of them in space {space}"
    yield from _repairs(report, everything=everything)
    if report.left_out:
        yield f"left out: {report.left_out:,} fields that the target's key does not open"
    if report.withheld:
        fields = ", ".join(f"{name} {count:,}" for name, count in sorted(report.withheld.items()))
        yield f"left behind: secrets and links of the account that the archive is from ({printable(fields)})"
    if account.cipher is None and account.has_vault:
        yield "compared without key: a private field counts as equal only where its ciphertext is the same"
    if report.typed_over:
        yield f"{report.typed_over:,} rows were typed by somebody since; a web app may offer to undo their restore"


def _repairs(report: Report, *, everything: bool) -> Iterator[str]:
    """Equal rows of which a device that has never seen them shows something else."""
    if not report.repairable:
        return
    yield (
        f"in need of repair: {counted(report.repairable, 'row')} as in the archive, of which a device that signs in "
        f"afresh shows something else; "
        + (f"{report.repaired:,} of them are written" if report.repaired else "they stay as they are (--repair)")
    )
    for case in report.repairable_cases if everything else ():
        names = "".join(f" {one_line(name)}" for name in case["fields"])
        yield f"  {one_line(case['table'])} {one_line(case['id'])}: {FAULTS[Fault(case['reason'])]}{names}"


def _lines(result: Result) -> Iterator[str]:
    report = result.report
    if result.verification is None:
        yield f"nothing to do: {report.count(Kind.UNCHANGED):,} rows are as in the archive"
        return
    said = words_for(result)
    yield (
        f"{result.inserted:,} inserted, {result.updated:,} updated, {report.count(Kind.UNCHANGED):,} unchanged, "
        f"{report.count(Kind.SKIPPED):,} skipped, {result.failed:,} refused; {said}"
    )


def _record(result: Result, account: Account, *, dry_run: bool) -> dict[str, Any]:
    target = {
        "userId": account.connection.user_id,
        "keyFingerprint": account.cipher.fingerprint if account.cipher is not None else None,
        "personalSpace": account.spaces.home,
    }
    without_key = account.cipher is None and account.has_vault
    return {**result.to_json(dry_run=dry_run), "target": target, "comparedWithoutKey": without_key}
