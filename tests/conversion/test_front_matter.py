"""The properties of a page, read by PyYAML."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from manabackup.conversion import prose
from manabackup.conversion.front_matter import PropertyValue, front_matter

_TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("aZé1 -:#.'\"\\\n\t?!&*[]{},%@`|>=~<_\u2028\x85")
_VALUES = (
    _TEXTS.map(prose.clean)
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(microsecond=0))
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(microsecond=0))
)


def read(properties: dict[str, Any]) -> Any:
    begin, text, end = front_matter(properties).decode().partition("---\n")[2].rpartition("---\n")
    assert (text, end) == ("---\n", "")
    return yaml.safe_load(begin)


@given(st.dictionaries(_TEXTS.map(prose.clean), _VALUES | st.lists(_VALUES, min_size=1), min_size=1))
@example({"a" * 2_000: "x", "y" * 300: ["y", "No", "2026-05-01", "1e3", "0x1", "12:30", "=", "<<", "---", "... "]})
@example({"null": "null", "- a": "a - b", "a": "a #b", "b": "b: c", "c": "c ", "d": "\ufeff\x7f\ufffe", "e": "👩‍👩‍👧"})
def test_properties_are_read_as_they_were_written(properties: dict[str, PropertyValue | list[PropertyValue]]) -> None:
    found = read(properties)
    assert found == properties
    assert {name: type(value) for name, value in found.items()} == {name: type(properties[name]) for name in properties}


@pytest.mark.parametrize("text", ["Am See", "Käse, Brot & Wein", "Ω-3", "zum 3. Mal"])
def test_usual_texts_stand_as_they_are(text: str) -> None:
    assert front_matter({"title": text}).decode() == f"---\ntitle: {text}\n---\n"


def test_lists_and_days_are_what_notebooks_take_for_such() -> None:
    assert front_matter({"date": date(2026, 5, 1), "tags": ["Garten", "1 Tag"]}) == (
        b'---\ndate: 2026-05-01\ntags:\n- Garten\n- "1 Tag"\n---\n'
    )
