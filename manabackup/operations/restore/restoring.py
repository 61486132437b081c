"""The use case: an archive's rows back into an account, from the plan to the verification."""

from __future__ import annotations

from pathlib import Path

from ...archive.reader import Archive
from ..progress import Watch
from .files import FileTarget
from .from_archive import RestoreJob, RestoreOrder
from .result import RestoreResult
from .sent_objects import sent_beside
from .target_account import TargetAccount
from .workflow import Conduct, Confirm, carry_out


def restore(
    archive: Archive,
    target: TargetAccount,
    folder: Path,
    *,
    confirm: Confirm,
    order: RestoreOrder | None = None,
    resume: bool = True,
    dry_run: bool = False,
    progress: Watch | None = None,
    files: FileTarget | None = None,
) -> RestoreResult:
    """Puts an open archive's rows into an account. What the archive does not hold is never touched.

    The account is read and every row is decided on. ``confirm`` is shown the plan, once, and says whether to go on; it
    is asked also where nothing is to be sent. Then the changes are sent, and the account is read once more and held
    against the plan.

    ``folder`` is this account's own: it holds what is still to be sent, and is gone when all is done. After an error
    or a cancellation the same call goes on where it stopped, and shows ``confirm`` the old plan (``plan.resumed``);
    without ``resume`` that is given up, and planned anew. With ``dry_run`` there is only a plan, ``confirm`` is not
    asked, and what was begun before stays. ``order`` says what is restored and how, by default everything.

    ``files`` says where the archive's files go, and :func:`file_target` makes one; without it rows keep the references
    that they have. What the service does not have is sent after the question, and read back.

    ``progress`` is told of :attr:`Step.READ_TARGET`, ``PLAN``, ``PUSH`` and ``READ_AGAIN``, and with files of ``LOOK``
    and ``FILES``.

    Raises :class:`UsageError` for what cannot be done, :class:`WrongKeyError` for an archive under another key,
    :class:`UnfinishedError` where another order was begun and is not finished, :class:`ConflictError` when rows are in
    the way that were to stop it, :class:`DamagedArchiveError`, :class:`ServerError`, :class:`SignInError`,
    :class:`SubscriptionError`, :class:`OutputError`.
    """
    order = order or RestoreOrder()
    result = carry_out(
        lambda place: RestoreJob(archive, target, order, place, files=files, sent=sent_beside(folder)),
        lambda job: job.plan(progress),
        Conduct(folder, confirm, resume, dry_run, progress),
    )
    assert result is not None
    return result
