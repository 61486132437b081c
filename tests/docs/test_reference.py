"""``docs/reference.md`` says what ``--help`` says, and other pages what the code says of errors and limits."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from .documents import ROOT

SCRIPT = ROOT / "docs" / "make_reference.py"


@pytest.fixture(scope="module")
def maker() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_the_reference_is_up_to_date(maker: dict[str, Any]) -> None:
    page = maker["REFERENCE"].read_text("utf-8")
    assert page == maker["reference"](), "run `python docs/make_reference.py`"


def test_the_lists_of_errors_and_limits_are_up_to_date(maker: dict[str, Any]) -> None:
    assert maker["ERRORS"].read_text("utf-8") == maker["error_pages"](), "run `python docs/make_reference.py`"
    assert maker["LIMITS"].read_text("utf-8") == maker["limits_page"](), "run `python docs/make_reference.py`"


def test_every_command_is_in_it(maker: dict[str, Any]) -> None:
    from manabackup.cli import overview

    for _, commands in overview.COMMANDS:
        for name, _, _ in commands:
            assert f"### {name}\n" in maker["reference"]()


def test_it_is_the_same_at_a_terminal_of_any_width(maker: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert maker["reference"]() == Path(maker["REFERENCE"]).read_text("utf-8")
