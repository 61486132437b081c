"""Inflate by either engine: the same content, the same refusals."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manabackup.archive import inflate
from manabackup.archive.inflate import InflateError

Engine = Callable[[Iterable[bytes], int], Iterator[bytes]]
ENGINES = [inflate.by_isal, inflate.by_zlib]


def deflated(content: bytes, level: int) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


contents = st.one_of(st.binary(max_size=3_000), st.text("ab", max_size=3_000).map(str.encode))


@given(contents, st.integers(0, 9), st.integers(1, 500), st.integers(1, 500))
def test_both_engines_give_what_was_deflated_in_pieces_of_bounded_size(
    content: bytes, level: int, piece: int, most: int
) -> None:
    for engine in ENGINES:
        chunks = list(engine(cut(deflated(content, level), piece), most))
        assert b"".join(chunks) == content
        assert all(0 < len(chunk) <= most for chunk in chunks)


@given(contents, st.integers(1, 500), st.integers(1, 500), st.data())
def test_a_stream_that_is_cut_off_is_refused(content: bytes, piece: int, most: int, data: st.DataObject) -> None:
    whole = deflated(content, 6)
    short = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for engine in ENGINES:
        with pytest.raises(InflateError, match="does not end where it should"):
            list(engine(cut(short, piece), most))


@given(contents, st.binary(min_size=1, max_size=600), st.integers(1, 500), st.integers(1, 500))
@example(b"", b"\0", 1, 1)
def test_bytes_behind_a_stream_are_refused_wherever_they_begin(
    content: bytes, behind: bytes, piece: int, most: int
) -> None:
    for engine in ENGINES:
        with pytest.raises(InflateError, match="does not end where it should"):
            list(engine(cut(deflated(content, 6) + behind, piece), most))


@given(st.binary(max_size=600), st.integers(1, 100), st.integers(1, 500))
def test_both_engines_take_the_same_streams(garbage: bytes, piece: int, most: int) -> None:
    taken: list[bytes | None] = []
    for engine in ENGINES:
        try:
            taken.append(b"".join(engine(cut(garbage, piece), most)))
        except InflateError:
            taken.append(None)
    assert taken[0] == taken[1]
