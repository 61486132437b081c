"""A sync server with one user, and a mirror of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from manabackup.limits import Limits
from manabackup.mirror import HeldCollection, Loss, Mirror
from manabackup.model.registry import Registry, Table
from manabackup.operations import pull
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Accounts, Asked, ChangeLog, Faults, Sandbox, StoredChange
from manabackup.text import jsontext
from manabackup.text.timestamps import format_timestamp

from .clock import Clock
from .line import Act, Line, Request, says

USER = "erna"
T0 = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z."""
REGISTRY = Registry(
    version="2026-01-01",
    schema_version=1,
    tables=(
        Table("tasks", "todo", "tasks", "space"),
        Table("todoLists", "todo", "lists", "space"),
        Table("notes", "notes", "notes", "space"),
    ),
    well_known_ids=MappingProxyType({}),
)


@dataclass
class Box:
    """``before`` may answer a request in place of the server: it takes method, path and query, and gives a status and a
    body, or None."""

    folder: Path
    log: ChangeLog
    accounts: Accounts
    faults: Faults
    url: str
    clock: Clock
    line: Line
    before: Callable[[str, str, str], tuple[int, bytes] | None] = lambda *_: None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def write(
        self, instants: list[int], app: str = "todo", collection: str = "tasks", *, told: bool = False, **more: Any
    ) -> list[str]:
        """Stores one change for each instant, in their order, and gives their event ids. With ``told`` the changes name
        the instant themselves."""
        events = []
        changes = []
        for instant in instants:
            number = next(self.numbers)
            events.append(f"00000000-0000-4000-8000-{number:012d}")
            data = {"n": number, **({"updatedAt": format_timestamp(instant)} if told else {})}
            change = {"table": collection, "id": f"r{number}", "op": "insert", "data": data}
            changes.append(StoredChange(USER, "another device", app, change, instant, events[-1], **more))
        self.log.append_many(changes)
        return events

    @property
    def requests(self) -> list[tuple[str, str, str]]:
        """Method, path and query of each since the last pull began."""
        asked = ((method, target.partition("?")) for method, target in self.line.asked)
        return [(method, path, query) for method, (path, _, query) in asked]

    @property
    def asked_whole(self) -> list[str]:
        """The apps that were asked for as a whole, in the order of the requests."""
        return [path.removeprefix("/sync/") for method, path, _ in self.requests if method == "POST"]

    @contextmanager
    def mirror(self, user: str = USER) -> Iterator[Mirror]:
        with Mirror(self.folder / f"{user}.sqlite", sync_url=self.url, user_id=user) as mirror:
            yield mirror

    @contextmanager
    def client(
        self, mirror: Mirror, token: str | None = None, user: str = USER, limits: Limits | None = None
    ) -> Iterator[SyncClient]:
        tokens = StaticToken(token or self.accounts.issue_token(user))
        with Transport(self.url, limits=limits or Limits(attempts=2), sleep=lambda _: None) as transport:
            yield SyncClient(transport, tokens, mirror.client_id)

    def pull(self, registry: Registry = REGISTRY, user: str = USER, **options: Any) -> pull.PullResult:
        self.line.requests.clear()
        with self.mirror(user) as mirror, self.client(mirror, user=user) as client:
            return pull.run(mirror, client, registry, **options)

    def collections(self, user: str) -> list[HeldCollection]:
        with self.mirror(user) as mirror, mirror.snapshot() as snapshot:
            return snapshot.collections()

    def held(self, app: str = "todo", collection: str = "tasks", user: str = USER) -> list[str]:
        """Event ids in the mirror's order."""
        with self.mirror(user) as mirror, mirror.snapshot() as snapshot:
            lines = [line for page in snapshot.read(app, collection) for line in page.lines()]
        return [jsontext.parse(line)["eventId"] for line in lines]

    def losses(self) -> list[Loss]:
        with self.mirror() as mirror, mirror.snapshot() as snapshot:
            return snapshot.losses()

    def stored(self, app: str = "todo", collection: str = "tasks", user: str = USER) -> list[str]:
        """Event ids in the server's order."""
        rows = self.log.pull(app, collection, Asked(user, self.accounts.spaces_of(user), "reader", -1, 10**9))
        return [row.event_id for row in rows]


@contextmanager
def running(folder: Path) -> Iterator[Box]:
    def judge(request: Request) -> Act | None:
        path, _, query = request.target.partition("?")
        instead = box.before(request.method, path, query)
        return says(*instead) if instead is not None else None

    clock = Clock()
    line = Line(judge)
    with Sandbox(middleware=[line], clock=clock) as sandbox:
        sandbox.accounts.create_user(f"{USER}@example.org", "password", USER, user_id=USER, bootstrap=False)
        box = Box(folder, sandbox.log, sandbox.accounts, sandbox.faults, sandbox.url, clock, line)
        yield box


def page(changes: list[Any], until: int, *, more: bool = False) -> tuple[int, bytes]:
    """An answer as the server would give it."""
    body: dict[str, Any] = {"serverChanges": changes, "conflicts": [], "syncedUntil": format_timestamp(until)}
    if more:
        body["hasMore"] = True
    return 200, json.dumps(body).encode()
