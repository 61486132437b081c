"""The guide to restoring: its commands are run, and what it gives to CI systems does what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from tests.support.archives import ours

from .documents import RESTORE, ROOT, shown_commands
from .terminal import Person, find_differences, new_account, person

TEXT = RESTORE.read_text("utf-8")
SNIPPETS = sorted((ROOT / "docs" / "ci").iterdir())


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with Sandbox() as box:
        anna = person(box, tmp_path_factory.mktemp("home"))
        new_account(box, anna)
        yield anna


def test_every_command_does_what_the_guide_shows(anna: Person) -> None:
    assert list(find_differences(anna, shown_commands(RESTORE))) == [], "if that is meant: python -m tests.docs"


def test_every_option_in_it_exists() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    options = set(re.findall(r"`(--[a-z][a-z-]+)", TEXT))
    assert len(options) > 15
    assert {option for option in options if option not in reference} == set()


def test_snippets_for_ci_are_named_in_it() -> None:
    assert {path.name for path in SNIPPETS} == set(re.findall(r"\(ci/([a-z-]+\.yml)\)", TEXT)) != set()


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_the_command_of_a_snippet_tries_all_archives_and_writes_the_report_that_is_picked_up(
    snippet: Path, anna: Person
) -> None:
    text = snippet.read_text("utf-8")
    (command,) = re.findall(r"^ +- (?:run: )?(manabackup .*)$", text, re.MULTILINE)
    folder = anna.home / snippet.stem
    (folder / "backups").mkdir(parents=True)
    ours(folder / "backups" / "a.mana", {"notes": [{"id": "a", "title": "x"}]})
    ours(folder / "backups" / "b.mana", {"tasks": []})
    shown = anna.types(f"cd {snippet.stem} && {command} </dev/null")
    assert [line.partition(",")[0] for line in shown.splitlines() if not line.startswith(" ")] == [
        f"backups/{name}.mana: comes back whole" for name in "ab"
    ]
    (report,) = set(re.findall(r"^ +(?:path|junit): (.+)$", text, re.MULTILINE))
    assert 'tests="2"' in (folder / report).read_text("utf-8")
