"""Every fault at every request of a pull: all is there afterwards, or an error names it and the next pull gets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from manabackup.errors import ManabackupError, ServerError, SignInError, SubscriptionError
from manabackup.limits import Limits
from manabackup.mirror import Loss, LossKind, Mirror
from manabackup.operations import pull
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Asked, Sandbox, StoredChange
from manabackup.text import jsontext
from tests.support.box import REGISTRY, USER
from tests.support.clock import Clock
from tests.support.line import JSON, Line, Script
from tests.support.shares import some

from .catalogue import EVERYWHERE, FAULTS, PAGES, ROUNDS, Then, at_random

COLLECTIONS = (("todo", "tasks"), ("todo", "lists"), ("notes", "notes"))
CALLS = {
    "the clock": {"method": "GET", "path": "/sync/todo/pull"},
    "a page": {"method": "GET", "path": "/sync/todo/pull.*tasks", "first": 2},
    "a search": {"method": "POST", "path": "/sync/todo"},
}
"""The requests of a pull, by what they ask for."""
ANSWER_CHANGES = 8
"""In place of 5,000: an app of few changes is searched in several steps, as one of many is."""


class Desk:
    """A server, an account of a few rows, some of them new, and a mirror that holds the others."""

    def __init__(self, box: Sandbox, line: Line, folder: Path) -> None:
        self.box, self.line, self.folder = box, line, folder

    def write(self, *, seconds_ago: int, count: int) -> None:
        now = self.box.log.now_ns() // 1_000
        for app, collection in COLLECTIONS:
            changes = [
                {"table": collection, "id": f"r{number}", "op": "insert", "data": {"n": number, "text": "x" * 200}}
                for number in range(count)
            ]
            self.box.log.append_many(
                StoredChange(USER, "elsewhere", app, change, now - seconds_ago * 1_000_000 + number)
                for number, change in enumerate(changes)
            )

    def pull(self, *, full: bool = False, **limits: float) -> pull.PullResult:
        tokens = StaticToken(self.box.accounts.issue_token(USER))
        chosen = Limits(**{"attempts": 3, "post_changes": ANSWER_CHANGES, **limits})  # type: ignore[arg-type]
        with (
            Mirror(self.folder / "mirror.sqlite", sync_url=self.box.url, user_id=USER) as mirror,
            Transport(self.box.url, limits=chosen, sleep=lambda _: None) as transport,
        ):
            return pull.run(mirror, SyncClient(transport, tokens, mirror.client_id), REGISTRY, full=full, limits=chosen)

    def pull_again(self) -> tuple[tuple[Loss, ...], bool]:
        """Gives what is missing, and whether the hint was followed to compare everything."""
        try:
            return self.pull().losses, False
        except ServerError as error:
            if "--full" not in (error.hint or ""):
                raise
        return self.pull(full=True).losses, True

    def held(self, app: str, collection: str) -> list[JSON]:
        """Event ids in the mirror's order, of whatever has one."""
        path = self.folder / "mirror.sqlite"
        with Mirror(path, sync_url=self.box.url, user_id=USER) as mirror, mirror.snapshot() as snapshot:
            lines = [line for page in snapshot.read(app, collection) for line in page.lines()]
        changes = [jsontext.parse(line) for line in lines]
        return [change.get("eventId") for change in changes if isinstance(change, dict)]

    def stored(self, app: str, collection: str) -> list[str]:
        """Event ids in the server's order."""
        rows = self.box.log.pull(app, collection, Asked(USER, frozenset(), "reader", -1, 10**9))
        return [row.event_id for row in rows]

    def assert_whole(self, *, in_order: bool = True) -> None:
        """The mirror holds what the server has, each change once, and in its order unless the server told another."""
        for app, collection in COLLECTIONS:
            stored = self.stored(app, collection)
            held = [event for event in self.held(app, collection) if event in stored]
            assert held == stored if in_order else sorted(held) == sorted(stored)


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def box(line: Line, clock: Clock) -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch, Sandbox(middleware=[line], clock=clock) as running:
        patch.setattr("manabackup.sandbox.sync.ANSWER_CHANGES", ANSWER_CHANGES)
        running.accounts.create_user(f"{USER}@example.org", "password", USER, user_id=USER, bootstrap=False)
        yield running


@pytest.fixture(scope="module")
def stocked(box: Sandbox, line: Line, clock: Clock, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """A mirror that was pulled just before the last changes were written, as a file, and the moment after that."""
    desk = Desk(box, line, tmp_path_factory.mktemp("stocked"))
    desk.write(seconds_ago=3_600, count=20)
    desk.pull()
    desk.write(seconds_ago=0, count=5)
    return (desk.folder / "mirror.sqlite").read_bytes(), clock()


@pytest.fixture
def desk(box: Sandbox, line: Line, clock: Clock, stocked: tuple[bytes, int], tmp_path: Path) -> Desk:
    """Each test begins at the same moment: what was written last is no older for the last test than for the first."""
    line.forget()
    mirror, moment = stocked
    clock.go_to(moment)
    (tmp_path / "mirror.sqlite").write_bytes(mirror)
    return Desk(box, line, tmp_path)


def cases() -> list[tuple[str, int | None, str]]:
    """What cannot be told apart is tried once: a fault that ends the command ends it the first time.

    The clock is asked for in the same way as a page; only what a page says of the time makes a difference.
    """
    found: list[tuple[str, int | None, str]] = []
    for call in CALLS:
        for fault in PAGES if call == "the clock" else [*EVERYWHERE, *PAGES]:
            found += [(call, 1, fault.name)] * (fault.then not in (Then.SURVIVES, Then.UNWIELDY))
            found += [(call, None, fault.name)] * (fault.then is not Then.ENDS)
    return found


@pytest.mark.parametrize(("call", "times", "name"), some(cases()))
def test_S1_S3_S4_S8_S9_whatever_goes_wrong_a_pull_gets_all_or_says_what_it_was(
    desk: Desk, clock: Clock, call: str, times: int | None, name: str
) -> None:
    fault = FAULTS[name]
    script = Script(fault.act, **CALLS[call], times=times)  # type: ignore[arg-type]
    error: ManabackupError | None = None
    missing: tuple[Loss, ...] = ()
    if call == "a search":
        clock.skip(timedelta(days=pull.SEARCH_DAYS))
    with desk.line.under(script):
        try:
            missing = desk.pull(full=False, **fault.limits_of(times)).losses
        except ManabackupError as raised:
            error = raised
    assert script.met
    if error is None:
        # A page that makes no sense is not the others' fault: it is named, and all else is read.
        named = [(loss.kind, loss.app, loss.collection) for loss in missing]
        assert (
            fault.then is not Then.ENDS or call == "a search" or named == [(LossKind.UNREADABLE_PAGE, "todo", "tasks")]
        )
    else:
        assert fault.then is not Then.SURVIVES, error
        assert fault.then is not Then.PASSES or times is None, error
        assert call != "a search" or isinstance(error, SignInError | SubscriptionError), error
        assert error.message.isprintable()
    lied = fault.then is Then.LIES
    losses, full = desk.pull_again()
    assert not full or (lied and call == "the clock")
    if call == "a search":
        assert {loss.kind for loss in losses} <= {LossKind.UNSEARCHED}
        desk.assert_whole()
    else:
        assert losses == () or lied
        desk.assert_whole(in_order=not lied)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_S1_S3_S4_S8_S9_whatever_goes_wrong_at_random_in_the_end_all_is_there_once(desk: Desk, seed: int) -> None:
    for again in range(5):
        with desk.line.under(at_random(1_000 * seed + again, share=0.25)), suppress(ManabackupError):
            desk.pull()
    desk.pull_again()
    desk.assert_whole(in_order=False)
