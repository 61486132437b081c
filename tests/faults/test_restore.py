"""Every fault at every request of a restore: at the end the target is as planned, and nothing was sent in vain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import ManabackupError, ServerError
from manabackup.limits import Limits
from manabackup.model.projection import fold
from manabackup.model.registry import load
from manabackup.operations.restore.from_archive import RestoreJob, RestoreOrder
from manabackup.operations.restore.identity import TargetSpaces
from manabackup.operations.restore.result import RestoreResult
from manabackup.operations.restore.target_account import TargetAccount
from manabackup.remote.connection import Connection
from manabackup.remote.session import StaticToken
from manabackup.remote.transport import Transport
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from manabackup.text.timestamps import SECOND, format_timestamp
from tests.support.archives import meta_of, ours
from tests.support.line import JSON, Line, Script
from tests.support.shares import some

from .acts import edits_json, resets
from .catalogue import EVERYWHERE, FAULTS, PAGES, ROUNDS, STATUSES, Fault, Then, at_random

TABLE = load().by_name["augurEntries"]
APP = f"/sync/{TABLE.app}"
THEN = "2026-04-20T08:15:30.123Z"
ROWS = [{"id": f"r{number}", "sourceCategory": "new", "n": number} for number in range(6)]
"""Of which the target has the first two, in another version, the first of them unsound."""
READING = {
    "plan's clock": {"method": "GET", "first": 1},
    "plan's page": {"method": "GET", "first": 2},
    "plan's last page": {"method": "GET", "first": 3},
    "look before the push": {"method": "GET", "first": 4},
    "verification's page": {"method": "GET", "first": 6},
    "verification's last page": {"method": "GET", "first": 7},
}
"""The requests that read, by what they are for, when nothing goes wrong."""
PUSH = {"method": "POST", "first": 1}


class Desk:
    """A target account, and a restore into it."""

    def __init__(self, box: Sandbox, line: Line, archive: Path, folder: Path, user: str) -> None:
        self.box, self.line, self.archive, self.folder, self.user = box, line, archive, folder, user

    @contextmanager
    def job(self, **limits: float) -> Iterator[RestoreJob]:
        tokens = StaticToken(self.box.accounts.issue_token(self.user))
        chosen = Limits(**{"attempts": 3, **limits})  # type: ignore[arg-type]
        with (
            open_archive(self.archive) as archive,
            Transport(self.box.url, limits=chosen, sleep=lambda _: None) as line,
        ):
            account = TargetAccount(
                Connection(self.user, tokens, line, line),
                TargetSpaces(self.user, {"home": "personal"}, "home"),
                FieldCipher(bytes(range(32))),
            )
            with RestoreJob(archive, account, RestoreOrder(), self.folder / "restore") as job:
                yield job

    def restore(self, **limits: float) -> RestoreResult:
        """As the command does it: goes on with what was begun."""
        with self.job(**limits) as job:
            if job.resumed() is None:
                job.plan()
            job.push()
            result = job.result(job.verify())
            job.forget()
        return result

    def changes(self) -> dict[str, list[JSON]]:
        """What the log has of each row."""
        found: dict[str, list[JSON]] = {}
        for row in self.box.log.pull(TABLE.app, TABLE.collection, Asked(self.user, [], "?", -1, 10**6)):
            change = jsontext.parse(row.wire())
            found.setdefault(change["id"], []).append(change)
        return found

    def assert_as_planned(self, *, once: bool = True) -> None:
        """Every row is as archived, and took no more changes than it takes when nothing goes wrong."""
        changes = self.changes()
        assert len(changes) == len(ROWS)
        for row in ROWS:
            record = fold(TABLE, changes[str(row["id"])])
            assert record.state == "live"
            assert {name: record.values[name] for name in ("sourceCategory", "n")} == {
                name: value for name, value in row.items() if name != "id"
            }
        operations = [" ".join(change["op"] for change in of_row) for of_row in changes.values()]
        usual = ["insert delete insert update", "insert update", *["insert"] * 4]
        assert not once or sorted(operations) == sorted(usual)


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    with Sandbox(middleware=[line]) as running:
        running.accounts.create_user("b@example.org", "password", "B", user_id="b", bootstrap=False)
        yield running


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meta = [meta_of(row, at=THEN, space=0) for row in ROWS]
    path = tmp_path_factory.mktemp("archive") / "a.mana"
    return ours(path, {TABLE.name: ROWS}, meta={TABLE.name: meta}, actors=())


@pytest.fixture
def desk(box: Sandbox, line: Line, archive: Path, tmp_path: Path) -> Desk:
    line.forget()
    box.log.erase("b")
    for record, times in (("r0", {}), ("r1", {"createdAt": THEN})):
        data = {"sourceCategory": "old", "n": -1, "spaceId": "home", **times}
        change = {"table": TABLE.collection, "id": record, "op": "insert", "data": data, "spaceId": "home"}
        box.log.append("b", "laptop", TABLE.app, change, created_at_us=1_767_225_600_000_000)
    return Desk(box, line, archive, tmp_path, "b")


def test_nothing_goes_wrong_to_begin_with(desk: Desk) -> None:
    result = desk.restore()
    assert result.verification is not None
    assert result.verification.ok
    desk.assert_as_planned()
    seen = [request.method for request in desk.line.requests]
    # The fourth is the look at the rows that are about to be written.
    assert seen == [*["GET"] * 4, "POST", *["GET"] * 3]
    assert [len(request.changes) for request in desk.line.requests] == [0, 0, 0, 0, 8, 0, 0, 0]


def tried(
    desk: Desk, script: Script, fault: Fault, times: int | None
) -> tuple[ManabackupError | None, RestoreResult | None]:
    """What comes of a restore on which something goes wrong, and of the same command given again."""
    error: ManabackupError | None = None
    result: RestoreResult | None = None
    with desk.line.under(script):
        try:
            result = desk.restore(**fault.limits_of(times))
        except ManabackupError as raised:
            error = raised
    assert script.met
    if error is not None:
        assert error.message.isprintable()
    return error, result


def assert_done(result: RestoreResult) -> None:
    assert result.verification is not None
    assert result.verification.ok, result.verification.cases
    assert result.failed == 0


def pushes() -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = []
    for fault in EVERYWHERE:
        found += [(1, fault.name)] * (fault.then not in (Then.SURVIVES, Then.UNWIELDY))
        found += [(None, fault.name)] * (fault.then in (Then.SURVIVES, Then.UNWIELDY) or fault in STATUSES)
    return found


@pytest.mark.parametrize(("times", "name"), some(pushes()))
def test_R2_S9_whatever_goes_wrong_with_a_push_the_target_is_as_planned_in_the_end(
    desk: Desk, times: int | None, name: str
) -> None:
    fault = FAULTS[name]
    error, result = tried(desk, Script(fault.act, **PUSH, times=times), fault, times)  # type: ignore[arg-type]
    if result is not None and not result.failed:
        assert_done(result)
        desk.assert_as_planned()
    if result is not None and result.failed:
        assert len(result.failures) == result.failed
        assert fault.then is not Then.SURVIVES
        assert fault.then is not Then.PASSES or times is None
    if error is not None:
        assert fault.then is not Then.SURVIVES
        assert fault.then is not Then.PASSES or times is None, error
    if error is not None or (result is not None and result.failed):
        again = desk.restore()
        if again.failed:  # refused, each for itself, before the error came: told now, and planned anew the next time
            assert fault.then is not Then.PASSES or times is None
            again = desk.restore()
        assert_done(again)
        desk.assert_as_planned()


READ_WRONG = [
    "resets before the answer",
    "cut in the body",
    "never answers",
    "401, the token has expired",
    "401 for want of the key set",
    "402",
    "403",
    "307 to 'https://evil.invalid/sync'",
    "503",
    "HTML",
    "half of it",
    "zstd bomb",
    "nested 100,000 deep",
]
"""One of each sort. That a pull survives all of them is tried with pulls."""


def readings() -> list[tuple[str, str]]:
    pages = [
        (call, fault.name)
        for call in ("plan's last page", "plan's clock", "look before the push", "verification's last page")
        for fault in PAGES
    ]
    return [(call, name) for call in READING for name in READ_WRONG] + pages


@pytest.mark.parametrize(("call", "name"), some(readings()))
def test_S1_S3_S4_S9_whatever_goes_wrong_while_the_target_is_read_it_is_as_planned_in_the_end(
    desk: Desk, call: str, name: str
) -> None:
    fault = FAULTS[name]
    error, result = tried(desk, Script(fault.act, **READING[call]), fault, 1)  # type: ignore[arg-type]
    if call.startswith("plan") and error is not None:
        assert not desk.line.pushed, "nothing is sent on a plan that is none"
    if error is not None:
        assert fault.then not in (Then.SURVIVES, Then.PASSES), error
    # Of a table whose page makes no sense nothing is restored; that is told, and the same command goes on.
    if result is None or result.losses or result.verification is None or not result.verification.ok:
        assert_done(desk.restore())
    desk.assert_as_planned(once=fault.then is not Then.LIES)
    tomorrow = format_timestamp(desk.box.log.now_ns() // 1_000 + 86_400 * SECOND)
    for change in desk.line.sent:
        for field in change.get("fields", {}).values():
            assert field["at"] < tomorrow


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_R2_S9_whatever_goes_wrong_at_random_the_target_is_as_planned_in_the_end(desk: Desk, seed: int) -> None:
    for again in range(5):
        with desk.line.under(at_random(1_000 * seed + again, share=0.25)), suppress(ManabackupError):
            desk.restore()
    result = desk.restore()
    if result.failed:  # refused before: told now, and planned anew
        result = desk.restore()
    assert result.failed == 0
    desk.assert_as_planned(once=False)


@pytest.mark.parametrize("first", [4, 5], ids=["before a push", "after it"])
def test_S3_R2_looking_for_what_a_push_left_ends_on_a_server_that_stands_still_and_invents(
    desk: Desk, first: int
) -> None:
    numbers = itertools.count()

    def invent(page: JSON) -> JSON:
        change = {"eventId": f"invented {next(numbers)}", "table": TABLE.collection, "id": "x", "op": "delete"}
        return {**page, "serverChanges": [change], "syncedUntil": "2026-01-01T00:00:00Z", "hasMore": True}

    push = Script(resets, **PUSH)  # type: ignore[arg-type]
    looks = Script(edits_json(invent), method="GET", first=first, times=None)
    with desk.line.under(lambda request: push(request) or looks(request)), pytest.raises(ServerError, match="over"):
        desk.restore()
    assert looks.met < 10
    assert_done(desk.restore())
    desk.assert_as_planned()
