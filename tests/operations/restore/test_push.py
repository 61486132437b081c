"""Pushing: requests that suit the line, and nothing sent twice that the server has."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import ServerError, SubscriptionError
from manabackup.limits import MIB, Limits
from manabackup.model import registry
from manabackup.operations.restore.changes import ACTOR, ORIGIN
from manabackup.operations.restore.lookout import Lookout
from manabackup.operations.restore.outbox import Item, Outbox, State
from manabackup.operations.restore.push import CLOCK, Push, PushLine
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import PushClient, SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.line import Line, Spoiled

JSON = Any
AT = "2026-06-01T12:00:00.000Z"
SLOW = Spoiled(0, 400, "invalid JSON: read tcp 127.0.0.1:3050: i/o timeout")


class Bench:
    """A server, an account, and an outbox."""

    def __init__(self, box: Sandbox, line: Line, folder: Path) -> None:
        self.box, self.line = box, line
        self.user = box.accounts.create_user("b@example.org", "password", "B", bootstrap=False).id
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.outbox.remember(CLOCK, "2026-01-01T00:00:00Z")
        self.waited: list[float] = []
        self.overtaken: list[str] = []
        """Rows that somebody touched."""
        self.took = 0.0
        """Seconds that the next uploads take."""

    def fill(self, *items: Item) -> None:
        self.outbox.add(items)

    def run(self) -> None:
        """Pushes what is planned, as a process of its own would."""
        tokens = StaticToken(self.box.accounts.issue_token(self.user))
        ticks = iter(range(10**9))

        def seconds() -> float:
            return next(ticks) % 2 * self.took

        with Transport(
            self.box.url,
            limits=Limits(attempts=3),
            sleep=self.waited.append,
            jitter=lambda: 1.0,
            clock=lambda: sum(self.waited),  # no time passes but in pauses
        ) as line:
            writer = PushClient(line, tokens, self.outbox.client_id)
            self.push(writer, line, tokens, seconds=seconds).run()

    def push(
        self,
        writer: PushClient,
        line: Transport,
        tokens: StaticToken,
        seconds: Callable[[], float] = time.monotonic,
        **more: Any,
    ) -> Push:
        reader, others = (SyncClient(line, tokens, client) for client in ("somebody else", self.outbox.client_id))
        lookout = Lookout(self.outbox, others, registry.load(), 0)
        return Push(self.outbox, PushLine(writer, reader, lookout, seconds), self.plan_anew, **more)

    def plan_anew(self, last: bool) -> None:
        """Drops what somebody touched."""
        self.overtaken += [item.record for item in self.outbox.stale()]
        self.outbox.plan_anew([], self.outbox.stale(), None)

    def stored(self, app: str = "todo", collection: str = "tasks") -> list[JSON]:
        """What the log holds, in its order."""
        rows = self.box.log.pull(app, collection, Asked(self.user, frozenset(), "?", -1, 10**6))
        return [jsontext.parse(row.wire()) for row in rows]

    def operations(self, record: str) -> str:
        """What was done to a record."""
        return " ".join(change["op"] for change in self.stored() if change["id"] == record)

    def states(self) -> Counter[State]:
        counts: Counter[State] = Counter()
        for (_, state), count in self.outbox.counts().items():
            counts[state] += count
        return counts


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    line = Line()
    with Sandbox(middleware=[line]) as box:
        found = Bench(box, line, tmp_path)
        with found.outbox:
            yield found


def change(record: str, operation: str, **content: JSON) -> bytes:
    return jsontext.dumps(
        {"table": "tasks", "id": record, "op": operation, **content, "actor": ACTOR, "origin": ORIGIN}
    )


def insert(record: str, **values: JSON) -> bytes:
    return change(record, "insert", data={"title": record, "createdAt": AT, **values})


def update(record: str, title: str = "new") -> bytes:
    return change(record, "update", fields={"title": {"value": title, "at": AT}})


def inserted(record: str, **values: JSON) -> Item:
    return item(record, [insert(record, **values)])


def replaced(record: str) -> Item:
    return item(record, [change(record, "delete"), insert(record), update(record)], "replace")


def item(record: str, changes: list[bytes], means: str = "insert", app: str = "todo", **more: Any) -> Item:
    return Item(0, app, "tasks", record, means, "insert" if means == "insert" else "update", changes, (), **more)


def rows(count: int, make: Callable[[str], Item] = inserted) -> list[Item]:
    return [make(f"r{number:04}") for number in range(count)]


# --- requests ---------------------------------------------------------------------------------------------------------


def test_everything_is_sent_once_in_requests_of_two_hundred_changes(bench: Bench) -> None:
    bench.fill(*rows(450))
    bench.run()
    assert [len(pushed.changes) for pushed in bench.line.pushed] == [200, 200, 50]
    assert [stored["id"] for stored in bench.stored()] == [f"r{number:04}" for number in range(450)]
    assert bench.states() == {State.DONE: 450}


def test_a_request_asks_for_nothing_back(bench: Bench) -> None:
    bench.fill(inserted("a"))
    bench.run()
    body = bench.line.pushed[0].json
    assert body["since"] == "2999-01-01T00:00:00Z"
    assert (body["clientId"], body["schemaVersion"]) == (bench.line.pushed[0].client_id, 1)


def test_one_client_id_pushes_and_looks_at_what_others_do_and_another_reads_what_was_stored(bench: Bench) -> None:
    bench.fill(*rows(3))
    bench.line.faults(Spoiled(2, None))
    bench.run()
    assert {pushed.client_id for pushed in bench.line.pushed} == {bench.outbox.client_id}
    assert bench.line.readers == {"somebody else", bench.outbox.client_id}


def test_the_changes_of_a_replace_go_in_one_request(bench: Bench) -> None:
    bench.fill(*rows(150, replaced))
    bench.run()
    for pushed in bench.line.pushed:
        assert len(pushed.changes) % 3 == 0
        assert len(pushed.changes) <= 200
    assert bench.operations("r0077") == "delete insert update"


def test_requests_double_while_the_line_is_quick_and_stay_when_it_is_not(bench: Bench) -> None:
    bench.fill(*rows(46, lambda record: inserted(record, text="x" * 500_000)))
    bench.run()
    assert [len(pushed.changes) for pushed in bench.line.pushed] == [2, 4, 8, 16, 16]
    assert max(len(pushed.body) for pushed in bench.line.pushed) <= 8 * MIB + 1_000


def test_requests_stay_small_on_a_slow_line(bench: Bench) -> None:
    bench.took = 3.0
    bench.fill(*rows(8, lambda record: inserted(record, text="x" * 500_000)))
    bench.run()
    assert {len(pushed.changes) for pushed in bench.line.pushed} == {2}


def test_a_body_that_does_not_arrive_in_time_is_sent_in_halves(bench: Bench) -> None:
    bench.took = 20.0
    bench.fill(*rows(16))
    bench.line.faults(SLOW, SLOW)
    bench.run()
    counts = [len(pushed.changes) for pushed in bench.line.pushed]
    assert counts[0] == 16
    assert 7 <= counts[1] <= 8
    assert max(counts[2:]) <= counts[1] // 2
    assert len(bench.stored()) == 16


def test_R3_a_single_row_that_is_too_slow_twice_is_reported_and_the_others_go_on(bench: Bench) -> None:
    bench.fill(*rows(4))
    bench.line.push_fault = lambda pushed: SLOW if any(one["id"] == "r0002" for one in pushed.changes) else None
    bench.run()
    assert [stored["id"] for stored in bench.stored()] == ["r0000", "r0001", "r0003"]
    (failure,) = bench.outbox.failures(10)
    assert failure[:2] == ("tasks", "r0002")
    assert "i/o timeout" in failure[2]
    assert sum(1 for pushed in bench.line.pushed if [one["id"] for one in pushed.changes] == ["r0002"]) == 2


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_R3_a_row_that_the_server_refuses_is_isolated_and_reported_with_its_words(bench: Bench) -> None:
    bench.fill(*[inserted(f"r{n:03}", title="\0") if n in (40, 41, 150) else inserted(f"r{n:03}") for n in range(200)])
    bench.run()
    assert [record for _, record, _ in bench.outbox.failures(10)] == ["r040", "r041", "r150"]
    assert "unsupported Unicode escape" in bench.outbox.failures(1)[0][2]
    stored = [stored["id"] for stored in bench.stored()]
    assert len(stored) == len(set(stored)) == 197
    assert len(bench.line.pushed) < 60


def test_R3_a_row_that_is_refused_with_400_is_isolated_too(bench: Bench) -> None:
    refusal = Spoiled(0, 400, "no such luck")
    bench.fill(*rows(9))
    bench.line.push_fault = lambda pushed: refusal if any(one["id"] == "r0005" for one in pushed.changes) else None
    bench.run()
    assert bench.outbox.failures(10) == [("tasks", "r0005", "400 no such luck")]
    assert len(bench.stored()) == 8


def test_R3_a_row_that_makes_the_server_hang_up_is_isolated_too(bench: Bench) -> None:
    bench.fill(*rows(9))
    bench.line.push_fault = lambda pushed: (
        Spoiled(0, None) if any(one["id"] == "r0005" for one in pushed.changes) else None
    )
    bench.run()
    assert [record for _, record, _ in bench.outbox.failures(10)] == ["r0005"]
    assert len(bench.stored()) == 8


def test_R3_a_server_that_refuses_everything_is_not_asked_row_by_row_for_ever(bench: Bench) -> None:
    bench.fill(*rows(100))
    bench.line.push_fault = lambda pushed: Spoiled(0, 400, "no such luck")
    with pytest.raises(ServerError, match="refuses one row after the other"):
        bench.run()
    assert len(bench.line.pushed) < 100


# --- answers that say nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [0, 1, 2, 3, 4, 7, 30, None])
@pytest.mark.parametrize("status", [500, 502, None], ids=["500", "502", "cut"])
def test_R2_what_the_server_has_is_never_sent_again(bench: Bench, stored: int | None, status: int | None) -> None:
    bench.fill(*rows(10, replaced))
    bench.line.faults(Spoiled(stored, status))
    bench.run()
    for number in range(10):
        assert bench.operations(f"r{number:04}") == "delete insert update"
    assert bench.states() == {State.DONE: 10}


@pytest.mark.parametrize(("status", "words"), [(200, ""), (200, "<html>sign in to the hotel's network"), (204, "")])
@pytest.mark.parametrize("stored", [0, 4, None])
def test_R2_an_answer_that_is_no_page_does_not_say_that_anything_is_stored(
    bench: Bench, stored: int | None, status: int, words: str
) -> None:
    bench.fill(*rows(10, replaced))
    bench.line.faults(Spoiled(stored, status, words))
    bench.run()
    for number in range(10):
        assert bench.operations(f"r{number:04}") == "delete insert update"
    assert bench.states() == {State.DONE: 10}


@pytest.mark.parametrize("stored", [0, 1, 2, 3])
def test_R2_a_replace_that_died_between_its_parts_is_finished_with_the_same_bytes(bench: Bench, stored: int) -> None:
    bench.fill(replaced("a"))
    (planned,) = bench.outbox.planned("todo", items=1, changes=200, size=MIB)
    bench.outbox.send([planned], "2026-01-01T00:00:00Z")
    for text in planned.changes[:stored]:
        bench.box.log.append(bench.user, bench.outbox.client_id, "todo", jsontext.parse(text))
    bench.run()
    assert bench.operations("a") == "delete insert update"
    assert [jsontext.dumps(one) for one in bench.line.sent] == list(planned.changes[stored:])


def test_what_somebody_did_to_the_row_since_does_not_matter(bench: Bench) -> None:
    bench.fill(replaced("a"))
    (planned,) = bench.outbox.planned("todo", items=1, changes=200, size=MIB)
    bench.outbox.send([planned], "2026-01-01T00:00:00Z")
    bench.box.log.append(bench.user, bench.outbox.client_id, "todo", jsontext.parse(planned.changes[0]))
    edit = {"table": "tasks", "id": "a", "op": "update", "fields": {"title": {"value": "theirs", "at": "2026-06-02"}}}
    bench.box.log.append(bench.user, "laptop", "todo", edit)
    bench.run()
    assert bench.operations("a") == "delete update insert update"


def test_changes_of_an_earlier_restore_do_not_count(bench: Bench) -> None:
    event = bench.box.log.append(bench.user, "another restore", "todo", jsontext.parse(insert("a")))
    bench.fill(Item(0, "todo", "tasks", "a", "replace", "update", replaced("a").changes, [event]))
    bench.line.faults(Spoiled(1, None))
    bench.run()
    assert bench.operations("a") == "insert delete insert update"


def test_more_changes_than_a_page_are_looked_through(bench: Bench) -> None:
    bench.fill(*rows(200))
    for number in range(2_500):
        bench.box.log.append(bench.user, "laptop", "todo", {"table": "tasks", "id": f"x{number}", "op": "delete"})
    bench.line.faults(Spoiled(120, None))
    bench.run()
    assert Counter(stored["id"][0] for stored in bench.stored()) == {"r": 200, "x": 2_500}


@pytest.mark.parametrize("status", [503, 429])
def test_a_server_that_is_busy_is_waited_for(bench: Bench, status: int) -> None:
    bench.fill(*rows(5))
    asked = Spoiled(0, status, "later", ((b"retry-after", b"7"),))
    bench.line.faults(asked, asked)
    bench.run()
    assert [seconds for seconds in bench.waited if seconds > 2] == pytest.approx([7.0, 7.0])
    assert sum(bench.waited) < 16  # with the usual pauses before it is sent again
    assert len(bench.stored()) == 5


def test_R2_a_server_that_stays_busy_ends_the_run_and_the_next_one_goes_on(bench: Bench) -> None:
    bench.fill(*rows(450))
    pushes = iter(range(100))
    bench.line.push_fault = lambda pushed: Spoiled(0 if next(pushes) else 50, 503, "later")
    with pytest.raises(ServerError, match="later"):
        bench.run()
    assert len(bench.stored()) == 50
    bench.line.push_fault = lambda pushed: None
    bench.run()
    stored = [stored["id"] for stored in bench.stored()]
    assert len(stored) == len(set(stored)) == 450


def test_an_inactive_subscription_ends_the_run_and_the_next_one_goes_on(bench: Bench) -> None:
    bench.fill(*rows(5))
    bench.box.accounts.set_subscription(bench.user, active=False)
    with pytest.raises(SubscriptionError):
        bench.run()
    bench.box.accounts.set_subscription(bench.user, active=True)
    bench.run()
    assert len(bench.stored()) == 5


def test_only_what_is_half_done_is_finished_when_a_restore_is_given_up(bench: Bench) -> None:
    bench.fill(*rows(3, replaced))
    bench.outbox.send(bench.outbox.planned("todo", items=2, changes=200, size=MIB), "2026-01-01T00:00:00Z")
    bench.box.log.append(bench.user, bench.outbox.client_id, "todo", jsontext.parse(change("r0000", "delete")))
    tokens = StaticToken(bench.box.accounts.issue_token(bench.user))
    with Transport(bench.box.url) as line:
        writer = PushClient(line, tokens, bench.outbox.client_id)
        bench.push(writer, line, tokens).finish_begun()
    assert bench.operations("r0000") == "delete insert update"
    assert bench.operations("r0001") == bench.operations("r0002") == ""


def test_the_rest_of_a_row_is_not_sent_twice_where_its_answer_was_lost(bench: Bench) -> None:
    bench.fill(replaced("r0000"))
    bench.outbox.send(bench.outbox.planned("todo", items=1, changes=200, size=MIB), "2026-01-01T00:00:00Z")
    bench.box.log.append(bench.user, bench.outbox.client_id, "todo", jsontext.parse(change("r0000", "delete")))
    bench.line.faults(Spoiled(None, None))
    tokens = StaticToken(bench.box.accounts.issue_token(bench.user))
    with Transport(bench.box.url) as line:
        writer = PushClient(line, tokens, bench.outbox.client_id)
        with pytest.raises(ServerError):
            bench.push(writer, line, tokens).finish_begun()
        bench.push(writer, line, tokens).finish_begun()
    assert bench.operations("r0000") == "delete insert update"
