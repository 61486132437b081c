"""The page of schedules, old archives and the doctor: what it names is what there is."""

from __future__ import annotations

import re

from manabackup.operations.prune import Policy
from manabackup.operations.schedule import MANAGERS
from manabackup.operations.schedule.spec import GRACE
from manabackup.operations.schedule.systemd import ENCRYPTED_SINCE

from .documents import ROOT

TEXT = (ROOT / "docs" / "nightly.md").read_text("utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")


def test_every_option_and_command_in_it_exists() -> None:
    options = {option for option in re.findall(r"`(--[a-z][a-z-]+)", TEXT) if not option.endswith("-")}
    assert len(options) > 15
    assert {option for option in options if option not in REFERENCE} == set()
    for command in re.findall(r"`manabackup ((?:schedule )?[a-z]+)", TEXT):
        assert f"\nUsage: manabackup {command} " in REFERENCE, command


def test_every_rule_and_everything_that_starts_a_run_is_explained() -> None:
    for rule in Policy.__dataclass_fields__:
        assert re.search(rf"^\| .*`--keep-{rule} (N|SPAN)`", TEXT, re.MULTILINE), rule
    assert re.findall(r"^\| `([a-z]+)` \| (?:a |an |two |nothing)", TEXT, re.MULTILINE) == list(MANAGERS)


def test_its_numbers_are_those_of_the_program() -> None:
    assert GRACE.total_seconds() == 2 * 3_600
    assert "within two hours after one was due" in TEXT
    assert f"systemd {ENCRYPTED_SINCE} on" in TEXT
