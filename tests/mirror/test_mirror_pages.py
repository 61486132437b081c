"""Pages of a mirror: record ids and ciphertexts beside lines, and damage to them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.errors import MirrorError
from manabackup.mirror import Batch, RawChange, prepare
from manabackup.mirror.changes import pack, unpack
from manabackup.text import jsontext

from .stored import open_mirror, pages


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(st.one_of(st.none(), st.text(st.characters(), max_size=20)), max_size=30))
def test_any_record_ids_come_back_beside_their_lines(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str | None]
) -> None:
    values = [{"eventId": str(n), "id": record} for n, record in enumerate(ids)]
    with open_mirror(tmp_path_factory.mktemp("mirror") / "mirror.sqlite") as mirror:
        mirror.store("todo", {"tasks": Batch(prepare(values))})
        held = [record for page in pages(mirror) for record in page.ids]
        lines = [line for page in pages(mirror) for line in page.lines()]
    assert held == ids
    assert [jsontext.parse(line) for line in lines] == values


SECRET = f"enc:1:AAAAAAAAAAAAAAAA.{'AAAA' * 300}"
PRIVATE = prepare(
    [{"eventId": str(n), "id": str(n), "op": "insert", "data": {"t": SECRET, "n": n}} for n in range(3)]
    + [{"eventId": "last", "id": "last", "op": "delete"}]
)


def test_ciphertexts_come_back_as_they_were_written(path: Path) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(PRIVATE)})
        (page,) = pages(mirror)
    assert page.lines() == [change.text for change in PRIVATE]
    assert [b"AAAA" in change for change in page.changes] == [False] * 4
    assert [change.count(b"\n") for change in page.changes] == [1, 1, 1, 0]


@pytest.mark.parametrize("at", [0, 1, 2, 9, 15, 40, -1])
@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_page_is_not_taken_for_another(path: Path, at: int, cut: bool) -> None:
    with open_mirror(path) as mirror:
        mirror.store("todo", {"tasks": Batch(PRIVATE)})
    with sqlite3.connect(path) as connection:
        (body,) = connection.execute("SELECT body FROM page").fetchone()
        damaged = bytearray(body)
        damaged[at] ^= 4
        with open_mirror(path) as mirror:
            connection.execute("UPDATE page SET body = ?", (body[:at] if cut else bytes(damaged),))
            connection.commit()
            with pytest.raises(MirrorError, match="damaged"):
                pages(mirror)
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("held", [PRIVATE, PRIVATE[:1], PRIVATE[3:]])
def test_no_flipped_bit_makes_another_page(held: list[RawChange], version: int) -> None:
    """Nor one without its ciphertexts: a frame's head can say that it is empty, and what is empty has no checksum."""
    ids, body, _ = pack(held)
    if version == 1:
        body = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join(change.text for change in held))
    whole = unpack(ids, body)
    for at in range(len(ids + body) * 8):
        damaged = bytearray(ids + body)
        damaged[at // 8] ^= 1 << at % 8
        try:
            found = unpack(bytes(damaged[: len(ids)]), bytes(damaged[len(ids) :]))
        except zstandard.ZstdError:
            continue
        assert found == whole, at  # a bit that says nothing


def test_parts_of_two_pages_make_none() -> None:
    (ids, body, _), (few, other, _) = pack(PRIVATE), pack(PRIVATE[1:])
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(b"\n".join(change.text for change in PRIVATE))
    middle = 9 + int.from_bytes(body[1:9], "little")
    for pair in [(ids, other), (few, body), (few, frame), (other[9:], body), (ids, body[:middle] + other[-40:])]:
        with pytest.raises(zstandard.ZstdError):
            unpack(*pair)
