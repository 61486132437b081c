"""``audit``: what the server holds that should not be so, and private fields in clear encrypted where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from ..errors import UsageError, WrongKeyError
from ..host.output import AtomicFile
from ..mirror import Mirror
from ..operations.account.account_data import export_source
from ..operations.account.key import AccountKey, KeyOrigin
from ..operations.audit.findings import Finding, Severity
from ..operations.audit.run import Audit
from ..operations.audit.run import audit as look
from ..operations.audit.sarif import sarif as as_sarif
from ..operations.audit.vault import VaultState
from ..operations.restore.job import Account, target_spaces
from ..operations.restore.plan import Kind, Reason
from ..operations.restore.report import Report
from ..operations.restore.result import Result
from ..operations.restore.sealing import Sealing
from ..remote.connection import Connection
from ..remote.vault import VaultClient
from ..text import jsontext
from ..text.printable import counted, one_line, printable
from .backup import extra_app_option, known_user, open_mirror, pull_into, unlock_mirror
from .connection import connect, expect_zero_knowledge
from .files import report_file
from .frame import command, secret_options
from .memory import share_one_heap
from .restoring import MEANINGS, confirm, plan_table, tell_refused, warn_of_devices, words_for
from .run import Exit, Run

_SHOWN = 3
"""Cases of a kind that are shown; with ``-v`` all that are named."""
_TABLES = 8
_KEYLESS = AccountKey(None, KeyOrigin.NONE)
_MEMBERS = (
    *("planned", "updated", "skipped", "failed", "verified", "reasons", "leftOut", "replaced", "untimed"),
    *("differing", "edited", "overwritten"),
)
"""What ``fix`` has of a restore's record."""
_CLEAR = ("plaintextField", "plaintextUnknownSpace")
_LEFT = MEANINGS | {
    Reason.OTHER_SPACE: "were sent to a shared space as well, whose members have them",
    Reason.UNKNOWN_SPACE: "belong to a space of which nobody knows whether it is shared: sign in with `manabackup "
    "login`, which tells; or name your own space with --personal-space",
}


@dataclass(frozen=True, slots=True)
class _Fix:
    """What ``--fix-plaintext`` amounted to, or would."""

    result: Result
    account: Account
    dry_run: bool

    def to_json(self) -> dict[str, Any]:
        """The member ``fix`` of what ``--json`` prints."""
        record, cipher = self.result.to_json(dry_run=self.dry_run), self.account.cipher
        return {
            "dryRun": self.dry_run,
            **{name: record[name] for name in _MEMBERS},
            "notFixed": [*record["notRestored"], *record["leftOutCases"]],
            "target": {
                "userId": self.account.connection.user_id,
                "keyFingerprint": cipher.fingerprint if cipher is not None else None,
                "personalSpace": self.account.spaces.home,
            },
        }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the findings are to come from."""

    mirror: Mirror
    connection: Connection | None
    key: AccountKey
    vault: VaultState
    locked: bool


@command("audit")
@secret_options("recovery-code", "key", "token")
@extra_app_option
@click.option("--offline", is_flag=True, help="Use the mirror as it is; no server is asked.")
@click.option("--no-key", is_flag=True, help="Do without the key: what it would open is left out.")
@click.option("--full", is_flag=True, help="Read everything again, and find what the server lost or changed since.")
@click.option("--personal-space", metavar="ID", help="Your personal space, where a token cannot tell.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the account's key is another one than before.")
@click.option("--sarif", metavar="FILE", help="Also write the findings as SARIF 2.1.0.")
@click.option("--force", is_flag=True, help="Replace the SARIF file if it exists.")
@click.option("--fix-plaintext", is_flag=True, help="Encrypt, on the server, private fields that stand there in clear.")
@click.option("--dry-run", is_flag=True, help="With --fix-plaintext: show the plan and send nothing.")
@click.option("--yes", is_flag=True, help="With --fix-plaintext: do not ask whether this is the right account.")
@click.option("--replace-ai", is_flag=True, help="With --fix-plaintext: replace rows of `ai` where that is needed.")
@click.option(
    "--resume/--no-resume",
    default=True,
    show_default=True,
    help="With --fix-plaintext: go on with a run that did not come to its end.",
)
@click.option("--strict", is_flag=True, help="Let mere notes end with exit code 4 too.")
def audit(
    run: Run,
    offline: bool,
    no_key: bool,
    full: bool,
    extra_apps: tuple[str, ...],
    personal_space: str | None,
    accept_new_key: bool,
    sarif: str | None,
    force: bool,
    fix_plaintext: bool,
    dry_run: bool,
    yes: bool,
    replace_ai: bool,
    resume: bool,
    strict: bool,
) -> Exit:
    """Tell what the server holds that should not be so.

    Private fields in clear, fields that your key does not open, nonces and ciphertexts in two places, references that
    lead nowhere, times in the future, rows with two owners, what was lost or changed since, and the state of the vault.
    Exit code 4 when there are errors or warnings; mere notes are good to know.

    --fix-plaintext encrypts private fields that stand in clear, in your personal space and your settings: it shows what
    it is about to do, asks, sends, and reads the account again. Shared spaces are left as they are. The server's log
    keeps what stood there before.
    """
    share_one_heap()
    if fix_plaintext and (offline or no_key):
        raise UsageError("--fix-plaintext needs the servers and the key")
    if not fix_plaintext and (dry_run or yes or replace_ai or not resume):
        raise UsageError("--dry-run, --yes, --replace-ai and --no-resume go with --fix-plaintext")
    if full and offline:
        raise UsageError("--full reads from the servers, which --offline does without")
    if force and sarif is None:
        raise UsageError("--force goes with --sarif")
    if sarif is not None:
        report_file("--sarif", sarif, force=force)
    fix: _Fix | None = None
    with _place(run, offline, no_key, full, extra_apps, accept_new_key) as place:
        found = _look(run, place, personal_space)
        if fix_plaintext:
            fix = _fix(run, place, found, personal_space, accept_new_key, dry_run, yes, replace_ai, resume)
            if fix is not None and fix.result.verification is not None:
                assert place.connection is not None
                pull_into(run, place.connection, place.mirror, extra_apps=extra_apps)
                found = _look(run, place, personal_space)
    if sarif is not None:
        with AtomicFile(sarif, force=force) as file:
            file.write(jsontext.dumps(as_sarif(found)))
    _tell(run, found, fix)
    if fix is not None and (fix.result.overwritten or fix.result.report.reasons[Reason.EDITED_MEANWHILE]):
        return Exit.LOSSES
    if fix is not None and fix.result.losses:
        return Exit.DIFFERENCES
    return Exit.DONE if found.is_clean and not (strict and found.findings) else Exit.DIFFERENCES


@contextmanager
def _place(
    run: Run, offline: bool, no_key: bool, full: bool, extra_apps: tuple[str, ...], accept_new_key: bool
) -> Iterator[_Place]:
    """The mirror, brought up to date unless there is to be no server, and the key unless it is to be left aside."""
    if offline:
        with open_mirror(run, run.settings.account.sync_url, known_user(run), create=False) as mirror:
            if mirror.pulled_at is None:
                run.terminal.warning("the mirror was never pulled to its end: what is missing there is not looked at")
            vault = VaultState.remembered(mirror)
            locked = no_key and vault.mode != "none"
            key = _KEYLESS if no_key else unlock_mirror(run, mirror, None, accept_new_key)
            yield _Place(mirror, None, key, vault, locked)
        return
    with connect(run) as connection, open_mirror(run, connection.sync.base_url, connection.user_id) as mirror:
        vault = VaultState.of(VaultClient(connection.auth, connection.tokens).status())
        key = _KEYLESS if no_key else unlock_mirror(run, mirror, connection, accept_new_key)
        pull_into(run, connection, mirror, full=full, extra_apps=extra_apps)
        yield _Place(mirror, connection, key, vault, no_key and vault.mode != "none")


def _look(run: Run, place: _Place, personal_space: str | None) -> Audit:
    with (
        export_source(place.mirror, place.key, place.connection, account_data=False) as source,
        run.terminal.progress("auditing", unit="changes") as bar,
    ):
        return look(
            source,
            place.vault,
            locked=place.locked,
            personal_space=personal_space,
            scratch=place.mirror.path.parent,
            progress=bar.reach,
        )


# --- encrypting what stands in clear ----------------------------------------------------------------------------------


def _fix(
    run: Run,
    place: _Place,
    found: Audit,
    personal_space: str | None,
    accept_new_key: bool,
    dry_run: bool,
    yes: bool,
    replace_ai: bool,
    resume: bool,
) -> _Fix | None:
    """None when there is nothing to do."""
    connection = place.connection
    assert connection is not None
    _check_key(run, place.key, found, accept_new_key)
    spaces = target_spaces(connection, personal_space, unreadable=None)
    account = Account(connection, spaces, place.key.cipher)
    folder = run.state.restore_folder(connection.sync.base_url, connection.user_id)
    tables = [name for kind in _CLEAR if (finding := found.finding(kind)) for name in finding.tables]
    if dry_run:
        folder = folder.with_name(f"{folder.name}.dry")
    with Sealing(account, folder, replace_ai=replace_ai) as job:
        if not resume:
            job.abandon()
        report = job.resumed()
        if report is not None:
            run.terminal.note("going on with a run that did not come to its end")
        elif not tables and not job.overwritten:
            return None
        else:
            report = _plan(run, job, tables)
        if not dry_run:
            for line in _plan_lines(report, account):  # it stands before the question
                run.terminal.note(line)
        warn_of_devices(run, report)
        if dry_run:
            return _Fix(Result(report), account, dry_run=True)
        if not report.planned:
            return _Fix(job.result(None), account, dry_run=False)
        if not yes:
            confirm(f"encrypt {counted(report.planned, 'row')} of account {_target(account)}")
        with run.terminal.progress("sending", unit="changes") as bar:
            job.push(bar.reach)
        with run.terminal.progress("verifying", unit="collections") as bar:
            verification = job.verify(lambda done, total, changes: bar.reach(done, total, f"{changes:,} changes"))
        result = job.result(verification)
        job.forget()
    tell_refused(run, result)
    return _Fix(result, account, dry_run=False)


def _check_key(run: Run, key: AccountKey, found: Audit, accept_new_key: bool) -> None:
    """What is encrypted under a wrong key is lost."""
    if key.cipher is None:
        raise UsageError(
            "the account has no key, so that nothing can be encrypted",
            hint="sign in to the web app with it once, which makes a key",
        )
    expect_zero_knowledge(run, key, "recovery-code", accept_new_key)
    if key.origin is KeyOrigin.GIVEN and (not found.opened or found.own_unopened):
        raise WrongKeyError(
            "nothing shows that the key given is the account's: it does not open all of what is encrypted there",
            hint="do without --key-file: the vault of the account has the right one",
        )


def _plan(run: Run, job: Sealing, tables: list[str]) -> Report:
    with run.terminal.progress("reading the account", unit="collections") as reading:

        def read(done: int, total: int, changes: int) -> None:
            reading.reach(done, total, f"{changes:,} changes")

        return job.plan(tables, pulling_progress=read)


def _plan_lines(report: Report, account: Account) -> Iterator[str]:
    yield f"target: account {_target(account)}"
    yield from plan_table(report, (Kind.UPDATE, Kind.SKIPPED))
    for reason, count in sorted(report.reasons.items()):
        yield f"skipped: {count:,} rows: {_LEFT[Reason(reason)]}"
    if report.left_out:
        yield f"left: {counted(report.left_out, 'field')} that another version of the app may have encrypted"


def _target(account: Account) -> str:
    session, cipher = account.connection.session, account.cipher
    named = f" ({session.email})" if session is not None else ""
    assert cipher is not None
    return f"{printable(account.connection.user_id)}{named}, key {cipher.fingerprint}"


# --- words ------------------------------------------------------------------------------------------------------------


def _tell(run: Run, found: Audit, fix: _Fix | None) -> None:
    record = {**found.to_json(), "fix": fix.to_json() if fix is not None else None}
    run.terminal.result(record, _lines(found, fix, everything=run.settings.verbosity > 0))
    if found.pulled_at is not None:
        run.terminal.note(f"no server was asked: this is what it held at {found.pulled_at}")


def _lines(found: Audit, fix: _Fix | None, *, everything: bool) -> Iterator[str]:
    for finding in found.findings:
        yield from _finding(finding, everything=everything)
    if fix is not None and fix.dry_run:
        yield from _plan_lines(fix.result.report, fix.account)
        yield "nothing was sent (--dry-run)"
    elif fix is not None:
        said = "" if fix.result.verification is None else f"; {words_for(fix.result)}"
        yield f"encrypted: {counted(fix.result.updated, 'row')}, {fix.result.failed:,} refused{said}"
    counts = (counted(found.count(severity), severity.value) for severity in Severity)
    yield f"audited {counted(found.live, 'row')} of account {found.user_id}: {', '.join(counts)}"


def _finding(finding: Finding, *, everything: bool) -> Iterator[str]:
    kind = finding.kind
    number = f": {finding.count:,}" if finding.tables or finding.count > 1 else ""
    yield f"{kind.severity.value}: {kind.id}{number} ({kind.title})"
    if kind.severity is Severity.NOTE and not everything:
        return
    if finding.tables:
        shown = finding.tables.most_common(None if everything else _TABLES)
        rest = len(finding.tables) - len(shown)
        yield f"  {', '.join(f'{one_line(name)} {count:,}' for name, count in shown)}" + (
            f" and {rest:,} more tables" if rest else ""
        )
        cases = finding.cases if everything else finding.cases[:_SHOWN]
        for case in cases:
            yield f"  - {_case(case)}"
        if finding.count > len(cases):
            yield f"  - … and {finding.count - len(cases):,} more{'' if everything else ' (-v)'}"
    yield f"  {kind.explanation}"
    yield f"  What to do: {kind.advice}"


def _case(case: dict[str, Any]) -> str:
    place = " ".join(one_line(case[name]) for name in ("table", "id", "field", "event") if name in case)
    return f"{place} ({one_line(case['reason'])})" if "reason" in case else place
