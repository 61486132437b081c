"""One embedded server for each module, with a line to it on which pushes may go wrong; an account for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from tests.support.line import Line

from .bench import Bench


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    with Sandbox(middleware=[line]) as running:
        yield running


@pytest.fixture
def bench(box: Sandbox, line: Line, tmp_path: Path) -> Bench:
    line.forget()
    return Bench(box, line, tmp_path)
