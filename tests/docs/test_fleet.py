"""The page of fleets: what it names is what there is."""

from __future__ import annotations

import re

from manabackup.operations.fleet import PAUSES
from manabackup.operations.fleet.cluster import BATCH
from manabackup.operations.fleet.placeholders import PLACEHOLDERS

from .documents import ROOT

TEXT = (ROOT / "docs" / "fleet.md").read_text("utf-8")
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
_DASK = {"--tls-ca-file", "--protocol", "--no-dashboard", "--nthreads", "--nworkers"}


def test_every_option_and_command_in_it_exists() -> None:
    options = set(re.findall(r"(?<![-\w])(--[a-z][a-z-]+)", TEXT)) - _DASK
    assert len(options) > 15
    assert {option for option in options if option not in REFERENCE} == set()
    for command in re.findall(r"(?:`|manabackup )fleet ([a-z]+)[` ]", TEXT):
        assert f"\nUsage: manabackup fleet {command} " in REFERENCE, command


def test_its_numbers_and_placeholders_are_those_of_the_program() -> None:
    assert PAUSES == (10.0, 60.0, 300.0)
    assert "after 10 seconds, a minute and\nfive minutes" in TEXT
    assert f"batches of {BATCH}" in TEXT
    for name in PLACEHOLDERS:
        assert f"`{{{name}}}`" in TEXT
