"""Changes of archives of version 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.v1 import open_events
from manabackup.errors import DamagedArchiveError
from tests.support import v1_exports as v1

LIFE = v1.FOLDER / "life.mana"


def changes(path: Path) -> list[tuple[str, str, Any]]:
    with open_events(path) as archive:
        return [(event.app, event.collection, event.change) for event in archive.events()]


def damage(content: bytes, tmp_path: Path) -> DamagedArchiveError:
    path = tmp_path / "damaged.mana"
    path.write_bytes(content)
    with pytest.raises(DamagedArchiveError) as raised:
        changes(path)
    return raised.value
