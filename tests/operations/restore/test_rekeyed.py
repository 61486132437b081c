"""Whole restores of archives that were rekeyed, and accounts without a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.errors import UsageError, WrongKeyError
from manabackup.operations.rekey import rekey
from tests.support.archives import PERSONAL, TEAM, meta_of, ours

from .archived_rows import SOURCE_KEY, archive_of, at, spaced
from .bench import CIPHER, Bench


@pytest.fixture
def rekeyed(bench: Bench, tmp_path: Path) -> Path:
    """A note, a scene and a shared task under the target's key."""
    rows: dict[str, list[dict[str, Any]]] = {
        "tasks": [{"id": "t", "order": 1, "spaceId": TEAM}],
        "notes": [{"id": "n", "title": "Geheimnis", "spaceId": PERSONAL}],
        "workbenchScenes": [{"id": f"seed-home-{PERSONAL}", "name": "start", "spaceId": PERSONAL}],
    }
    numbers = {TEAM: 1, PERSONAL: 0}
    meta = {name: [meta_of(row, **at(), space=numbers[row["spaceId"]]) for row in some] for name, some in rows.items()}
    source = ours(tmp_path / "source.mana", rows, meta=meta)
    target = tmp_path / "rekeyed.mana"
    with open_archive(source) as archive:
        rekey(archive, target, CIPHER, user_id=bench.user)
    return target


def test_a_rekeyed_archive_is_restored_with_or_without_the_key(bench: Bench, rekeyed: Path) -> None:
    bench.cipher = None
    assert bench.restore(rekeyed).inserted == 2
    assert CIPHER.decrypt(bench.row("notes", "n").values["title"]) == b'"Geheimnis"'
    assert bench.row("workbenchScenes", f"seed-home-{bench.home}").state == "live"
    bench.cipher = CIPHER
    assert bench.plan(rekeyed).planned == 0


def test_a_rekeyed_archive_under_another_key_is_refused(bench: Bench, rekeyed: Path) -> None:
    bench.cipher = FieldCipher(SOURCE_KEY)
    with pytest.raises(WrongKeyError, match="another key"):
        bench.plan(rekeyed)


def test_R6_a_rekeyed_archive_does_not_go_into_a_shared_space(bench: Bench, rekeyed: Path) -> None:
    with pytest.raises(UsageError, match="encrypted archive"):
        bench.plan(rekeyed, map_space=(f"#1={bench.club}",), shared_plaintext=True)


def test_without_the_key_an_archive_in_clear_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.cipher = None
    with pytest.raises(UsageError, match="key is needed"):
        bench.plan(spaced(tmp_path, 0))


def test_an_account_without_a_key_gets_private_fields_only_when_that_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.cipher, bench.has_vault = None, False
    path = archive_of(tmp_path, "notes", {"id": "n", "title": "offen"})
    with pytest.raises(UsageError, match="in clear"):
        bench.plan(path)
    bench.restore(path, in_clear=True)
    assert bench.row("notes", "n").values["title"] == "offen"
