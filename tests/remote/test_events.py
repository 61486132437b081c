"""Server-sent events: what wakes somebody, out of any bytes, without keeping them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from manabackup.limits import MIB
from manabackup.remote.events import CHANGES, HEARTBEAT, StreamEvent, events
from manabackup.text import jsontext

NAMES = st.text(min_size=1, max_size=40)
END = st.sampled_from([b"\n", b"\r\n"])


def changes(name: str, data: bytes = b"[]") -> bytes:
    return b'event: changes\ndata: {"changes":%b,"table":%b}\n\n' % (data, jsontext.dumps(name))


@given(st.lists(st.one_of(st.none(), NAMES)), st.lists(st.integers(0, 400)), END)
def test_events_are_the_same_however_the_bytes_come_in_pieces(
    told: list[str | None], cuts: list[int], end: bytes
) -> None:
    beat = b"event: heartbeat\ndata: {}\n\n"
    text = b"".join(beat if name is None else changes(name) for name in told).replace(b"\n", end)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[begin:until] for begin, until in pairwise(bounds)]
    expected = [StreamEvent(HEARTBEAT) if name is None else StreamEvent(CHANGES, name) for name in told]
    assert list(events(pieces)) == expected


@given(st.lists(st.binary()))
def test_any_bytes_are_a_stream(pieces: list[bytes]) -> None:
    list(events(pieces))


def test_what_is_cut_off_is_no_event() -> None:
    whole = changes("notes")
    assert [len(list(events([whole[:end]]))) for end in (10, len(whole) - 1, len(whole))] == [0, 0, 1]


def test_data_that_does_not_end_as_the_servers_does_wakes_without_a_name() -> None:
    for data in (b'{"table":"notes","changes":[]}', b'{"table":"\\ud800x\\q"}', b"", b'{"table":7}'):
        assert list(events([b"event: changes\ndata: " + data + b"\n\n"])) == [StreamEvent(CHANGES)]


def test_an_event_of_any_size_takes_no_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield b'event: changes\ndata: {"changes":["'
        for _ in range(1_000):
            yield b"x" * 65_536
        yield b'"],"table":"notes"}\n\n'

    tracemalloc.start()
    try:
        assert list(events(pieces())) == [StreamEvent(CHANGES, "notes")]
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
