"""``status``: what this computer holds of an account, and what the servers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from ..errors import ManabackupError, NotFoundError, OlderMirrorError, ServerError, SignInError, SubscriptionError
from ..limits import DEFAULT_LIMITS, MIB
from ..mirror import Mirror
from ..model import registry
from ..operations import pull
from ..operations.account.state import SessionStore, StateFolder
from ..remote.account import Subscription, subscription
from ..remote.connection import Connection
from ..remote.sync import SyncClient
from ..remote.transport import Transport
from ..remote.vault import VaultClient, VaultStatus
from ..text.jsontext import JSON
from ..text.printable import one_line
from ..text.timestamps import FAR_FUTURE, format_timestamp
from .ages import age, search_words
from .connection import connect
from .frame import command, secret_options
from .run import Run

_T = TypeVar("_T")
_IMPATIENT = replace(DEFAULT_LIMITS, attempts=2, request_seconds=20.0)


@command("status")
@secret_options("token")
def status(run: Run) -> None:
    """Show who is signed in, and the state of servers, vault, subscription and mirror.

    Nothing is changed anywhere. Where nobody is signed in, or a server cannot be reached, what is known is shown before
    the error.
    """
    account = run.settings.account
    state = run.state
    report = _Report()
    report.add("profile", account.profile, account.profile)
    report.add("state", str(state.root), str(state.root))
    report.add("signedIn", False, "no")
    report.add("auth", {"url": account.auth_url}, account.auth_url)
    report.add("sync", {"url": account.sync_url}, account.sync_url)
    try:
        with connect(run, limits=_IMPATIENT) as connection:
            _report_user(report, connection, state.sessions(account.profile))
            _report_servers(report, connection)
            _report_subscription(report, connection, account.credits_url)
            _report_mirror(report, state, connection)
    except SignInError as error:
        report.problem = error
    run.terminal.result(report.record, report.lines)
    if report.problem is not None:
        raise report.problem


class _Report:
    """What is found, once as a record and once as lines for people; and the first thing that went wrong."""

    def __init__(self) -> None:
        self.record: dict[str, JSON] = {}
        self._lines: dict[str, str] = {}
        self.problem: ManabackupError | None = None

    def add(self, key: str, value: JSON, text: str) -> None:
        label = "signed in" if key == "signedIn" else key
        self.record[key] = value
        self._lines[key] = f"{label:14}{text}"

    @property
    def lines(self) -> list[str]:
        return list(self._lines.values())

    def ask(self, question: Callable[[], _T]) -> _T | None:
        """The answer to a question that may fail without stopping the others."""
        try:
            return question()
        except ManabackupError as error:
            self.problem = self.problem or error
            return None


def _report_user(report: _Report, connection: Connection, store: SessionStore) -> None:
    session = connection.session
    user: dict[str, JSON] = {"id": connection.user_id, "email": None, "since": None}
    words = f"user {connection.user_id}, by access token"
    if session is not None:
        since = _time(store.path.stat().st_mtime)
        user |= {"email": session.email, "since": since.isoformat()}
        words = f"{session.email} (user {session.user_id}) since {since:%Y-%m-%d %H:%M} UTC"
    report.record["user"] = user
    report.add("signedIn", True, words)


def _report_servers(report: _Report, connection: Connection) -> None:
    vault = report.ask(lambda: VaultClient(connection.auth, connection.tokens).status())
    in_touch = vault is not None or isinstance(report.problem, SignInError)
    healthy = report.ask(lambda: _health(connection.sync)) is not None
    for key, server, well in (("auth", connection.auth, in_touch), ("sync", connection.sync, healthy)):
        report.add(
            key, {"url": server.base_url, "reachable": well}, f"{server.base_url}{'' if well else ' (does not answer)'}"
        )
    report.add("vault", _vault_record(vault), _vault_words(vault))


def _health(server: Transport) -> int:
    answer = server.request("GET", "/health")
    if answer.status != 200:
        raise answer.error()
    return answer.status


def _vault_record(vault: VaultStatus | None) -> JSON:
    if vault is None:
        return None
    mode = "zero-knowledge" if vault.zero_knowledge else "standard" if vault.exists else "none"
    return {"mode": mode, "recoveryCode": vault.has_recovery_wrap, "recoverySetAt": vault.recovery_set_at}


def _vault_words(vault: VaultStatus | None) -> str:
    if vault is None:
        return "unknown"
    if not vault.exists:
        return "none: nothing is encrypted"
    if vault.zero_knowledge:
        return "zero-knowledge: only the recovery code opens it"
    return "standard: the server knows the key"


def _report_subscription(report: _Report, connection: Connection, url: str | None) -> None:
    if isinstance(report.problem, SignInError):
        report.add("subscription", None, "unknown")
        return
    found = _subscription(connection, url)
    served = _is_served(report, connection) if report.record["sync"]["reachable"] else None
    if found is None and served is None:
        report.add("subscription", None, "unknown")
        return
    active = served if served is not None else found is not None and found.active
    record: dict[str, JSON] = {"active": active}
    words = ["active" if active else "inactive: the server refuses reads too"]
    if found is not None:
        record |= {"gifted": found.gifted, "interval": found.interval}
        record |= {"nextChargeAt": found.next_charge_at, "pausedAt": found.paused_at}
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
    report.add("subscription", record, ", ".join(words))


def _subscription(connection: Connection, url: str | None) -> Subscription | None:
    """What the credits server says of it; the backup works without one."""
    if url is None:
        return None
    with Transport(url, limits=_IMPATIENT) as credits_server:
        try:
            return subscription(credits_server, connection.tokens)
        except (ServerError, SignInError):
            return None


def _is_served(report: _Report, connection: Connection) -> bool | None:
    """Whether the sync server answers this user, which is what counts; None when it does neither that nor refuse."""
    table = registry.load().tables[0]
    client = SyncClient(connection.sync, connection.tokens, str(uuid4()))
    try:
        client.pull(table.app, table.collection, format_timestamp(FAR_FUTURE))
    except SubscriptionError:
        return False
    except ManabackupError as error:
        report.problem = report.problem or error
        return None
    return True


def _report_mirror(report: _Report, state: StateFolder, connection: Connection) -> None:
    path = state.mirror_path(connection.sync.base_url, connection.user_id)
    record: dict[str, JSON] = {"path": str(path)}
    try:
        with Mirror(
            path, sync_url=connection.sync.base_url, user_id=connection.user_id, create=False, guarded=False
        ) as mirror:
            pulled_at = _time(mirror.pulled_at / 1e6) if mirror.pulled_at is not None else None
            searched_at = mirror.searched_at
            with mirror.snapshot() as snapshot:
                held = [collection for collection in snapshot.collections() if collection.changes]
                unsearched = pull.unsearched_apps(snapshot.losses())
            # The write-ahead log takes its place too.
            size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    except NotFoundError:
        report.add("mirror", None, "none yet")
        return
    except OlderMirrorError:
        report.add("mirror", record, f"{path} (of an earlier version; the next pull brings it up to date)")
        return
    except ManabackupError as error:
        report.problem = report.problem or error
        report.add("mirror", record, f"{path} (cannot be read now)")
        return
    changes = sum(collection.changes for collection in held)
    record |= {"bytes": size, "changes": changes, "collections": len(held)}
    record["pulledAt"] = pulled_at.isoformat() if pulled_at else None
    record |= {"searchedAt": searched_at, "unsearchedApps": list(unsearched)}
    pulled = f"pulled {age(pulled_at)}" if pulled_at else "never pulled to the end"
    searched = search_words(searched_at, unsearched)
    contents = f"{changes} changes in {len(held)} collections, {size / MIB:.1f} MiB"
    report.add("mirror", record, f"{contents}, {pulled}, {searched}: {path}")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
