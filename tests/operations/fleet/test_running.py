"""A fleet's run: everything is done once, what ends its process alone is bad, and nothing done is done again."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from manabackup.errors import LockedError, NotFoundError, UsageError
from manabackup.host.workers import Reply
from manabackup.operations.fleet import FleetSummary, Job, Ledger, LocalEngine, State, archives
from manabackup.operations.fleet.items import UNREAD, Listed
from manabackup.operations.fleet.outcome import Outcome
from manabackup.operations.fleet.running import Task
from tests.support.scripted import Said, scripted

from .conftest import Fleet, named


class Watching:
    """An engine with somebody who does something after so many replies."""

    def __init__(self, engine: LocalEngine, after: int) -> None:
        self._engine, self._after = engine, after
        self.name, self.workers, self.may_repeat = engine.name, engine.workers, engine.may_repeat
        self.room = engine.room
        self.give = engine.give

    def wait(self, seconds: float) -> Sequence[Reply]:
        replies = self._engine.wait(seconds)
        if self._after > 0 >= self._after - len(replies):
            self.act()
        self._after -= len(replies)
        return replies

    def act(self) -> None:
        raise KeyboardInterrupt


class KillingWorkers(Watching):
    """All workers are killed once, in the midst of their work."""

    def act(self) -> None:
        for worker in self._engine._running:  # noqa: SLF001 # what the system's killer would see
            os.kill(worker.process, signal.SIGKILL)


def test_every_item_is_done_once_and_unchanged_ones_never_again(fleet: Fleet) -> None:
    names = [f"{number:02}" for number in range(40)]
    fleet.add(*names)
    found = fleet.run()
    assert (found.items, found.tried, found.new, found.exit_code) == (40, 40, 40, 0)
    assert fleet.begun() == dict.fromkeys(names, 1)
    found = fleet.run()
    assert (found.items, found.tried, found.new, found.changed) == (40, 0, 0, 0)
    assert not fleet.begun()
    (fleet.folder / "07.mana").write_text("it has changed")
    fleet.add("40")
    (fleet.folder / "11.mana").unlink()
    found = fleet.run()
    assert fleet.begun() == {"07": 1, "40": 1}
    assert (found.items, found.tried, found.new, found.gone) == (40, 2, 1, 1)
    assert found.gone_now == 1
    assert [(Path(item["name"]).name, item["exit_code"]) for item in found.gone_items] == [("11.mana", 0)]
    found = fleet.run(again=True)
    assert fleet.begun().total() == 40
    assert (found.gone, found.gone_now, found.gone_items) == (1, 0, [])


def test_what_was_done_long_ago_is_done_again_where_that_is_wanted(fleet: Fleet) -> None:
    fleet.add("a")
    fleet.run()
    fleet.now += 100
    fleet.add("b")
    fleet.run(older_than=fleet.now - 200)
    assert fleet.begun() == {"a": 1, "b": 1}
    fleet.run(older_than=fleet.now - 50)
    assert fleet.begun() == {"a": 1}


def test_exactly_the_poison_item_is_bad_and_takes_nobody_with_it(fleet: Fleet) -> None:
    names = [f"{number:02}" for number in range(60)]
    fleet.add(*names, "10-kill", "30-kill-once")
    found = fleet.run()
    assert found.states == {State.DONE: 61, State.BAD: 1}
    (bad,) = found.failing
    assert named([bad]) == ["10-kill"]
    assert (bad["error"], bad["exit_code"]) == ("lost-process", 1)
    assert "SIGKILL" in bad["message"]
    assert fleet.begun() == {**dict.fromkeys(names, 1), "10-kill": 2, "30-kill-once": 2}
    assert fleet.run().tried == 0  # it has not changed: nobody tries it again unasked
    assert not fleet.begun()


def test_what_hangs_is_ended_and_what_takes_all_memory_ends_alone(fleet: Fleet) -> None:
    fleet.add("a-hang", "b-grow", *(f"c{number}" for number in range(10)))
    found = fleet.run(deadline=2)
    assert found.states == {State.DONE: 10, State.BAD: 2}
    messages = {Path(item["name"]).stem: item["message"] for item in found.failing}
    assert "not done after 2 seconds" in messages["a-hang"]
    assert messages["b-grow"]


@pytest.mark.parametrize(("ending", "count", "after"), [("-slow", 40, 7), ("", 400, 150)])
def test_workers_that_are_killed_cost_no_item_anything(fleet: Fleet, ending: str, count: int, after: int) -> None:
    names = [f"{number:03}{ending}" for number in range(count)]
    fleet.add(*names)
    found = fleet.run(engine=lambda engine: KillingWorkers(engine, after))
    assert found.states == {State.DONE: count}
    begun = fleet.begun()
    assert set(begun) == set(names)
    assert begun.total() <= count + 2  # the two that were at work


def test_an_interrupted_run_gives_back_what_it_had_and_is_gone_on_with(fleet: Fleet) -> None:
    names = [f"{number:02}-slow" for number in range(30)]
    fleet.add(*names)
    with pytest.raises(KeyboardInterrupt):
        fleet.run(engine=lambda engine: Watching(engine, 9))
    with Ledger.to_read(fleet.ledger) as ledger:
        found = FleetSummary.of(ledger)
    assert found.run["ending"] == "interrupted"
    assert found.states[State.RUNNING] == 0
    assert 0 < found.states[State.DONE] < 30
    done = found.states[State.DONE]
    fleet.begun()
    assert fleet.run().states == {State.DONE: 30}
    assert fleet.begun().total() == 30 - done


def test_what_a_dead_run_had_is_taken_over(fleet: Fleet) -> None:
    fleet.add("a", "b")
    with Ledger.to_write(fleet.ledger) as ledger:
        ledger.begin("verify", [], engine="local", workers=2, now=fleet.now)
        ledger.take_stock(archives([str(fleet.folder)]))
        ledger.claim(1, now=fleet.now, worker="local")
    found = fleet.run()
    assert found.run["taken_over"] == 1
    assert found.states == {State.DONE: 2}


def test_L3_one_fleet_at_a_time_works_with_a_ledger_and_anybody_reads_it(fleet: Fleet) -> None:
    fleet.add("a")
    with Ledger.to_write(fleet.ledger) as ledger:
        ledger.begin("verify", [], engine="local", workers=1, now=fleet.now)
        with pytest.raises(LockedError):
            fleet.run()
        with Ledger.to_read(fleet.ledger) as other:
            assert FleetSummary.of(other).items == 0
    assert fleet.run().items == 1


@pytest.mark.parametrize("code", [14, 17])
def test_what_may_be_over_in_a_while_is_tried_again_with_longer_and_longer_pauses(fleet: Fleet, code: int) -> None:
    fleet.add(f"a-code-{code}", "b")
    begun_at = fleet.now
    found = fleet.run()
    assert fleet.begun() == {f"a-code-{code}": 4, "b": 1}
    assert found.states == {State.FAILED: 1, State.DONE: 1}
    assert found.exit_code == code
    assert fleet.now - begun_at >= 10 + 60 + 300
    assert (
        fleet.run(job=Job("verify", lambda item: ["verify", item.name], retries=0)).tried == 1
    )  # the next run tries it
    assert fleet.begun() == {f"a-code-{code}": 1}


def test_nothing_else_is_tried_again(fleet: Fleet) -> None:
    codes = (1, 2, 3, 4, 10, 11, 12, 13, 15, 16)
    fleet.add(*(f"code-{code}" for code in codes))
    found = fleet.run()
    assert set(fleet.begun().values()) == {1}
    assert not fleet.slept
    assert found.exit_code == 16
    assert found.states == {State.DONE: 3, State.FAILED: 7}
    fleet.run()  # what says nothing about the item itself is looked at anew
    assert set(fleet.begun()) == {f"code-{code}" for code in codes} - {"code-3", "code-4", "code-15"}


def test_what_has_changed_since_the_last_run_is_told_first(fleet: Fleet) -> None:
    fleet.add("a", "b-code-15", "c-code-12")
    fleet.run()
    with Ledger.to_write(fleet.ledger) as ledger:  # another outcome than there will be
        ledger.run = 1
        item = next(item["name"] for item in ledger.items() if "c-code-12" in item["name"])
        ledger._connection.execute("UPDATE items SET exit_code = 0 WHERE name = ?", (item,))  # noqa: SLF001
    found = fleet.run()
    assert found.changed == 1
    assert named(found.changes) == ["c-code-12"]
    with Ledger.to_read(fleet.ledger) as ledger:
        assert named(list(ledger.items())) == ["c-code-12", "b-code-15", "a"]


def test_a_ledger_is_one_command_s(fleet: Fleet) -> None:
    fleet.add("a")
    fleet.run()
    with pytest.raises(UsageError, match="fleet verify"):
        fleet.run(job=Job("convert", lambda item: ["convert", item.name]))


def test_what_is_no_ledger_is_not_touched(fleet: Fleet) -> None:
    fleet.ledger.write_bytes(b"Liebes Tagebuch, " * 100)
    before = fleet.ledger.read_bytes()
    with pytest.raises(UsageError, match="no ledger"):
        fleet.run()
    with pytest.raises(UsageError, match="no ledger"):
        Ledger.to_read(fleet.ledger)
    assert fleet.ledger.read_bytes() == before
    with pytest.raises(NotFoundError):
        Ledger.to_read(fleet.folder / "none")


def test_outputs_in_each_other_s_way_are_refused_before_anything_is_done(fleet: Fleet) -> None:
    fleet.add("a", "b")
    with pytest.raises(UsageError, match="would both be written"):
        fleet.run(job=Job("convert", lambda item: ["convert", item.name], output="out"))
    assert not fleet.begun()
    job = Job("convert", lambda item: ["convert", item.name], output=f"{fleet.folder}/out/{{stem}}")
    assert fleet.run(job=job).tried == 2
    (fleet.folder / "sub").mkdir()
    (fleet.folder / "sub" / "a.mana").write_text("of the same name as one that is done")
    with pytest.raises(UsageError, match="would both be written"):
        fleet.run(job=job)


def test_an_output_that_a_cut_off_attempt_has_left_is_replaced_and_no_other(fleet: Fleet) -> None:
    orders: list[list[str]] = []

    class Listening(Watching):
        def __init__(self, engine: LocalEngine) -> None:
            super().__init__(engine, 0)
            self.give = self.listen

        def listen(self, tasks: Sequence[Task]) -> None:
            orders.extend(task.order for task in tasks)
            self._engine.give(tasks)

    out = fleet.folder / "out"
    out.mkdir()
    fleet.add("a", "b")
    (out / "b").write_text("somebody's")
    job = Job("convert", lambda item: ["convert", item.name], output=f"{out}/{{stem}}")
    with Ledger.to_write(fleet.ledger) as ledger:
        ledger.begin("convert", [], engine="local", workers=2, now=fleet.now)
        ledger.take_stock(archives([str(fleet.folder)]))
        claimed = ledger.claim(2, now=fleet.now, worker="local")
        ledger.places((item.id, f"{out}/{Path(item.name).stem}", not item.name.endswith("b.mana")) for item in claimed)
    (out / "a").write_text("written, and not noted any more")
    fleet.run(job=job, engine=Listening)
    assert {order[-1][-6:]: "--force" in order for order in orders} == {"a.mana"[-6:]: True, "b.mana"[-6:]: False}


def test_a_hundred_thousand_items_are_counted_by_one_look(fleet: Fleet) -> None:
    from manabackup.operations.fleet import Listed, Outcome

    with Ledger.to_write(fleet.ledger) as ledger:
        ledger.begin("verify", [], engine="local", workers=2, now=fleet.now)
        ledger.take_stock(Listed(f"/archives/{number:06}.mana", "", number, str(number)) for number in range(100_000))
        claimed = ledger.claim(100_000, now=fleet.now, worker="local")
        ledger.note({item.id: Outcome(15 if item.id % 1_000 == 0 else 0, rows=10) for item in claimed}, now=fleet.now)
        ledger.end("done", now=fleet.now)
    with Ledger.to_read(fleet.ledger) as ledger:
        found = FleetSummary.of(ledger)
    assert (found.items, found.codes[15], found.rows, len(found.failing)) == (100_000, 100, 1_000_000, 100)


def test_a_clock_that_goes_back_keeps_nothing_waiting(fleet: Fleet) -> None:
    fleet.add("a-code-14")
    a_year, began = 365 * 86_400.0, fleet.now

    class GoesBack(Watching):
        def act(self) -> None:
            fleet.now -= a_year

    job = Job("verify", lambda item: ["verify", item.name], retries=1)
    fleet.now += a_year
    found = fleet.run(job=job, engine=lambda engine: GoesBack(engine, 1))
    assert (found.states, fleet.begun()) == ({State.FAILED: 1}, {"a-code-14": 2})
    assert fleet.now < began + 3_600


def test_what_nobody_can_tell_to_be_unchanged_is_done_again(tmp_path: Path) -> None:
    known, unknown = Listed("a", "", 1, "1-x"), Listed("b", "", 1, UNREAD)
    for tried in (["a", "b"], ["b"], ["b"]):
        with Ledger.to_write(tmp_path / "l") as ledger:
            ledger.begin("verify", [], engine="local", workers=1, now=1.0)
            ledger.take_stock([known, unknown])
            items = ledger.claim(9, now=1.0, worker="w")
            assert sorted(item.name for item in items) == tried
            ledger.note({item.id: Outcome(0) for item in items}, now=2.0)
            ledger.end("done", now=3.0)


def test_an_address_of_which_no_version_is_told_may_have_changed() -> None:
    with scripted(lambda asked: Said(200, headers={"Content-Length": "5"})) as (port, _):
        (item,) = archives([f"dav://127.0.0.1:{port}/x.mana"])
    assert (item.size, item.stamp) == (5, UNREAD)
