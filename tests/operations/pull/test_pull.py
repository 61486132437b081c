"""Pulls from the sandbox's sync server: nothing lost, nothing twice, in the server's order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from manabackup.errors import UsageError
from manabackup.mirror import LossKind
from manabackup.model import registry
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import populate
from tests.support.box import REGISTRY, T0, Box

SECOND = 1_000_000


def test_a_first_pull_brings_every_page_of_every_collection(box: Box) -> None:
    box.write([T0 + n * SECOND for n in range(2_500)])
    box.write([T0 + n * SECOND for n in range(30)], collection="lists")
    box.write([T0], "notes", "notes")
    progress: list[tuple[int, int, int]] = []
    result = box.pull(progress=lambda *step: progress.append(step))
    assert (result.changes_new, result.changes_held, result.collections) == (2_531, 2_531, 3)
    assert (result.losses, result.unknown_collections, result.full) == ((), (), False)
    for app, collection in (("todo", "tasks"), ("todo", "lists"), ("notes", "notes")):
        assert box.held(app, collection) == box.stored(app, collection)
    done, steps, new = progress[-1]
    assert (done, new) == (steps, 2_531)
    assert progress == sorted(progress)


def test_how_much_there_is_to_do_is_known_from_the_beginning(box: Box) -> None:
    box.write([T0 + n * SECOND for n in range(30)])
    box.write([T0 + n * SECOND for n in range(30)], collection="unheard of")
    for again in (False, True):
        progress: list[tuple[int, int, int]] = []
        box.pull(full=again, progress=lambda *step, told=progress: told.append(step))
        known = len(REGISTRY.tables) + again  # and what was found the first time
        assert {steps for _, steps, _ in progress} == {known + len(REGISTRY.apps)}
        assert progress[-1][0] == progress[-1][1]
    assert len(box.held("todo", "unheard of")) == 30


def test_a_pull_of_nothing_new_asks_each_collection_once_and_looks_at_nobody_elses_rows(box: Box) -> None:
    box.write([T0 + n for n in range(10)])
    box.pull()
    box.log.foreign_rows, box.log.rows_read = 1_000_000, 0
    result = box.pull()
    assert (result.changes_new, result.changes_held) == (0, 10)
    assert {method for method, *_ in box.requests} == {"GET"}
    assert len(box.requests) == len(REGISTRY.tables) + 1  # and the server's clock
    assert box.log.rows_read == 0


def test_a_first_pull_reads_every_change_once_and_the_table_of_all_users_once_for_each_app(box: Box) -> None:
    box.log.foreign_rows = 1_000_000
    box.write([T0 + n * SECOND for n in range(2_500)])
    box.write([T0 + n * SECOND for n in range(30)], "notes", "notes")
    box.pull()
    table = box.log.foreign_rows + 2_530
    # A page begins with the last change of the one before, and is asked for one more than fits it.
    assert box.log.rows_read <= 2_530 + 2 * 3 + table * len(REGISTRY.apps)
    asked = [method for method, *_ in box.requests]
    assert asked.index("POST") == len(asked) - len(REGISTRY.apps)  # nothing waits for it


def test_later_pulls_bring_what_came_since(box: Box) -> None:
    box.write([T0 + n * SECOND for n in range(1_200)])
    box.pull()
    now = box.log.now_ns() // 1_000
    box.write([now + n for n in range(1_300)])
    assert box.pull().changes_new == 1_300
    assert box.held() == box.stored()


@pytest.mark.parametrize("told", [True, False])
def test_an_app_of_many_pages_is_read_to_its_end(box: Box, told: bool) -> None:
    box.write([T0 + n * SECOND for n in range(12_345)], told=told)
    box.write([T0 + n * 7 * SECOND + 1 for n in range(1_500)], collection="lists", told=told)
    box.write([T0 + n * 60 * SECOND + 2 for n in range(100)], collection="unheard of", told=told)
    result = box.pull()
    assert result.changes_new == 12_345 + 1_500 + 100
    assert result.losses == ()
    for collection in ("tasks", "lists", "unheard of"):
        assert box.held("todo", collection) == box.stored("todo", collection)


@pytest.mark.parametrize("count", [999, 1_000, 1_001, 1_500])
def test_S2_a_tie_of_more_than_a_page_is_read(box: Box, count: int) -> None:
    many = [T0 - 6_000 + n for n in range(6_000)]
    box.write([*many, *[T0] * count, *[T0 + SECOND + n for n in range(5)]])
    result = box.pull()
    assert (result.changes_new, result.losses) == (6_005 + count, ())
    assert box.held() == box.stored()


def test_S2_a_tie_across_a_page_boundary_is_read_whole(box: Box) -> None:
    box.write([*[T0 + n for n in range(900)], *[T0 + 900] * 300, *[T0 + 901 + n for n in range(5_000)]])
    assert box.pull().losses == ()
    assert box.held() == box.stored()


def test_S2_a_tie_that_no_call_can_read_is_a_loss_and_the_rest_is_read(box: Box) -> None:
    box.write([*[T0 + n for n in range(10)], *[T0 + 100] * 6_000, *[T0 + 200 + n for n in range(10)]])
    box.write([T0 + 300 + n for n in range(10)], collection="lists")
    result = box.pull()
    (loss,) = result.losses
    assert (loss.kind, loss.app, loss.collection, loss.count) == (LossKind.UNREADABLE_TIE, "todo", "tasks", 1)
    assert (loss.since, loss.until) == (T0 + 99, T0 + 100)
    held, stored = box.held(), box.stored()
    assert (held[:10], held[-10:]) == (stored[:10], stored[-10:])
    assert len(held) == 5_020
    assert box.held("todo", "lists") == box.stored("todo", "lists")
    assert box.pull().losses == (loss,)
    for event in stored[10:2_000]:
        box.log.forget(event)
    assert [loss.kind for loss in box.pull(full=True).losses] == [LossKind.EVENT_GONE]


def test_S2_two_collections_of_one_instant_do_not_hide_each_other(box: Box) -> None:
    box.write([T0] * 3_000)
    box.write([T0] * 1_900, collection="lists")
    box.write([T0 + SECOND + n for n in range(3_000)])
    assert box.pull().losses == ()
    assert box.held() == box.stored()
    assert box.held("todo", "lists") == box.stored("todo", "lists")


def test_S5_an_unknown_collection_is_found_reported_and_kept_up_to_date(box: Box) -> None:
    box.write([T0 + n for n in range(3)], collection="articleImportJobs")
    result = box.pull()
    assert result.unknown_collections == (("todo", "articleImportJobs"),)
    box.write([T0 + SECOND], collection="articleImportJobs")
    box.write([box.log.now_ns() // 1_000], collection="articleImportJobs")
    box.pull()
    assert len(box.held("todo", "articleImportJobs")) == 4


def test_an_app_outside_the_registry_is_read_once_it_was_named(box: Box) -> None:
    box.write([T0 + n for n in range(3)], "memoro", "memos")
    assert box.pull().changes_new == 0
    result = box.pull(extra_apps=["memoro"])
    assert (result.changes_new, result.unknown_collections) == (3, (("memoro", "memos"),))
    box.write([box.log.now_ns() // 1_000], "memoro", "memos")
    assert box.pull().changes_new == 1


@pytest.mark.parametrize("app", ["", "a\nb", "\0"])
def test_what_can_be_no_apps_name_is_refused(box: Box, app: str) -> None:
    with pytest.raises(UsageError):
        box.pull(extra_apps=[app])


def test_names_of_apps_and_collections_never_lead_elsewhere(box: Box) -> None:
    for app in ("a/b", "?x=1#", "ä%2F", "a b"):
        box.write([T0], app, "über/../&since=1")
    result = box.pull(extra_apps=["a/b", "?x=1#", "ä%2F", "a b"])
    assert result.changes_new == 4
    assert len(result.unknown_collections) == 4


def test_S2_a_change_that_commits_late_is_found_in_its_place(box: Box) -> None:
    now = box.log.now_ns() // 1_000
    early, late = now - 90 * SECOND, now - 60 * SECOND
    box.write([early, now])
    box.pull()
    box.write([late])
    assert box.pull().changes_new == 1
    assert box.held() == box.stored()


def before_the_last_questions(box: Box, happen: Callable[[], object]) -> None:
    """Lets something happen when the server's clock and every collection was asked for once, by one question each."""

    def before(*_: str) -> None:
        if len(box.requests) == 1 + len(REGISTRY.tables) + 1:
            happen()

    box.before = before


def test_S2_what_commits_during_a_run_is_found_by_its_last_questions_where_something_was_written(box: Box) -> None:
    now = box.log.now_ns() // 1_000
    box.write([T0, now - 50 * SECOND])
    box.write([T0, now - 50 * SECOND], "notes", "notes")
    active, new = [("todo", "tasks"), ("notes", "notes")], [("todo", "lists"), ("todo", "unheard of")]
    before_the_last_questions(
        box, lambda: [box.write([now - 90 * SECOND, now - 10 * SECOND], *place) for place in [*active, *new]]
    )
    assert box.pull().changes_new == 4 + 2 * 2 + 2  # and what the search finds
    for place in [*active, new[1]]:
        assert box.held(*place) == box.stored(*place)
    assert box.held(*new[0]) == []
    box.before = lambda *_: None
    assert box.pull().changes_new == 2
    assert box.held(*new[0]) == box.stored(*new[0])


def test_S2_a_long_run_asks_again_for_what_it_read_at_its_beginning(box: Box) -> None:
    now = box.log.now_ns() // 1_000
    asked: list[str] = []

    def before(_: str, path: str, query: str) -> None:
        asked.append(f"{path}?{query}")
        if len(asked) == 1 + len(REGISTRY.tables):  # the last of the first questions takes its time
            box.clock.skip(timedelta(seconds=121))
            box.write([now])
            box.write([now + SECOND], "notes", "notes")

    box.before = before
    assert box.pull(connections=1).changes_new == 2
    assert box.held() == box.stored()
    assert box.held("notes", "notes") == box.stored("notes", "notes")


def test_S2_what_commits_during_a_run_is_found_when_it_is_more_than_an_answer_holds(box: Box) -> None:
    now = box.log.now_ns() // 1_000
    box.write([T0, now - 50 * SECOND])
    before_the_last_questions(box, lambda: box.write([now - 40 * SECOND + n * 1_000 for n in range(6_000)]))
    result = box.pull()
    assert (result.changes_new, result.losses) == (6_002, ())
    assert box.held() == box.stored()


@pytest.mark.parametrize("seconds", [1, 60, 119])
@pytest.mark.parametrize("moment", range(1, 15))
def test_S2_what_commits_late_at_any_moment_is_held_by_the_next_run_at_the_latest(
    box: Box, moment: int, seconds: int
) -> None:
    places = [*((table.app, table.collection) for table in REGISTRY.tables), ("todo", "unheard of")]
    now = box.log.now_ns() // 1_000
    for place in places[1:]:
        box.write([T0, now - 100 * SECOND], *place)

    def commit() -> None:
        for place in places:
            box.write([box.log.now_ns() // 1_000 - seconds * SECOND], *place)

    box.before = lambda *_: commit() if len(box.requests) == moment else None
    box.pull()
    if len(box.requests) < moment:
        commit()
    box.before = lambda *_: None
    box.pull()
    for place in places:
        assert box.held(*place) == box.stored(*place)
    assert box.losses() == []


def test_changes_of_the_mirrors_own_client_id_are_not_asked_to_be_left_out(box: Box) -> None:
    box.write([T0])
    with box.mirror() as mirror:
        assert mirror.client_id not in {"", "another device"}
    assert box.pull().changes_new == 1


def test_an_older_history_that_comes_to_light_is_found_by_a_full_pull_and_put_in_its_place(box: Box) -> None:
    box.write([T0 + n * 10 for n in range(50)])
    box.pull()
    box.write([T0 + n * 10 + 5 for n in range(-20, 60)])
    assert box.pull().changes_new == 0
    result = box.pull(full=True)
    assert (result.changes_new, result.full, result.losses) == (80, True, ())
    assert box.held() == box.stored()


def test_a_large_older_history_is_put_in_its_place_too(box: Box) -> None:
    box.write([T0 + n * 10 for n in range(3_000)])
    box.pull()
    box.write([T0 + n * 4 + 1 for n in range(-2_000, 6_000)])
    assert box.pull(full=True).changes_new == 8_000
    assert box.held() == box.stored()


def test_S12_a_history_that_was_rewritten_is_reported_and_what_was_held_stays(box: Box) -> None:
    gone, changed, kept = box.write([T0, T0 + 1, T0 + 2])
    box.pull()
    before = box.held()
    box.log.forget(gone)
    box.log.forget(changed)
    other = {"table": "tasks", "id": "r1", "op": "insert", "data": {"n": "forged"}}
    box.log.append("erna", "another device", "todo", other, created_at_us=T0 + 1, event_id=changed)
    assert box.pull().losses == ()
    result = box.pull(full=True)
    found = {loss.kind: (loss.app, loss.collection, loss.count, loss.events) for loss in result.losses}
    assert found == {
        LossKind.EVENT_GONE: ("todo", "tasks", 1, (gone,)),
        LossKind.EVENT_CHANGED: ("todo", "tasks", 1, (changed,)),
    }
    assert box.held() == before == [gone, changed, kept]
    assert box.pull().losses == result.losses


def test_rows_of_a_lost_membership_are_reported_as_gone_and_stay(box: Box) -> None:
    box.accounts.create_user("b@example.org", "password", "b", user_id="b", bootstrap=False)
    box.accounts.create_space("b", "Team", "team", space_id="team", bootstrap=False)
    box.accounts.add_member("team", "erna")
    shared = {"table": "tasks", "id": "s", "op": "insert", "data": {"n": 1}, "spaceId": "team"}
    box.log.append("b", "their device", "todo", shared, created_at_us=T0)
    box.pull()
    assert len(box.held()) == 1
    box.faults.membership_outage = True
    assert [loss.kind for loss in box.pull(full=True).losses] == [LossKind.EVENT_GONE]
    box.faults.membership_outage = False
    assert box.pull(full=True).losses == ()
    assert len(box.held()) == 1


def test_a_whole_account_is_held_as_the_server_holds_it(box: Box) -> None:
    account = populate(box.log, box.accounts, Plan(seed=3, rows=2_000, shared_spaces=1, oddities=True))
    result = box.pull(registry.load(), user=account.user_id)
    held = {(one.app, one.name): one.changes for one in box.collections(account.user_id)}
    assert result.changes_held == result.changes_new == sum(held.values()) == box.log.count()
    for (app, name), count in held.items():
        events = box.held(app, name, user=account.user_id)
        assert len(events) == count
        assert events == box.stored(app, name, user=account.user_id)
    assert result.unknown_collections
    assert box.pull(registry.load(), user=account.user_id).changes_new == 0
