"""Every line of the threat model has tests that carry its id."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_TESTS = Path(__file__).parents[1]
_MODEL = _TESTS.parent / "docs" / "threat-model.md"
_CARRIES = re.compile(r"(?:(?<=^test_)|(?<=[0-9]_))([SAFPLR][0-9]+)(?=_)")
"""Directly behind ``test_``, or behind another one."""


def _lines() -> list[str]:
    """The ids, in the model's order."""
    return re.findall(r"^\| ([SAFPLR][0-9]+) \|", _MODEL.read_text(), re.MULTILINE)


def _carried() -> Iterator[tuple[str, str]]:
    """(id, test) of the tests that carry one."""
    for path in sorted(_TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for found in _CARRIES.findall(node.name):
                    yield found, f"{path.relative_to(_TESTS)}::{node.name}"


def test_the_model_has_every_line_once_and_in_order() -> None:
    expected = [
        f"{letter}{number}"
        for letter, most in (("S", 12), ("A", 7), ("F", 4), ("P", 6), ("L", 7), ("R", 6))
        for number in range(1, most + 1)
    ]
    assert _lines() == expected


def test_each_line_has_a_test_and_each_id_a_line() -> None:
    carried = dict.fromkeys(found for found, _ in _carried())
    assert sorted(carried, key=_lines().index) == _lines()
