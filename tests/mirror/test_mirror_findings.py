"""What a mirror tells of what it could not read, of what is gone, and of what changed."""

from __future__ import annotations

from pathlib import Path

from manabackup.mirror import Batch, LossKind

from .stored import changes, open_mirror


def test_a_changed_event_is_reported_once_and_the_held_one_stays(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("a", "b"))})
        for _ in range(2):
            mirror.begin_pull(compare=False)
            mirror.store("todo", {"tasks": Batch(changes("a", text="other") + changes("b"))})
            mirror.end_pull(1)
        with mirror.snapshot() as snapshot:
            (loss,) = snapshot.losses()
            (page,) = snapshot.read("todo", "tasks")
    assert (loss.kind, loss.app, loss.collection, loss.count) == (LossKind.EVENT_CHANGED, "todo", "tasks", 1)
    assert b"other" not in page.lines()[0]


def test_a_full_pull_reports_what_is_gone_and_takes_it_back_when_it_returns(path: Path) -> None:
    gone = "0d6a5ab2-68e5-4d0e-9f59-3d3b7e4ac0c2"
    with open_mirror(path) as mirror:
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("a", gone))})
        mirror.end_pull(1)

        mirror.begin_pull(compare=True)
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        mirror.end_pull(2)
        with mirror.snapshot() as snapshot:
            (loss,) = snapshot.losses()
        assert (loss.kind, loss.collection, loss.count, loss.events) == (LossKind.EVENT_GONE, "tasks", 1, (gone,))
        assert mirror.changes("todo", "tasks") == 2

        mirror.begin_pull(compare=True)
        mirror.store("todo", {"tasks": Batch(changes("a", gone))})
        mirror.end_pull(3)
        with mirror.snapshot() as snapshot:
            assert snapshot.losses() == []


def test_unreadable_stretches_stay_until_a_full_pull_reads_them(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        mirror.add_loss(LossKind.UNREADABLE_TIE, "todo", "tasks", since=4, until=5)
        mirror.add_loss(LossKind.UNREADABLE_PAGE, "todo", None, since=4, until=6)
        mirror.add_loss(LossKind.UNREADABLE_PAGE, "todo", None, since=3, until=6)
        mirror.end_pull(1)

        mirror.begin_pull(compare=True)
        mirror.add_loss(LossKind.UNREADABLE_TIE, "todo", "tasks", since=4, until=5)
        mirror.end_pull(2)
        with mirror.snapshot() as snapshot:
            (tie,) = snapshot.losses()  # and not that "a" is gone: the collection could not be read
        assert (tie.kind, tie.since, tie.until, tie.count) == (LossKind.UNREADABLE_TIE, 4, 5, 1)

        mirror.begin_pull(compare=True)
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        mirror.end_pull(3)
        with mirror.snapshot() as snapshot:
            assert snapshot.losses() == []


def test_an_interrupted_comparison_reports_nothing(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.begin_pull(compare=False)
        mirror.store("todo", {"tasks": Batch(changes("a"))})
        mirror.begin_pull(compare=True)
        mirror.begin_pull(compare=False)
        mirror.end_pull(1)
        with mirror.snapshot() as snapshot:
            assert snapshot.losses() == []
