"""``report`` on the command line: where it goes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.processes import CommandLine

ARCHIVE = str(Path(__file__).parents[2] / "fixtures" / "released" / "0.1.0" / "plain.mana")


def test_a_summary_goes_to_the_standard_output_and_a_page_needs_a_name(manabackup: CommandLine) -> None:
    done = manabackup("report", ARCHIVE, "--format", "markdown")
    assert (done.code, done.out.splitlines()[0][:1]) == (0, "#")
    assert done.out == manabackup("report", ARCHIVE, "--format", "markdown", "-o", "-").out
    assert manabackup("report", ARCHIVE, "--format", "json").out.startswith("{")
    assert manabackup("report", ARCHIVE, "--json").record == json.loads(
        manabackup("report", ARCHIVE, "--format", "json").out
    )
    page = manabackup("report", ARCHIVE)
    assert (page.code, page.out) == (2, "")
    assert page.err.startswith("error: a page needs a name: -o REPORT\nhint: --format markdown goes to")
