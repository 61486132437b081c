"""``audit``: what the server holds that should not be so, and private fields in clear encrypted where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..operations.account.access import OpenAccount
from ..operations.audit.auditing import Audit
from ..operations.audit.auditing import audit as look
from ..operations.audit.findings import Finding, Severity
from ..operations.audit.fix_plaintext import encrypt_in_place, fix_to_json
from ..operations.audit.sarif import MARK as SARIF_MARK
from ..operations.audit.sarif import sarif as as_sarif
from ..operations.audit.vault import VaultState
from ..operations.progress import Step
from ..operations.restore.decision import Reason, RowAction
from ..operations.restore.plan import RestorePlan
from ..operations.restore.result import RestoreResult
from ..text.jsontext import dumps
from ..text.printable import counted, one_line, printable
from .access import account_access, pull_into
from .backup import extra_app_option
from .files import report_file
from .frame import command, secret_options
from .memory import share_one_heap
from .restoring import MEANINGS, STEPS, ask_for_yes, plan_table, tell_refused, warn_of_devices, words_for
from .run import Exit, Run

if TYPE_CHECKING:
    from ..crypto.fields import FieldCipher
    from ..remote.connection import Connection

_SHOWN = 3
"""Cases of a kind that are shown; with ``-v`` all that are named."""
_TABLES = 8
_LEFT = MEANINGS | {
    Reason.OTHER_SPACE: "were sent to a shared space as well, whose members have them",
    Reason.UNKNOWN_SPACE: "belong to a space of which nobody knows whether it is shared: sign in with `manabackup "
    "login`, which tells; or name your own space with --personal-space",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for."""

    offline: bool
    no_key: bool
    full: bool
    extra_apps: tuple[str, ...]
    personal_space: str | None
    accept_new_key: bool
    sarif: str | None
    force: bool
    fix_plaintext: bool
    dry_run: bool
    yes: bool
    replace_ai: bool
    resume: bool
    strict: bool

    def check(self) -> None:
        """Raises :class:`UsageError` for what does not go together."""
        if self.fix_plaintext and (self.offline or self.no_key):
            raise UsageError("--fix-plaintext needs the servers and the key")
        if not self.fix_plaintext and (self.dry_run or self.yes or self.replace_ai or not self.resume):
            raise UsageError("--dry-run, --yes, --replace-ai and --no-resume go with --fix-plaintext")
        if self.full and self.offline:
            raise UsageError("--full reads from the servers, which --offline does without")
        if self.force and self.sarif is None:
            raise UsageError("--force goes with --sarif")


@command("audit")
@secret_options("recovery-code", "key", "token")
@extra_app_option
@click.option("--offline", is_flag=True, help="Use the mirror as it is; no server is asked.")
@click.option("--no-key", is_flag=True, help="Do without the key: what it would open is left out.")
@click.option("--full", is_flag=True, help="Read everything again, and find what the server lost or changed since.")
@click.option("--personal-space", metavar="ID", help="Your personal space, where a token cannot tell.")
@click.option("--accept-new-key", is_flag=True, help="Go on though the account's key is another one than before.")
@click.option("--sarif", metavar="FILE", help="Also write the findings as SARIF 2.1.0.")
@click.option("--force", is_flag=True, help="Replace the SARIF file even if it is none of an earlier run's.")
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
def audit(run: Run, /, **asked: Any) -> Exit:
    """Tell what the server holds that should not be so.

    Private fields in clear, fields that your key does not open, nonces and ciphertexts in two places, references that
    lead nowhere, times in the future, rows with two owners, what was lost or changed since, and the state of the vault.
    Exit code 4 when there are errors or warnings; mere notes are good to know.

    --fix-plaintext encrypts private fields that stand in clear, in your personal space and your settings: it shows what
    it is about to do, asks, sends, and reads the account again. Shared spaces are left as they are. The server's log
    keeps what stood there before.
    """
    share_one_heap()
    wanted = _Asked(**asked)
    wanted.check()
    log = None
    if wanted.sarif is not None:
        log = report_file("--sarif", wanted.sarif, force=wanted.force, mark=SARIF_MARK)
    access = account_access(run, never_pulled="what is missing there is not looked at")
    fix: RestoreResult | None = None
    with access.open(
        offline=wanted.offline, accept_new_key=wanted.accept_new_key, without_key=wanted.no_key
    ) as account:
        vault = VaultState.of_account(account)
        pull_into(run, account, full=wanted.full, extra_apps=wanted.extra_apps)
        found = _look(run, account, vault, wanted)
        if wanted.fix_plaintext:
            access.expect_zero_knowledge(account.key, accept_new_key=wanted.accept_new_key)
            fix = _fix(run, account, found, wanted)
            if fix is not None and fix.verification is not None:
                pull_into(run, account, extra_apps=wanted.extra_apps)
                found = _look(run, account, vault, wanted)
    if log is not None:
        log.write(dumps(as_sarif(found)))
    _tell(run, found, fix)
    if fix is not None and (fix.overwritten or fix.plan.reasons[Reason.EDITED_MEANWHILE]):
        return Exit.LOSSES
    if fix is not None and fix.losses:
        return Exit.DIFFERENCES
    return Exit.DONE if found.is_clean and not (wanted.strict and found.findings) else Exit.DIFFERENCES


def _look(run: Run, account: OpenAccount, vault: VaultState, wanted: _Asked) -> Audit:
    with (
        account.source(account_data=False) as source,
        run.terminal.progress({Step.AUDIT: "auditing"}) as progress,
    ):
        return look(
            source,
            vault,
            locked=wanted.no_key and vault.mode != "none",
            personal_space=wanted.personal_space,
            scratch=account.mirror.path.parent,
            progress=progress,
        )


# --- encrypting what stands in clear ----------------------------------------------------------------------------------


def _fix(run: Run, account: OpenAccount, found: Audit, wanted: _Asked) -> RestoreResult | None:
    assert account.connection is not None
    connection = account.connection
    with run.terminal.progress({**STEPS, Step.READ_TARGET: "reading the account"}) as bars:

        def confirm(plan: RestorePlan) -> bool:
            bars.rest()
            if plan.resumed:
                run.terminal.note("going on with a run that did not come to its end")
            for line in _plan_lines(plan, whose):  # it stands before the question
                run.terminal.note(line)
            warn_of_devices(run, plan)
            if plan.planned and not wanted.yes:
                ask_for_yes(f"encrypt {counted(plan.planned, 'row')} of account {whose}")
            return True

        whose = _whose(connection, account.key.cipher)
        result = encrypt_in_place(
            found,
            connection,
            account.key,
            run.state.restore_folder(connection.sync.base_url, connection.user_id),
            confirm=confirm,
            personal_space=wanted.personal_space,
            replace_ai=wanted.replace_ai,
            resume=wanted.resume,
            dry_run=wanted.dry_run,
            progress=bars,
        )
    if result is not None and result.dry_run:
        warn_of_devices(run, result.plan)
    elif result is not None and result.verification is not None:
        tell_refused(run, result)
    return result


def _plan_lines(plan: RestorePlan, whose: str) -> Iterator[str]:
    yield f"target: account {whose}"
    yield from plan_table(plan, (RowAction.UPDATE, RowAction.SKIPPED))
    for reason, count in sorted(plan.reasons.items()):
        yield f"skipped: {counted(count, 'row')}: {_LEFT[Reason(reason)]}"
    if plan.left_out:
        yield f"left: {counted(plan.left_out, 'field')} that another version of the app may have encrypted"


def _whose(connection: Connection, cipher: FieldCipher | None) -> str:
    session = connection.session
    named = f" ({session.email})" if session is not None else ""
    key = f"key {cipher.fingerprint}" if cipher is not None else "no key"
    return f"{printable(connection.user_id)}{named}, {key}"


# --- words ------------------------------------------------------------------------------------------------------------


def _tell(run: Run, found: Audit, fix: RestoreResult | None) -> None:
    record = {**found.to_json(), "fix": fix_to_json(fix) if fix is not None else None}
    run.terminal.result(record, _lines(found, fix, verbosity=run.settings.verbosity))
    if found.pulled_at is not None:
        run.terminal.note(f"no server was asked: this is what it held at {found.pulled_at}")


def _lines(found: Audit, fix: RestoreResult | None, *, verbosity: int) -> Iterator[str]:
    for finding in found.findings:
        if verbosity >= 0:
            yield from _finding(finding, everything=verbosity > 0)
        elif finding.kind.severity is not Severity.NOTE:
            yield _headline(finding)
    if fix is not None and fix.dry_run:
        yield from _plan_lines(fix.plan, _whose(fix.target.connection, fix.target.cipher))
        yield "nothing was sent (--dry-run)"
    elif fix is not None:
        said = "" if fix.verification is None else f"; {words_for(fix)}"
        yield f"encrypted: {counted(fix.updated, 'row')}, {fix.failed:,} refused{said}"
    counts = (counted(found.count(severity), severity.value) for severity in Severity)
    yield f"audited {counted(found.live, 'row')} of account {found.user_id}: {', '.join(counts)}"


def _headline(finding: Finding) -> str:
    kind = finding.kind
    number = f": {finding.count:,}" if finding.tables or finding.count > 1 else ""
    return f"{kind.severity.value}: {kind.id}{number} ({kind.title})"


def _finding(finding: Finding, *, everything: bool) -> Iterator[str]:
    kind = finding.kind
    yield _headline(finding)
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
