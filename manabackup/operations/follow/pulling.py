"""The pulls of a follower, of everything and of what streams named, and the streams of the apps that they find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from ...errors import ServerError, SignInError
from ...mirror import Mirror
from ...remote.connection import Connection
from ...remote.sync import SyncClient
from ...remote.transport import Transport
from ...text.jsontext import JSON
from ...text.timestamps import SECOND, format_timestamp
from ..account.account_data import remember_account
from ..account.key import check_same_account
from ..progress import Step, pull_teller
from ..pull import OVERLAP_SECONDS, ClockWentBackError, PullResult, refresh
from ..pull import run as pull_everything
from .listening import Board, Streams
from .settings import FollowSettings, OpenMirror, Surroundings


@dataclass(frozen=True, slots=True)
class Pulled:
    """A pull that went well."""

    new: int
    """Changes that the mirror did not hold."""
    streams: int
    """That are open now."""
    apps: tuple[str, ...] = ()
    """That streams had named."""
    whole: PullResult | None = None
    """None where these apps alone were pulled."""

    def to_json(self) -> dict[str, JSON]:
        """What is told of it."""
        if self.whole is None:
            return {"new": self.new, "apps": list(self.apps)}
        return {"new": self.new, "held": self.whole.changes_held, "unreadable": self.whole.unreadable}


class Puller:
    """Pulls into the mirror, which is opened for each pull, and lets ``board`` hear of the apps that it holds."""

    def __init__(
        self,
        connection: Connection,
        open_mirror: OpenMirror,
        settings: FollowSettings,
        around: Surroundings,
        *,
        board: Board,
    ) -> None:
        self._connection = connection
        self._open_mirror = open_mirror
        self._settings = settings
        self._around = around
        self._board = board
        self._streams: Streams | None = None
        self._is_full = False
        """Whether the next whole pull reads everything from its beginning."""

    def refresh(self, named: Mapping[str, set[str]]) -> Pulled:
        """Pulls the collections that streams named, by app; everything, where only that heals the mirror."""
        with self._pulling() as (mirror, client, _):
            if mirror.damage:
                return self._whole(mirror, client)
            new = refresh(mirror, client, self._around.registry, named)
            streams = self._listen(mirror, new)
        return Pulled(new, streams, apps=tuple(sorted(named)))

    def look(self) -> Pulled:
        """Pulls everything."""
        with self._pulling() as (mirror, client, connection):
            pulled = self._whole(mirror, client)
            with suppress(ServerError, SignInError):  # what an export without the servers needs is there from before
                remember_account(mirror, connection)
        return pulled

    def close(self) -> None:
        """Ends the streams."""
        self._connection.auth.close()  # a stream's thread may wait for a token
        if self._streams is not None:
            self._streams.close()

    @contextmanager
    def _pulling(self) -> Iterator[tuple[Mirror, SyncClient, Connection]]:
        """The mirror, and connections for one pull alone: one that fails closes them."""
        server = self._connection.sync
        with self._open_mirror() as mirror, Transport(server.base_url, limits=server.limits) as sync:
            connection = replace(self._connection, sync=sync)
            check_same_account(mirror, connection)
            try:
                yield mirror, SyncClient(sync, connection.tokens, mirror.client_id), connection
            except ClockWentBackError:
                self._is_full = True
                raise

    def _whole(self, mirror: Mirror, client: SyncClient) -> Pulled:
        result = pull_everything(
            mirror,
            client,
            self._around.registry,
            full=self._is_full,
            extra_apps=self._settings.extra_apps,
            progress=pull_teller(self._around.progress, Step.PULL),
        )
        self._is_full = False
        return Pulled(result.changes_new, self._listen(mirror, result.changes_new), whole=result)

    def _listen(self, mirror: Mirror, new: int) -> int:
        """Listens to the apps that the mirror holds something of; how many there are."""
        is_first = self._streams is None
        if self._streams is None:
            client = SyncClient(self._connection.sync, self._connection.tokens, mirror.client_id)
            self._streams = Streams(client, self._board, jitter=self._around.jitter, silence=self._settings.silence)
        if mirror.pulled_at is not None:
            since = max(0, mirror.pulled_at - int(OVERLAP_SECONDS * SECOND))
            self._streams.since = format_timestamp(since)
        if new or is_first:
            self._open_streams(self._streams, mirror)
        return len(self._streams.apps)

    def _open_streams(self, streams: Streams, mirror: Mirror) -> None:
        """Those of the apps with the most changes, as many as there may be."""
        with mirror.snapshot() as snapshot:
            held = [one for one in snapshot.collections() if one.changes]
        changes: Counter[str] = Counter()
        for one in held:
            changes[one.app] += one.changes
        for app, _ in changes.most_common():
            if len(streams.apps) >= self._settings.most_streams:
                break
            streams.open(app, [one.name for one in held if one.app == app])
