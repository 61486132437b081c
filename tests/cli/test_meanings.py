from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from manabackup.cli.meanings import MEANINGS
from manabackup.mirror import LossKind
from manabackup.model.projection.record import OddityKind
from manabackup.rows.completeness import LOSSES

FORMAT = Path(__file__).parents[2] / "formats" / "mana-v2.md"


def test_every_kind_that_the_format_names_has_a_meaning_in_words() -> None:
    text = FORMAT.read_text("utf-8")
    completeness = text[text.index("A *loss* is") : text.index("## The web app's reader")]
    named = set(re.findall(r"^\| `(\w+)` \|", completeness, re.MULTILINE))
    assert LOSSES < named <= set(MEANINGS)


def test_every_kind_that_is_noted_anywhere_has_a_meaning() -> None:
    package = FORMAT.parents[1] / "manabackup"
    noted = {
        kind
        for file in package.rglob("*.py")
        for kind in re.findall(r'(?:\bCase\(|notices\.append\(\()\s*"(\w+)"', file.read_text("utf-8"))
    }
    assert len(noted) > 5
    assert noted | LOSSES | {kind.value for kind in LossKind} <= set(MEANINGS)


def test_every_oddity_of_the_projection_has_a_meaning() -> None:
    assert set(get_args(OddityKind)) <= set(MEANINGS)
