"""Status: who is signed in, and the state of servers, vault, subscription and mirror. Nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from ..errors import ManabackupError, NotFoundError, OlderMirrorError, ServerError, SignInError, SubscriptionError
from ..limits import DEFAULT_LIMITS
from ..mirror import Mirror
from ..model import registry
from ..remote.account import Subscription, subscription
from ..remote.connection import Connection
from ..remote.request import Request
from ..remote.sync import SyncClient
from ..remote.transport import Transport
from ..remote.vault import VaultClient, VaultStatus
from ..text.jsontext import JSON
from ..text.timestamps import FAR_FUTURE, format_timestamp
from .account.access import AccountAccess
from .account.state import StateFolder
from .follow.record import FollowerPlace, FollowRecord
from .pull import unsearched_apps

_T = TypeVar("_T")
_IMPATIENT = replace(DEFAULT_LIMITS, attempts=2, request_seconds=20.0)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who speaks for the account."""

    user_id: str
    email: str | None = None
    """None for an access token, as is ``since``."""
    since: datetime | None = None

    def to_json(self) -> JSON:
        """The member ``user``."""
        since = self.since.isoformat() if self.since is not None else None
        return {"id": self.user_id, "email": self.email, "since": since}


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One of the two servers."""

    url: str
    reachable: bool | None = None
    """None where nobody asked."""

    def to_json(self) -> JSON:
        """The member ``auth`` or ``sync``."""
        return {"url": self.url} | ({} if self.reachable is None else {"reachable": self.reachable})


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """Whether the account may read and write."""

    active: bool
    details: Subscription | None = None
    """What the credits server says; None where it was not asked, or does not."""

    def to_json(self) -> JSON:
        """The member ``subscription``."""
        found = self.details
        if found is None:
            return {"active": self.active}
        return {
            "active": self.active,
            "gifted": found.gifted,
            "interval": found.interval,
            "nextChargeAt": found.next_charge_at,
            "pausedAt": found.paused_at,
        }


@dataclass(frozen=True, slots=True)
class MirrorContents:
    """What a mirror holds."""

    bytes: int
    """The size of its files, the write-ahead log too."""
    changes: int
    collections: int
    pulled_at: datetime | None
    """None when it was never pulled to its end."""
    searched_at: str | None
    """RFC 3339."""
    unsearched_apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """The mirror of the account."""

    path: Path
    contents: MirrorContents | None = None
    """None when it cannot be read, or is of an earlier version."""
    is_older: bool = False

    def to_json(self) -> JSON:
        """The member ``mirror``."""
        record: dict[str, JSON] = {"path": str(self.path)}
        if (held := self.contents) is not None:
            record |= {"bytes": held.bytes, "changes": held.changes, "collections": held.collections}
            record["pulledAt"] = held.pulled_at.isoformat() if held.pulled_at is not None else None
            record |= {"searchedAt": held.searched_at, "unsearchedApps": list(held.unsearched_apps)}
        return record


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """Who follows the account from this computer, or did."""

    running: bool
    record: FollowRecord
    """As it was written last."""

    def to_json(self) -> JSON:
        """The member ``follower``."""
        return {"running": self.running, **self.record.to_json()}


@dataclass(slots=True)
class AccountStatus:
    """What is known of an account; where nobody is signed in, only where it would be."""

    profile: str
    state: Path
    auth: ServerStatus
    sync: ServerStatus
    user: SignedIn | None = None
    vault: VaultStatus | None = None
    """None is unknown, as for ``subscription``."""
    subscription: SubscriptionStatus | None = None
    mirror: MirrorStatus | None = None
    """None when there is none yet."""
    follower: FollowerStatus | None = None
    """None when nobody ever followed."""
    problem: ManabackupError | None = None
    """The first thing that went wrong."""

    def to_json(self) -> dict[str, JSON]:
        """The object that ``status --json`` prints (``formats/schemas/status.schema.json``)."""
        record: dict[str, JSON] = {
            "profile": self.profile,
            "state": str(self.state),
            "signedIn": self.user is not None,
            "auth": self.auth.to_json(),
            "sync": self.sync.to_json(),
        }
        if self.user is not None:
            record["user"] = self.user.to_json()
            record["vault"] = _vault_record(self.vault)
            record["subscription"] = self.subscription.to_json() if self.subscription is not None else None
            record["mirror"] = self.mirror.to_json() if self.mirror is not None else None
            record["follower"] = self.follower.to_json() if self.follower is not None else None
        return record


def account_status(access: AccountAccess) -> AccountStatus:
    """Asks the servers, and looks at what this computer holds. What fails is in ``problem``, and stops nothing else."""
    settings = access.settings
    status = AccountStatus(
        settings.profile, access.state.root, ServerStatus(settings.auth_url), ServerStatus(settings.sync_url)
    )
    try:
        with access.connect(limits=_IMPATIENT) as connection:
            status.user = _user(connection, access)
            _Questions(status, connection).ask(settings.credits_url, access.state)
    except SignInError as error:
        status.problem = error
    return status


def _user(connection: Connection, access: AccountAccess) -> SignedIn:
    session = connection.session
    if session is None:
        return SignedIn(connection.user_id)
    store = access.state.sessions(access.settings.profile)
    return SignedIn(session.user_id, session.email, _time(store.path.stat().st_mtime))


class _Questions:
    """Everything that is asked of an account that somebody is signed in to."""

    def __init__(self, status: AccountStatus, connection: Connection) -> None:
        self._status = status
        self._connection = connection

    def ask(self, credits_url: str | None, state: StateFolder) -> None:
        status, connection = self._status, self._connection
        status.vault = self._try(lambda: VaultClient(connection.auth, connection.tokens).status())
        in_touch = status.vault is not None or isinstance(status.problem, SignInError)
        status.auth = ServerStatus(connection.auth.base_url, in_touch)
        healthy = self._try(lambda: _check_health(connection.sync)) is not None
        status.sync = ServerStatus(connection.sync.base_url, healthy)
        if not isinstance(status.problem, SignInError):
            status.subscription = self._subscription(credits_url, healthy=healthy)
        status.mirror = self._mirror(state.mirror_path(connection.sync.base_url, connection.user_id))
        place = FollowerPlace(state.follower_folder(connection.sync.base_url, connection.user_id))
        status.follower = self._try(lambda: _follower(place))

    def _try(self, question: Callable[[], _T]) -> _T | None:
        """The answer to a question that may fail without stopping the others."""
        try:
            return question()
        except ManabackupError as error:
            self._status.problem = self._status.problem or error
            return None

    def _subscription(self, credits_url: str | None, *, healthy: bool) -> SubscriptionStatus | None:
        """What counts is whether the sync server answers this user."""
        details = self._details(credits_url)
        served = self._try(self._is_served) if healthy else None
        if served is None:
            return None if details is None else SubscriptionStatus(details.active, details)
        return SubscriptionStatus(served, details)

    def _details(self, url: str | None) -> Subscription | None:
        """What the credits server says of it; the backup works without one."""
        if url is None:
            return None
        with Transport(url, limits=_IMPATIENT) as credits_server:
            try:
                return subscription(credits_server, self._connection.tokens)
            except (ServerError, SignInError):
                return None

    def _is_served(self) -> bool:
        table = registry.load().tables[0]
        client = SyncClient(self._connection.sync, self._connection.tokens, str(uuid4()))
        try:
            client.pull(table.app, table.collection, format_timestamp(FAR_FUTURE))
        except SubscriptionError:
            return False
        return True

    def _mirror(self, path: Path) -> MirrorStatus | None:
        connection = self._connection
        url, user = connection.sync.base_url, connection.user_id
        try:
            with Mirror(path, sync_url=url, user_id=user, create=False, guarded=False) as mirror:
                return MirrorStatus(path, _contents(mirror, path))
        except NotFoundError:
            return None
        except OlderMirrorError:
            return MirrorStatus(path, is_older=True)
        except ManabackupError as error:
            self._status.problem = self._status.problem or error
            return MirrorStatus(path)


def _follower(place: FollowerPlace) -> FollowerStatus | None:
    record = place.read()
    return None if record is None else FollowerStatus(place.is_followed(), record)


def _contents(mirror: Mirror, path: Path) -> MirrorContents:
    with mirror.snapshot() as snapshot:
        held = [collection for collection in snapshot.collections() if collection.changes]
        unsearched = unsearched_apps(snapshot.losses())
    return MirrorContents(
        bytes=sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")),
        changes=sum(collection.changes for collection in held),
        collections=len(held),
        pulled_at=_time(mirror.pulled_at / 1e6) if mirror.pulled_at is not None else None,
        searched_at=mirror.searched_at,
        unsearched_apps=unsearched,
    )


def _check_health(server: Transport) -> int:
    answer = server.request(Request("GET", "/health"))
    if answer.status != 200:
        raise answer.error()
    return answer.status


def _vault_record(vault: VaultStatus | None) -> JSON:
    if vault is None:
        return None
    mode = "zero-knowledge" if vault.zero_knowledge else "standard" if vault.exists else "none"
    return {"mode": mode, "recoveryCode": vault.has_recovery_wrap, "recoverySetAt": vault.recovery_set_at}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
