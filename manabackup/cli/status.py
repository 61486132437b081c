"""``status``: what this computer holds of an account, and what the servers say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from ..errors import ManabackupError, NotFoundError, ServerError, SignInError
from ..jsontext import JSON
from ..limits import DEFAULT_LIMITS, MIB
from ..mirror import Mirror
from ..remote.account import Subscription, subscription
from ..remote.connection import Connection
from ..remote.transport import Transport
from ..remote.vault import VaultClient, VaultStatus
from ..state import SessionStore, StateFolder
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
    state = StateFolder(run.settings.state_dir)
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
    found: Subscription | None = None
    if url is not None and not isinstance(report.problem, SignInError):
        with Transport(url, limits=_IMPATIENT) as credits_server:
            try:
                found = subscription(credits_server, connection.tokens)
            except (ServerError, SignInError):
                found = None  # the backup works without it
    if found is None:
        report.add("subscription", None, "unknown")
        return
    record = {"active": found.active, "gifted": found.gifted, "interval": found.interval}
    record |= {"nextChargeAt": found.next_charge_at, "pausedAt": found.paused_at}
    report.add("subscription", record, "active" if found.active else "inactive: the server refuses reads too")


def _report_mirror(report: _Report, state: StateFolder, connection: Connection) -> None:
    path = state.mirror_path(connection.sync.base_url, connection.user_id)
    record: dict[str, JSON] = {"path": str(path)}
    try:
        with Mirror(path, sync_url=connection.sync.base_url, user_id=connection.user_id, create=False) as mirror:
            pulled_at = _time(mirror.pulled_at / 1e6) if mirror.pulled_at is not None else None
            with mirror.snapshot() as snapshot:
                held = snapshot.collections()
            # The write-ahead log takes its place too.
            size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    except NotFoundError:
        report.add("mirror", None, "none yet")
        return
    except ManabackupError as error:
        report.problem = report.problem or error
        report.add("mirror", record, f"{path} (cannot be read now)")
        return
    changes = sum(collection.changes for collection in held)
    record |= {"bytes": size, "changes": changes, "collections": len(held)}
    record["pulledAt"] = pulled_at.isoformat() if pulled_at else None
    age = f"pulled {_age(pulled_at)}" if pulled_at else "never pulled to the end"
    report.add("mirror", record, f"{changes} changes in {len(held)} collections, {size / MIB:.1f} MiB, {age}: {path}")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _age(moment: datetime) -> str:
    minutes = max(0, int((datetime.now(UTC) - moment).total_seconds() // 60))
    for unit, length in (("days", 2 * 24 * 60), ("hours", 2 * 60), ("minutes", 2)):
        if minutes >= length:
            return f"{minutes // (length // 2)} {unit} ago"
    return "just now"
