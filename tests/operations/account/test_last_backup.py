from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import UsageError
from manabackup.operations.account.last_backup import LastBackup, last_backup, remember_backup
from manabackup.operations.account.state import StateFolder

MOMENT = datetime(2026, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))


def test_what_was_remembered_is_told_and_for_its_owner_alone(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    assert last_backup(state, "default") is None
    assert not (tmp_path / "state").exists(), "asking creates nothing"
    for archive in (tmp_path / "ü.mana", None):
        backup = LastBackup(archive, MOMENT, "complete", sealed=True)
        remember_backup(state, "default", backup)
        assert last_backup(state, "default") == backup
    assert last_backup(state, "other") is None
    for path in (tmp_path / "state").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    with pytest.raises(UsageError):
        last_backup(state, "../x")


@given(content=st.binary() | st.sampled_from([b'{"version":1}', b'{"version":1,"archive":3,"at":"2026-05-01"}', b"[]"]))
def test_what_cannot_be_understood_is_no_backup(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    state = StateFolder(tmp_path_factory.getbasetemp() / "odd")
    remember_backup(state, "default", LastBackup(None, datetime.now(UTC), "complete", sealed=False))
    (state.profile_folder("default") / "last-backup.json").write_bytes(content)
    assert last_backup(state, "default") is None
