"""What a damaged mirror says of itself, and what a pull makes of it."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from manabackup.mirror import Batch, LossKind
from tests.support.damage import GONE, Server, opened, pull, rows

FIXTURE = Path(__file__).parents[2] / "fixtures" / "state" / "mirror-0.1.0.sqlite"
Rows = dict[tuple[str, str], list[bytes]]


def beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}{what}")


def without_the_gone(held: Rows) -> Rows:
    return {of: [line for line in lines if not is_gone(line)] for of, lines in held.items()}


def is_gone(line: bytes) -> bool:
    return b"title %d " % GONE in line


def check_healing(path: Path, server: Server, expected: Rows, *, keeps_history: bool = True) -> bool:
    """Opens a mirror after damage: what it holds is all that it held, or it says what is missing, and a pull brings it
    back. Whether something was missing. ``keeps_history``: what the server lost before is not forgotten either."""
    with opened(path) as mirror:
        found, damage = rows(mirror), mirror.damage
        if damage:
            lost_throughout = any(not loss.app for loss in damage)
            of_damaged = {(loss.app, loss.collection) for loss in damage}
            for of, lines in expected.items():
                assert [line for line in lines if line in set(found.get(of, ()))] == found.get(of, [])
                assert lost_throughout or of in of_damaged or found[of] == lines
        else:
            assert found == expected
        again = damage
    with opened(path) as mirror:
        assert mirror.damage == again  # until it is healed, each run says so
        pull(mirror, server)
        assert mirror.damage == []
        healed = rows(mirror)
        assert healed == expected or damage
        # What the server has no longer has no place in its order; where it is lost, that stays said.
        assert without_the_gone(healed) == without_the_gone(expected)
        with mirror.snapshot() as snapshot:
            told = [loss.count for loss in snapshot.losses() if loss.kind is LossKind.EVENT_LOST]
        gone_is_lost = any(map(is_gone, chain(*expected.values()))) and not any(map(is_gone, chain(*healed.values())))
        assert told == [1] * gone_is_lost or not keeps_history
    with opened(path) as mirror:
        assert (mirror.repair, mirror.is_unfinished, mirror.damage) == (None, False, [])
        assert rows(mirror) == healed
    return bool(damage)


def check_healing_at_once(path: Path, server: Server, expected: Rows) -> bool:
    """As :func:`check_healing`, with answers as large as the collections."""
    with opened(path) as mirror:
        damage = mirror.damage
        assert damage or rows(mirror) == expected
        assert mirror.repair is not None
        mirror.begin_pull(compare=mirror.is_in_doubt)
        for (app, name), held in server.items():
            mirror.store(app, {name: Batch(held, from_start=True, cursor=1)})
        mirror.end_pull(3)
        assert rows(mirror) == expected
    return bool(damage)
