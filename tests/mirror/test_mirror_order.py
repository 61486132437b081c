"""The mirror keeps the server's order, whatever the order in which answers bring the events."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.mirror import Batch, Mirror, RawChange, prepare
from manabackup.text import jsontext


def change(number: int, *, size: int = 0) -> RawChange:
    value = {"eventId": str(UUID(int=number * 7919)), "id": f"r{number}", "op": "insert", "data": {"x": "y" * size}}
    return prepare([value])[0]


def held_numbers(mirror: Mirror) -> list[int]:
    with mirror.snapshot() as snapshot:
        pages = list(snapshot.read("todo", "tasks"))
        ids = [record for page in pages for record in page.ids]
        lines = [jsontext.parse(line)["id"] for page in pages for line in page.lines()]
        (held,) = snapshot.collections() if ids else [None]
    assert lines == ids
    assert held is None or held.changes == len(ids)
    return [int(record[1:]) for record in ids if record is not None]


def read(mirror: Mirror, visible: list[int], start: int, sizes: list[int], overlap: int) -> None:
    """One reading of the server, page by page, as a pull does it: pages overlap, and each knows what came before."""
    after = None
    at = start
    for size in [*sizes, len(visible)]:
        stretch = visible[at : at + size]
        mirror.store("todo", {"tasks": Batch([change(n) for n in stretch], after=after, from_start=start == 0)})
        if stretch:
            after = change(stretch[-1]).key
        at = max(start, min(at + size, len(visible)) - overlap)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[frozenset[int]], list[int]]:
    """Events that become visible in any order, in groups; 40 at most."""
    count = draw(st.integers(1, 40))
    order = draw(st.permutations(range(count)))
    cuts = sorted([*draw(st.lists(st.integers(1, count), max_size=4)), count])
    return [frozenset(order[:cut]) for cut in cuts], list(range(count))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(), st.data())
def test_readings_that_overlap_in_any_way_end_in_the_servers_order(
    history: tuple[list[frozenset[int]], list[int]], data: st.DataObject
) -> None:
    groups, server = history
    with tempfile.TemporaryDirectory() as folder, mirror_in(Path(folder)) as mirror:
        held: set[int] = set()
        for group in groups:
            visible = [n for n in server if n in group]
            # A reading begins at the first event, at a held one, or behind all held ones: what the overlap promises.
            missing = next((i for i, n in enumerate(visible) if n not in held), len(visible))
            starts = [i for i in range(missing + 1) if i == 0 or i == len(visible) or visible[i] in held]
            starts += [missing] if not held.intersection(visible[missing:]) else []
            start = data.draw(st.sampled_from(starts))
            sizes = data.draw(st.lists(st.integers(1, 15), max_size=6))
            read(mirror, visible, start, sizes, overlap=data.draw(st.integers(0, 3)))
            held |= group
            assert held_numbers(mirror) == visible


def test_a_late_commit_goes_before_the_first_held_event_that_follows_it_in_the_answer(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        mirror.store("todo", {"tasks": Batch([change(n) for n in (1, 2, 4, 5)])})
        mirror.store("todo", {"tasks": Batch([change(n) for n in (2, 3, 4, 5, 6)])})
        assert held_numbers(mirror) == [1, 2, 3, 4, 5, 6]


def test_a_page_that_grows_too_large_is_split_and_keeps_its_order_and_its_events(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        mirror.store("todo", {"tasks": Batch([change(0), change(9_999)])})
        mirror.store("todo", {"tasks": Batch([change(n) for n in range(10_000)])})
        assert held_numbers(mirror) == list(range(10_000))
        with mirror.snapshot() as snapshot:
            assert max(len(page.ids) for page in snapshot.read("todo", "tasks")) <= 1_000
        stored = mirror.store("todo", {"tasks": Batch([change(n) for n in range(10_000)])})
        assert (stored.new, stored.held) == (0, 10_000)


def test_many_splits_at_one_place_run_out_of_room_without_losing_order(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        server = [0, 1_000_000]
        mirror.store("todo", {"tasks": Batch([change(n) for n in server])})
        for part in range(6):
            server[-1:-1] = range(part * 6_000 + 1, part * 6_000 + 6_001)
            mirror.store("todo", {"tasks": Batch([change(n) for n in server[-6_002:]])})
        assert held_numbers(mirror) == server


def test_large_changes_make_small_pages(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        mirror.store("todo", {"tasks": Batch([change(n, size=200_000) for n in range(5)])})
        with mirror.snapshot() as snapshot:
            assert [len(page.ids) for page in snapshot.read("todo", "tasks")] == [2, 2, 1]


def test_events_that_come_again_in_another_order_within_a_tie_stay_where_they_are(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        mirror.store("todo", {"tasks": Batch([change(n) for n in (1, 2, 3)])})
        mirror.store("todo", {"tasks": Batch([change(n) for n in (3, 2, 4)])})
        assert held_numbers(mirror) == [1, 2, 3, 4]


def mirror_in(folder: Path) -> Mirror:
    return Mirror(folder / "mirror.sqlite", sync_url="http://127.0.0.1:1", user_id="user")


def test_S4_what_an_answer_holds_a_second_time_is_no_place_for_anything(tmp_path: Path) -> None:
    with mirror_in(tmp_path) as mirror:
        mirror.store("todo", {"tasks": Batch([change(n) for n in (1, 2, 3)], from_start=True)})
        stretch = [change(n) for n in (2, 3, 4, 5)]
        stored = mirror.store("todo", {"tasks": Batch([*stretch, *stretch])})
        assert (stored.new, stored.held) == (2, 2)
        assert held_numbers(mirror) == [1, 2, 3, 4, 5]
