"""Names of files are safe on every file system."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.conversion.file_names import Names, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ein Tag am See", "Ein Tag am See"),
        ("../../etc/passwd", "_-..-etc-passwd"),
        ("a: b? <c>", "a- b- -c-"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("com1", "_com1"),
        ("COM10", "COM10"),
        ("Ende. . .", "Ende"),
        ("  ", "Notiz"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\0b\nc", "a b c"),
        ("A\u0308pfel", "Äpfel"),
        ("-rf", "_-rf"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("\ud83d", "Notiz"),
    ],
)
def test_a_name_says_what_it_can(text: str, name: str) -> None:
    assert safe_name(text, "Notiz") == name


def test_a_long_name_is_cut_between_what_people_see_as_characters() -> None:
    assert len(safe_name("x" * 500, "n")) == 80
    family = "👩‍👩‍👧‍👦"
    cut = safe_name(family * 20, "n")
    assert cut == family * (len(cut) // len(family))
    assert len(cut.encode()) <= 180


@given(st.text())
def test_every_name_is_one_everywhere(text: str) -> None:
    name = safe_name(text, "note", ending=".md")
    assert name not in ("", ".", "..")
    assert not set(name) & set('<>:"/\\|?*')
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)
    assert not name.endswith((".", " "))
    assert len(name.encode()) <= 200
    assert unicodedata.normalize("NFC", name) == name
    assert name.split(".")[0].upper() not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9")


@given(st.lists(st.sampled_from(["a", "A", "Ä", "A\u0308", "ä", "ﬁ", "fi", "", "?", "*"]), max_size=12))
def test_no_two_names_are_one_anywhere(texts: list[str]) -> None:
    names = Names()
    found = [names.name((), text, f"id-{number}", otherwise="note") for number, text in enumerate(texts)]
    assert len({unicodedata.normalize("NFKC", name).casefold() for name in found}) == len(texts)
