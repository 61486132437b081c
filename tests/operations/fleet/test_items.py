"""Which items there are, what stands for them in patterns, and what they are worth together."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import NotFoundError, UsageError
from manabackup.operations.fleet import archives, filled, filled_command, worst
from manabackup.operations.places import located

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mana", "sub/b.mana", "sub/deep/c.mana", "sub/note.txt", "x[1].mana"):
        path = tmp_path / "all" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "all"


def found(*patterns: str, lists: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(Path(item.name).name, item.folder) for item in archives(patterns, lists)]


def test_a_folder_stands_for_the_archives_below_it(folder: Path) -> None:
    everything = [("a.mana", ""), ("b.mana", "sub"), ("c.mana", "sub/deep"), ("x[1].mana", "")]
    assert sorted(found(str(folder))) == everything
    assert sorted(found(str(folder), f"{folder}/a.mana", f"{folder}/sub")) == everything  # each once


def test_a_pattern_stands_for_what_it_matches(folder: Path) -> None:
    assert sorted(found(f"{folder}/*/*.mana")) == [("b.mana", "sub")]
    assert sorted(found(f"{folder}/**/*.mana"))[1:3] == [("b.mana", "sub"), ("c.mana", "sub/deep")]
    assert found(f"{folder}/sub/*.txt") == [("note.txt", "")]
    assert found(f"{folder}/x[[]1].mana") == found(f"{folder}/x[1].mana") == [("x[1].mana", "")]
    for nothing in (f"{folder}/*.none", str(folder / "sub" / "deep" / "*.txt")):
        with pytest.raises(NotFoundError):
            found(nothing)


def test_a_list_is_read_from_its_folder_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "list").write_text("# a comment\na.mana\r\n\nsub/b.mana\na.mana\nnone.mana\n")
    (folder / "nul").write_bytes(b"a.mana\0with\nline.mana\0")
    monkeypatch.chdir(folder / "sub")
    names = [name for name, _ in found(lists=("../list",))]
    assert names == ["a.mana", "b.mana", "none.mana"]
    assert [name for name, _ in found(lists=("../nul",))] == ["a.mana", "with\nline.mana"]


@pytest.mark.parametrize("ending", ["\n", "\0"])
def test_a_list_with_a_password_in_an_address_is_refused_without_telling_it(folder: Path, ending: str) -> None:
    (folder / "list").write_text(ending.join(("a.mana", "davs://anna:geheim@example.org/b.mana", "")))
    with pytest.raises(UsageError, match="list, line 2: a password stands in the address") as refused:
        found(lists=(str(folder / "list"),))
    assert "geheim" not in f"{refused.value} {refused.value.hint}"


def test_what_may_be_a_signature_is_no_item_and_told_to_nobody(folder: Path) -> None:
    address = "https://example.org/b.mana?X-Amz-Signature=geheim"
    (folder / "list").write_text(f"{address}\n")
    for patterns, lists in (((address,), ()), ((), (str(folder / "list"),))):
        with pytest.raises(UsageError, match="may be a signature") as refused:
            archives(patterns, lists)
        assert "geheim" not in f"{refused.value} {refused.value.hint}"


def test_an_address_that_nothing_reads_is_no_pattern() -> None:
    with pytest.raises(UsageError, match="gopher"):
        found("gopher://example.org/*.mana")


def test_another_size_or_time_is_another_stamp(folder: Path) -> None:
    (before,) = archives([f"{folder}/a.mana"])
    os.utime(folder / "a.mana", ns=(1, 1))
    (after,) = archives([f"{folder}/a.mana"])
    assert before.stamp != after.stamp
    assert list(archives([f"{folder}/a.mana"])) == [after]


@given(NAMES, NAMES)
def test_a_value_is_part_of_one_word_whatever_stands_in_it(name: str, folder: str) -> None:
    command = "pass show 'mana {folder}'/{stem} --name={name} '{other}'"
    words = shlex.split(filled_command(command, f"/x/{name}.mana", folder))
    assert words == ["pass", "show", f"mana {folder}/{name}", f"--name={name}.mana", "{other}"]
    assert filled("{stem}|{folder}", f"/x/{name}.mana", folder) == f"{name}|{folder}"


@given(st.dictionaries(st.sampled_from([0, 1, 2, 3, 4, 10, 12, 14, 15, 17]), st.integers(0, 3)))
def test_damage_outranks_what_was_not_opened_and_any_error_what_is_missing(codes: dict[int, int]) -> None:
    there = {code for code, count in codes.items() if count}
    errors = there - {0, 3, 4}
    assert worst(codes) == (max(errors) if errors else max(there, default=0))


@given(names=st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=2, max_size=4, unique=True))
def test_names_of_files_are_names_in_addresses_too(names: list[str]) -> None:
    places = [filled("davs://h/{folder}/{name}.mana", f"/x/{name}", "a b#") for name in names]
    found = [located(place) for place in places]
    assert [place.name for place in found] == [f"{name}.mana" for name in names]
    assert all("/a%20b%23/" in place for place in places)


def test_names_that_are_escaped_already_are_not_escaped_again() -> None:
    assert filled("davs://h/{name}", "sftp://h/x/a%20b.mana") == "davs://h/a%20b.mana"
    assert filled("s3://bucket/{stem}", "/x/a b.mana") == "s3://bucket/a b"
