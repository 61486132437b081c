"""Archives for ``fixtures/vectors/hostile``: one for each way to be wrong, and odd ones that are not.

``python -m tests.archive.hostile`` writes them and their index anew. Every byte is the same every time.
"""

from __future__ import annotations

import json
from pathlib import Path

from . import containers, contents, manifests, seals, tampering
from .cases import Case

FOLDER = Path(__file__).parents[3] / "fixtures" / "vectors" / "hostile"
ABOUT = (
    "Archives that a reader must refuse, and odd ones that it must open. exit is the code that `manabackup verify` "
    "ends with: 0 opens, 12 wrong passphrase, 15 damaged or tampered with; code is the first problem's, a word of "
    "formats/mana-v2.md, section Problems; where is entry and line. threat is a line of the threat model. All "
    "passphrases, salts and IVs are test data. See README.md."
)
_GROUPS = (
    containers.overlaps,
    containers.entry_names,
    containers.headers,
    containers.ends,
    containers.zip64,
    containers.limits,
    containers.streams,
    containers.cuts,
    manifests.manifests,
    seals.seal_parameters,
    seals.seals,
    tampering.tampering,
    tampering.fixed_bytes,
    tampering.inside,
    contents.sums,
    contents.files,
    contents.lines,
    contents.version_1,
)


def cases() -> list[Case]:
    """All of them."""
    found = [case for group in _GROUPS for case in group()]
    assert len({case.name for case in found}) == len(found)
    return found


def index(made: list[Case]) -> bytes:
    """The text of ``index.json``: one case a line."""
    entries = ",\n".join("    " + json.dumps(case.entry(), ensure_ascii=False) for case in made)
    return f'{{\n  "about": {json.dumps(ABOUT)},\n  "archives": [\n{entries}\n  ]\n}}\n'.encode()


def write() -> None:
    """Write the folder."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.mana"):
        old.unlink()
    made = cases()
    for case in made:
        (FOLDER / f"{case.name}.mana").write_bytes(case.content)
    (FOLDER / "index.json").write_bytes(index(made))
