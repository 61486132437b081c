"""Every error has a page that says what it means and what to do, in the documents and in the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manabackup import errors
from manabackup.errors import ManabackupError, NotFoundError
from manabackup.operations.explained import explanation, pages
from manabackup.remote.sync import FailingPageError

FOLDER = Path(__file__).parents[2] / "docs" / "errors"
CLASSES = [
    found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, errors.ManabackupError)
]


def test_every_error_has_a_page_and_every_page_an_error() -> None:
    assert [error.page for error in sorted(CLASSES, key=lambda error: error.page)] == pages()
    assert {file.stem for file in FOLDER.glob("*.md")} == {*pages(), "README"}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_a_page_says_the_exit_code_causes_and_mends_in_words_for_a_terminal(error: type[ManabackupError]) -> None:
    text = explanation(error.page)
    assert text.startswith(f"# {error.page}\n")
    assert f"Exit code {error.exit_code} · `manabackup.errors.{error.__name__}`" in text
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Causes", "## What to do"]
    assert len(re.findall(r"^\* ", text, re.MULTILINE)) >= 2
    assert "](" not in text


def test_an_error_inside_another_room_has_the_page_of_its_public_kind() -> None:
    assert FailingPageError.page == errors.ServerError.page == "server"
    assert errors.ManabackupError.page == "other"


@pytest.mark.parametrize("name", ["nope", "README", "../guide", "", "/etc/passwd"])
def test_what_is_no_page_is_not_found(name: str) -> None:
    with pytest.raises(NotFoundError, match="there is no page"):
        explanation(name)
