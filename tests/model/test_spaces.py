"""Spaces by number: what an archive's lines say comes back, with their ids and without."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.model.spaces import PERSONAL, SpaceNumbers, is_personal, is_shared, labelled
from manabackup.text import jsontext

ids = st.one_of(
    st.sampled_from(["s", "t", "_personal:u", "_personal:v", "#0", "#1", PERSONAL, ""]), st.text(max_size=4)
)
types = st.dictionaries(ids, st.sampled_from([PERSONAL, "club", "team"]), max_size=4)


@given(spaces=st.lists(ids), known=types)
def test_what_is_written_is_read_again(spaces: list[str], known: dict[str, str]) -> None:
    written = SpaceNumbers(types=known)
    numbers = [written(space) for space in spaces]
    assert len(written) == len(set(spaces))
    assert [written.id(number) for number in numbers] == spaces
    read = SpaceNumbers(map(jsontext.parse, written.lines()))
    assert [read(space) for space in spaces] == numbers
    assert read.lines() == written.lines()
    assert read.home == written.home
    for space, number in zip(spaces, numbers, strict=True):
        assert read.type(number) == written.type(number)
        assert (written.type(number) == PERSONAL) == is_personal(space, known)


@given(spaces=st.lists(ids, unique=True), known=types)
def test_freed_of_ids_a_space_keeps_its_number_and_type(spaces: list[str], known: dict[str, str]) -> None:
    written = SpaceNumbers(types=known)
    numbers = [written(space) for space in spaces]
    freed = SpaceNumbers(map(jsontext.parse, written.lines_without_ids()))
    assert not list(freed.named)
    assert [freed.type(number) for number in numbers] == [written.type(number) for number in numbers]
    labels = [f"#{number}" for number in numbers]
    assert [freed.number(label) for label in labels] == numbers
    assert [freed.label(label) for label in labels] == labels
    assert freed("s") == len(numbers)  # a space that is met later is a new one


@given(space=ids, known=types)
def test_nothing_is_known_to_be_personal_and_shared(space: str, known: dict[str, str]) -> None:
    assert not (is_personal(space, {}) and is_shared(space, {}))
    assert not (known.get(space) == PERSONAL and is_shared(space, known))
    assert not is_shared(None, known)
    assert not is_personal(None, known)


@pytest.mark.parametrize(
    ("first", "second", "home"),
    [("_personal:u", "s", 1), ("s", "_personal:u", 0), ("_personal:u", "club", 0), ("club", "club", None)],
)
def test_home_is_a_personal_space_and_a_stand_in_only_where_there_is_no_other(
    first: str, second: str, home: int | None
) -> None:
    numbers = SpaceNumbers(types={"s": PERSONAL, "club": "club"})
    for space in (first, second):
        numbers(space)
    assert numbers.home == home


@pytest.mark.parametrize(("name", "number"), [("#0", 0), ("#12", 12), ("#012", None), ("12", None), ("#-1", None)])
def test_a_label_is_a_number_as_it_is_written(name: str, number: int | None) -> None:
    assert labelled(name) == number
