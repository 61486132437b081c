"""Bringing an account's mirror up to date."""

from __future__ import annotations

from collections.abc import Sequence

from ...mirror import Mirror
from ...model import registry
from ...remote.connection import Connection
from ...remote.sync import SyncClient
from ..account.key import check_same_account
from ..progress import Step, Watch, pull_teller
from .rounds import PullResult, run


def pull(
    mirror: Mirror,
    connection: Connection,
    *,
    full: bool = False,
    extra_apps: Sequence[str] = (),
    progress: Watch | None = None,
) -> PullResult:
    """Brings the mirror up to date; an interrupted run goes on where it stopped.

    ``full`` reads everything again and compares it with what is held. ``extra_apps`` are read besides those of the
    registry. ``progress`` is told of :attr:`Step.PULL`, with the changes read.

    Raises :class:`ServerError`, :class:`SignInError`, :class:`SubscriptionError`, :class:`OutputError`; afterwards the
    ``connection`` is of no use.
    """
    check_same_account(mirror, connection)
    client = SyncClient(connection.sync, connection.tokens, mirror.client_id)
    told = pull_teller(progress, Step.PULL)
    return run(mirror, client, registry.load(), full=full, extra_apps=extra_apps, progress=told)
