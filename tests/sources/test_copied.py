"""The text of ``COPY`` is read as PostgreSQL wrote it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manabackup.sources.copied import BrokenRow, cell_of, copied_rows, value_of

_ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\nNt\n\t"')) | st.sampled_from(
    ["\\N", ""]
)
_cells = st.none() | _texts
_rows = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(_cells, min_size=width, max_size=width)))


def copied(rows: list[list[str | None]]) -> bytes:
    """As the server writes them."""
    lines = ["\t".join("\\N" if cell is None else _escaped(cell) for cell in row) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def _escaped(cell: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in cell)


@given(_rows)
def test_rows_come_out_as_they_went_in(rows: list[list[str | None]]) -> None:
    assert list(copied_rows(copied(rows))) == rows


@given(_rows)
def test_a_text_that_is_no_utf8_leaves_the_others_alone(rows: list[list[str | None]]) -> None:
    *found, broken = copied_rows(copied(rows) + b"a\xff\\n\t\\N\tb\n")
    assert found == rows
    assert type(broken) is BrokenRow
    assert broken == [b"a\xff\n", None, "b"]


@given(_texts)
def test_a_value_is_spelled_as_the_server_spells_it_and_read_from_any_spelling(text: str) -> None:
    assert cell_of(text.encode()) == _escaped(text).encode()
    assert value_of(cell_of(text.encode())) == text.encode()
    assert value_of(b"".join(b"\\x%02x" % byte for byte in text.encode())) == text.encode()
    assert value_of(b"".join(b"\\%03o" % byte for byte in text.encode())) == text.encode()
