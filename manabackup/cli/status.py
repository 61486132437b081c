"""``status``: what this computer holds of an account, and what the servers say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from ..limits import MIB
from ..operations.status import (
    AccountStatus,
    FollowerStatus,
    MirrorStatus,
    ServerStatus,
    SignedIn,
    SubscriptionStatus,
    account_status,
)
from ..text.printable import counted, one_line
from .access import account_access
from .ages import age, search_words
from .frame import command, secret_options
from .run import Run

if TYPE_CHECKING:
    from ..operations.follow.record import FollowRecord
    from ..remote.vault import VaultStatus

_LABEL = 14
_WIDTH = 80 - _LABEL


@command("status")
@secret_options("token")
def status(run: Run) -> None:
    """Show who is signed in, and the state of servers, vault, subscription and mirror.

    Nothing is changed anywhere. Where nobody is signed in, or a server cannot be reached, what is known is shown before
    the error.
    """
    found = account_status(account_access(run))
    run.terminal.result(found.to_json(), (f"{label:{_LABEL}}{words}" for label, words in _lines(found)))
    if found.problem is not None:
        raise found.problem


def _lines(found: AccountStatus) -> Iterator[tuple[str, str]]:
    yield "profile", found.profile
    yield "state", str(found.state)
    yield from _below("signed in", _user(found.user) if found.user is not None else ["no"])
    yield "auth", _server(found.auth)
    yield "sync", _server(found.sync)
    if found.user is not None:
        yield "vault", _vault(found.vault)
        yield "subscription", _subscription(found.subscription)
        yield from _below("mirror", _mirror(found.mirror))
        if found.follower is not None:
            yield from _below("follower", _follower(found.follower))


def _below(label: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Lines that stand below each other, the first one beside the label."""
    for line in lines:
        yield label, line
        label = ""


def _sentence(text: str) -> Iterator[str]:
    """Its lines, such as 80 columns hold."""
    yield from wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _user(user: SignedIn) -> Iterator[str]:
    if user.since is None:
        yield f"user {user.user_id}, by access token"
    else:
        yield f"{user.email} (user {user.user_id})"
        yield f"since {user.since:%Y-%m-%d %H:%M} UTC"


def _server(server: ServerStatus) -> str:
    return f"{server.url}{' (does not answer)' if server.reachable is False else ''}"


def _vault(vault: VaultStatus | None) -> str:
    if vault is None:
        return "unknown"
    if not vault.exists:
        return "none: nothing is encrypted"
    if vault.zero_knowledge:
        return "zero-knowledge: only the recovery code opens it"
    return "standard: the server knows the key"


def _subscription(subscription: SubscriptionStatus | None) -> str:
    if subscription is None:
        return "unknown"
    words = ["active" if subscription.active else "inactive: the server refuses reads too"]
    found = subscription.details
    if found is not None:
        words += ["gifted"] if found.gifted else []
        words += [
            f"{name} {one_line(text)}"
            for name, text in (
                ("interval", found.interval),
                ("next charge", found.next_charge_at),
                ("paused", found.paused_at),
            )
            if text is not None
        ]
    return ", ".join(words)


def _follower(follower: FollowerStatus) -> Iterator[str]:
    record = follower.record
    if not follower.running:
        ended = record.ended_at or record.alive_at
        how = "ended" if record.ended_at is not None else "died, last alive"
        yield "not running" + (f", {how} {age(ended)}" if ended is not None else "")
        if record.ended_by is not None:
            yield from _sentence(f"NOTHING IS FOLLOWED: {one_line(record.ended_by)}")
            yield from _to_do(record.hint)
        return
    yield f"running (process {record.process}), {_streams(record)}"
    for moments in (
        (("last event", record.last_event_at), ("last pull", record.last_pull_at)),
        (("last archive", record.last_export_at),),
    ):
        words = [f"{name} {age(moment)}" for name, moment in moments if moment is not None]
        if words:
            yield ", ".join(words)
    if record.pending_since is not None:
        yield from _sentence(f"BEHIND: told of changes {age(record.pending_since)} that are not pulled")
    if record.problem is not None and record.problem_since is None:
        yield from _sentence(f"waits: {one_line(record.problem)}")
    elif record.problem is not None:
        since = f"{record.problem_since:%Y-%m-%d %H:%M} UTC"
        yield from _sentence(f"GETS NOTHING since {since}: {one_line(record.problem)}")
        yield from _to_do(record.hint)
    elif record.streams_problem is not None:
        yield from _sentence(f"NOTHING IS HEARD, and all is pulled now and then: {one_line(record.streams_problem)}")
    if record.archive_problem is not None:
        yield from _sentence(f"NO ARCHIVE: {one_line(record.archive_problem)}")


def _streams(record: FollowRecord) -> str:
    if record.last_pull_at is None:
        return "first pull under way"
    speaking = f"{record.streams} of {counted(record.streams_wanted, 'stream')}"
    return f"{speaking}, connecting to {record.streams_connecting}" if record.streams_connecting else speaking


def _to_do(hint: str | None) -> Iterator[str]:
    if hint is not None:
        yield from _sentence(f"to do: {one_line(hint)}")


def _mirror(mirror: MirrorStatus | None) -> Iterator[str]:
    if mirror is None:
        yield "none yet"
        return
    held = mirror.contents
    if mirror.is_older:
        yield "of an earlier version; the next pull brings it up to date"
    elif held is None:
        yield "cannot be read now"
    else:
        yield f"{held.changes} changes in {held.collections} collections, {held.bytes / MIB:.1f} MiB"
        yield f"pulled {age(held.pulled_at)}" if held.pulled_at else "never pulled to the end"
        yield from _sentence(search_words(held.searched_at, held.unsearched_apps))
    yield str(mirror.path)
