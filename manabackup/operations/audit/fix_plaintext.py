"""What ``audit --fix-plaintext`` does: private fields that stand in clear are encrypted where they stand.

It goes the way of a restore (:mod:`manabackup.operations.restore`). What is encrypted under a wrong key is lost, so the
key must have shown that it is the account's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import UsageError, WrongKeyError
from ...remote.connection import Connection
from ..account.key import AccountKey, KeyOrigin
from ..progress import Watch
from ..restore.encrypt_in_place import EncryptInPlaceJob
from ..restore.plan import RestorePlan
from ..restore.result import RestoreResult
from ..restore.target_account import target_account
from ..restore.workflow import Conduct, Confirm, carry_out
from .auditing import Audit

_MEMBERS = (
    *("planned", "updated", "skipped", "failed", "verified", "reasons", "leftOut", "replaced", "untimed"),
    *("differing", "edited", "overwritten", "target"),
)
"""What ``fix`` has of a restore's record."""


def encrypt_in_place(
    found: Audit,
    connection: Connection,
    key: AccountKey,
    folder: Path,
    *,
    confirm: Confirm,
    personal_space: str | None = None,
    replace_ai: bool = False,
    resume: bool = True,
    dry_run: bool = False,
    progress: Watch | None = None,
) -> RestoreResult | None:
    """Encrypts the private fields that an audit ``found`` in clear, in the personal space and the tables of the user.

    Nothing else in a row changes, neither values nor times. Rows of shared spaces stay as they are. The server's log
    keeps what stood there before. Gives None where there is nothing to do.

    ``folder``, ``confirm``, ``resume``, ``dry_run`` and ``progress`` are as for
    :func:`~manabackup.operations.restore.restoring.restore`, whose folder must be this one, too: an account has one
    outbox. ``replace_ai``: also rows of ``ai`` that only a replace reaches, which a runner on the server takes as
    deleted.

    Raises :class:`UsageError` for an account without a key, :class:`WrongKeyError` where nothing shows that a key that
    was given is the account's, and what a restore raises.
    """
    if key.cipher is None:
        raise UsageError(
            "the account has no key, so that nothing can be encrypted",
            hint="sign in to the web app with it once, which makes a key",
        )
    if key.origin is KeyOrigin.GIVEN and (not found.opened or found.own_unopened):
        raise WrongKeyError(
            "nothing shows that the key given is the account's: it does not open all of what is encrypted there",
            hint="do without --key-file: the vault of the account has the right one",
        )
    target = target_account(connection, key, personal_space=personal_space, unreadable=None)
    tables = found.tables_in_clear

    def plan(job: EncryptInPlaceJob) -> RestorePlan | None:
        return job.plan(tables, progress) if tables or job.overwritten else None

    return carry_out(
        lambda place: EncryptInPlaceJob(target, place, replace_ai=replace_ai),
        plan,
        Conduct(folder, confirm, resume, dry_run, progress),
    )


def fix_to_json(result: RestoreResult) -> dict[str, Any]:
    """The member ``fix`` of what ``audit --json`` prints."""
    record = result.to_json()
    return {
        "dryRun": result.dry_run,
        **{name: record[name] for name in _MEMBERS},
        "notFixed": [*record["notRestored"], *record["leftOutCases"]],
    }
