"""A followed account: a server that speaks, a device that writes, and a follower in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from manabackup.limits import Limits
from manabackup.mirror import Mirror
from manabackup.operations.follow.events import FollowEvent, Happening
from manabackup.operations.follow.following import Follower
from manabackup.operations.follow.settings import FollowSettings, Surroundings
from manabackup.remote.connection import connect
from manabackup.remote.session import CommandToken, Session, StaticToken, TokenSource, sign_in, sign_out
from manabackup.remote.sync import PushClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.box import REGISTRY, USER, Box
from tests.support.clock import Clock
from tests.support.line import Line
from tests.support.patience import PATIENCE

QUICK = FollowSettings(debounce=0.01, look_every=10_000, longest_rest=0.0, silence=5.0)
"""Nothing is pulled but for the streams' sake."""
LIMITS = Limits(attempts=2)


@dataclass
class Account(Box):
    """One whose server has streams that speak often, and another device that pushes."""

    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def mirror_alone(self) -> Iterator[Mirror]:
        """The mirror, while nobody else has it."""
        with self.lock, self.mirror() as mirror:
            yield mirror

    def push(self, *ids: str, app: str = "todo", collection: str = "tasks") -> None:
        """Another device writes rows."""
        changes = [
            jsontext.dumps({"table": collection, "id": each, "op": "insert", "data": {"n": next(self.numbers)}})
            for each in ids
        ]
        tokens = StaticToken(self.accounts.issue_token(USER))
        with Transport(self.url) as transport:
            answer = PushClient(transport, tokens, "another device").push(app, changes)
            assert answer.status == 200, answer.words()

    def signed_in(self, email: str = f"{USER}@example.org") -> Session:
        """A new session."""
        with Transport(self.url) as transport:
            return sign_in(transport, email, "password")

    def sign_out(self, session: Session) -> None:
        """Ends a session, and an hour goes by, so that no token of it is left."""
        with Transport(self.url) as transport:
            sign_out(transport, session)
        self.clock.skip(timedelta(hours=1))

    def tokens(self) -> TokenSource:
        return CommandToken(lambda: self.accounts.issue_token(USER))


@contextmanager
def account(folder: Path, *, heartbeat: float = 0.05, port: int = 0) -> Iterator[Account]:
    clock, line = Clock(), Line()
    with Sandbox(
        middleware=[line], clock=clock, heartbeat_seconds=heartbeat, folder=folder / "server", port=port
    ) as box:
        if box.accounts.user(USER) is None:
            box.accounts.create_user(f"{USER}@example.org", "password", USER, user_id=USER, bootstrap=False)
        made = Account(folder, box.log, box.accounts, box.faults, box.url, clock, line)
        yield made


@dataclass
class Following:
    """A follower at work: what it tells is waited for."""

    account: Account
    settings: FollowSettings = QUICK
    around: Surroundings = field(default_factory=lambda: Surroundings(registry=REGISTRY, jitter=lambda: 0.0))
    tokens: Session | TokenSource | None = None
    stored: Callable[[], Session | None] = lambda: None
    """The session that this computer keeps now."""
    told: list[FollowEvent] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self.over = False
        self.follower: Follower | None = None
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """For one that ends by itself."""
        self._thread.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.follower is not None:
            self.follower.stop()
        self._thread.join(PATIENCE)
        if error is None and self.error is not None:
            raise self.error

    def _run(self) -> None:
        account = self.account
        try:
            urls = {"auth_url": account.url, "sync_url": account.url}
            with connect(self.tokens or account.tokens(), **urls, limits=LIMITS, stored=self.stored) as connection:
                self.follower = Follower(connection, account.mirror_alone, self.settings, self.around)
                for happened in self.follower.run():
                    with self._changed:
                        self.told.append(happened)
                        self._changed.notify_all()
        except BaseException as error:
            self.error = error
        finally:
            with self._changed:
                self.over = True
                self._changed.notify_all()

    def wait(self, condition: Callable[[list[FollowEvent]], Any]) -> None:
        """Until what was told is such, or the follower ends."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.told) or self.over, PATIENCE), self.told
            assert condition(self.told), (self.told, self.error)

    def wait_for(self, what: Happening, times: int = 1) -> FollowEvent:
        """The so-manieth of a kind."""
        self.wait(lambda told: self.count(what) >= times)
        return [one for one in self.told if one.what is what][times - 1]

    def wait_until_held(self, *expected: str) -> None:
        """Until all that another device wrote, by record ids, was told of as pulled."""
        self.wait(lambda told: set(expected) <= set(records(self.account)))

    def count(self, what: Happening) -> int:
        return sum(one.what is what for one in self.told)


def records(account: Account, app: str = "todo", collection: str = "tasks") -> list[str]:
    """The record ids of all changes in the mirror, in its order."""
    with account.mirror_alone() as mirror, mirror.snapshot() as snapshot:
        lines = [line for page in snapshot.read(app, collection) for line in page.lines()]
    return [jsontext.parse(line)["id"] for line in lines]
