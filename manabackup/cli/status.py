"""``status``: what this computer holds of an account, and what the servers say."""

from __future__ import annotations

from collections.abc import Iterator
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
    from ..remote.vault import VaultStatus


@command("status")
@secret_options("token")
def status(run: Run) -> None:
    """Show who is signed in, and the state of servers, vault, subscription and mirror.

    Nothing is changed anywhere. Where nobody is signed in, or a server cannot be reached, what is known is shown before
    the error.
    """
    found = account_status(account_access(run))
    run.terminal.result(found.to_json(), (f"{label:14}{words}" for label, words in _lines(found)))
    if found.problem is not None:
        raise found.problem


def _lines(found: AccountStatus) -> Iterator[tuple[str, str]]:
    yield "profile", found.profile
    yield "state", str(found.state)
    yield "signed in", _user(found.user) if found.user is not None else "no"
    yield "auth", _server(found.auth)
    yield "sync", _server(found.sync)
    if found.user is not None:
        yield "vault", _vault(found.vault)
        yield "subscription", _subscription(found.subscription)
        yield "mirror", _mirror(found.mirror)
        if found.follower is not None:
            yield "follower", _follower(found.follower)


def _user(user: SignedIn) -> str:
    if user.since is None:
        return f"user {user.user_id}, by access token"
    return f"{user.email} (user {user.user_id}) since {user.since:%Y-%m-%d %H:%M} UTC"


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


def _follower(follower: FollowerStatus) -> str:
    record = follower.record
    if not follower.running:
        ended = record.ended_at or record.alive_at
        how = "ended" if record.ended_at is not None else "died, last alive"
        return "not running" + (f", {how} {age(ended)}" if ended is not None else "")
    words = [f"running (process {record.process})", f"{record.streams} of {counted(record.streams_wanted, 'stream')}"]
    for name, moment in (
        ("last event", record.last_event_at),
        ("last pull", record.last_pull_at),
        ("last archive", record.last_export_at),
    ):
        if moment is not None:
            words.append(f"{name} {age(moment)}")
    if record.pending_since is not None:
        words.append(f"BEHIND: told of changes {age(record.pending_since)} that are not pulled")
    if record.problem is not None:
        words.append(f"problem: {one_line(record.problem)}")
    if record.archive_problem is not None:
        words.append(f"NO ARCHIVE: {one_line(record.archive_problem)}")
    return ", ".join(words)


def _mirror(mirror: MirrorStatus | None) -> str:
    if mirror is None:
        return "none yet"
    if mirror.is_older:
        return f"{mirror.path} (of an earlier version; the next pull brings it up to date)"
    held = mirror.contents
    if held is None:
        return f"{mirror.path} (cannot be read now)"
    pulled = f"pulled {age(held.pulled_at)}" if held.pulled_at else "never pulled to the end"
    searched = search_words(held.searched_at, held.unsearched_apps)
    contents = f"{held.changes} changes in {held.collections} collections, {held.bytes / MIB:.1f} MiB"
    return f"{contents}, {pulled}, {searched}: {mirror.path}"
