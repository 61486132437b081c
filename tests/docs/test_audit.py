"""The guide to auditing: its commands are run, and its options exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from manabackup.operations.audit.findings import KINDS
from manabackup.sandbox import Sandbox

from .documents import AUDIT, ROOT, shown_commands
from .terminal import Person, find_differences, person

TEXT = AUDIT.read_text("utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with Sandbox() as box:
        anna = person(box, tmp_path_factory.mktemp("home"))
        anna.answers["? Type yes to go on: "] = "yes"
        yield anna


def test_every_command_does_what_the_guide_shows(anna: Person) -> None:
    assert list(find_differences(anna, shown_commands(AUDIT))) == [], "if that is meant: python -m tests.docs"


def test_every_option_in_it_exists() -> None:
    options = set(re.findall(r"`(--[a-z][a-z-]+)", TEXT))
    assert len(options) > 8
    assert {option for option in options if option not in REFERENCE} == set()


def test_every_kind_of_finding_is_in_the_reference_and_those_in_the_guide_exist() -> None:
    table = REFERENCE[REFERENCE.index("## Findings of audit") : REFERENCE.index("## Errors")]
    rows = dict(re.findall(r"^\| `([A-Za-z]+)` \| (error|warning|note) \|", table, re.MULTILINE))
    assert rows == {kind.id: kind.severity.value for kind in KINDS.values()}
    assert set(re.findall(r"\(`([a-z][A-Za-z]+)`\)", TEXT)) <= set(KINDS)
