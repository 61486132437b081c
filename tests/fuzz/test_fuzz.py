"""The targets of ``make fuzz`` in the ordinary suite: their seeds, what was found before, and inputs at random."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.limits import MIB

from . import __main__ as program
from .mutations import Choices, scrambled
from .targets import TARGETS, Target

EXAMPLES = int(os.environ.get("MANABACKUP_FUZZ_EXAMPLES", "60"))
"""For each target; raise it for a long search by hypothesis."""
every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@cache
def seeds(name: str) -> tuple[bytes, ...]:
    return tuple(TARGETS[name].seeds())


@every_target
def test_what_the_search_begins_with_is_read_without_a_word(target: Target) -> None:
    assert seeds(target.name)
    for seed in seeds(target.name):
        target(seed)


def found_before() -> list[Path]:
    """Inputs that failed once."""
    return sorted(path for path in program.FOUND.rglob("*") if path.is_file() and path.suffix != ".md")


@pytest.mark.parametrize("path", found_before(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_not_found_again(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())


def test_what_was_found_is_small_and_belongs_to_a_target() -> None:
    assert {path.parent.name for path in found_before()} <= {name for name, of in TARGETS.items() if of.made_by is None}
    assert sum(path.stat().st_size for path in found_before()) < MIB


@every_target
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(which=st.integers(0, 2**16), how=st.binary(max_size=80))
def test_A1_A6_S1_only_our_own_errors_leave_what_reads_foreign_bytes(target: Target, which: int, how: bytes) -> None:
    if target.made_by is not None:
        target(bytes([which % 256]) + how)
    else:
        start = seeds(target.name)
        target(scrambled(start[which % len(start)], Choices(how)))


@every_target
@settings(max_examples=EXAMPLES // 4, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=200))
def test_bytes_of_no_kind_at_all_do_no_harm(target: Target, data: bytes) -> None:
    target(data)


def test_without_atheris_the_program_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    assert program.main([]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: atheris is not installed")
    assert ".[fuzz]" in told


def test_an_input_that_fails_is_kept_as_what_its_program_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "FOUND", tmp_path / "found")
    crash = tmp_path / "failed-1"
    crash.write_bytes(b"\1\1\12")
    program.keep("archive-structure", crash)
    (kept,) = (tmp_path / "found" / "archive").iterdir()
    made_by = TARGETS["archive-structure"].made_by
    assert made_by is not None
    assert kept.read_bytes() == made_by(b"\1\1\12")
    assert not crash.exists()
