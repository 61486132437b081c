"""What became of everybody's archives, for whoever writes everybody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import LockedError, OutputError, UsageError
from manabackup.operations.ledger import LEDGER, Entry, Ledger

ABOUT = {"source": "a database"}
counts = st.integers(0, 2**53)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
entries = st.builds(
    Entry,
    user=texts,
    state=st.sampled_from(["begun", "written", "failed"]),
    file=texts,
    exit_code=st.integers(0, 130),
    status=st.none() | texts,
    rows=counts,
    bytes=counts,
    data_sha256=st.none() | texts,
    losses=st.dictionaries(texts, counts, max_size=2),
    vault=st.none() | texts,
    opened=st.booleans(),
    error=st.none() | texts,
)


def written(folder: Path, user: str, content: bytes = b"an archive") -> Entry:
    (folder / f"{user}.mana").write_bytes(content)
    return Entry(user, "written", f"{user}.mana", bytes=len(content), data_sha256="0" * 64)


@given(st.lists(entries, max_size=4), st.integers(0, 40))
def test_what_was_noted_is_there_and_half_a_line_is_not(
    tmp_path_factory: pytest.TempPathFactory, noted: list[Entry], half: int
) -> None:
    folder = tmp_path_factory.mktemp("all")
    with Ledger(folder, ABOUT) as ledger:
        for entry in noted:
            ledger.add(entry)
    whole = (folder / LEDGER).read_bytes()
    (folder / LEDGER).write_bytes(whole + json.dumps(Entry("x", "failed", "x").to_json()).encode()[:half])
    with Ledger(folder, ABOUT) as ledger:
        assert ledger.entries == {entry.user: entry for entry in noted}
    assert (folder / LEDGER).read_bytes() == whole


def test_an_archive_is_there_while_it_is_as_large_as_it_was(tmp_path: Path) -> None:
    with Ledger(tmp_path, ABOUT) as ledger:
        for user in ("whole", "gone", "cut"):
            ledger.add(written(tmp_path, user))
        ledger.add(Entry("failed", "failed", "failed.mana", 5, error="why"))
    (tmp_path / "gone.mana").unlink()
    (tmp_path / "cut.mana").write_bytes(b"an")
    with Ledger(tmp_path, ABOUT) as ledger:
        assert ledger.written().keys() == {"whole"}
    with Ledger(tmp_path, ABOUT, anew=True) as ledger:
        assert (ledger.entries, ledger.written()) == ({}, {})


def test_what_an_earlier_run_wrote_is_this_runs_to_replace_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.mana").write_bytes(b"somebody's")
    for _ in range(2):
        with Ledger(tmp_path, ABOUT) as ledger:
            assert not ledger.begin("a", "a.mana")
            ledger.add(Entry("a", "failed", "a.mana", OutputError.exit_code))
    with Ledger(tmp_path, ABOUT) as ledger:  # killed before it said more
        assert not ledger.begin("b", "b.mana")
    (tmp_path / "b.mana").write_bytes(b"an archive")
    with Ledger(tmp_path, ABOUT) as ledger:
        assert ledger.begin("b", "b.mana")


def test_a_folder_is_one_runs(tmp_path: Path) -> None:
    with Ledger(tmp_path, ABOUT), pytest.raises(LockedError, match="another run writes into"):
        Ledger(tmp_path, ABOUT)
    Ledger(tmp_path, ABOUT).__exit__(None, None, None)


def test_a_folder_of_something_else_is_refused_until_it_is_begun_anew(tmp_path: Path) -> None:
    Ledger(tmp_path, ABOUT).__exit__(None, None, None)
    with pytest.raises(UsageError, match="of another source, or was begun with other options"):
        Ledger(tmp_path, {"source": "another"})
    Ledger(tmp_path, {"source": "another"}, anew=True).__exit__(None, None, None)
    Ledger(tmp_path, {"source": "another"}).__exit__(None, None, None)


@pytest.mark.parametrize(
    "lines",
    [
        [{"ledger": 1, "source": "a database"}, {"user": "a", "state": "done", "archive": "a.mana"}],
        [{"profile": "shop", "sha256": "0", "derived": False, "sealed": False}],
        [{"ledger": 2, "about": ABOUT}, {"user": "a"}],
        [[]],
        ["text"],
    ],
    ids=["first form", "first form of profiles", "no entry", "list", "text"],
)
def test_what_is_no_ledger_of_this_version_is_refused_and_stays(tmp_path: Path, lines: list[Any]) -> None:
    content = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / LEDGER).write_text(content)
    with pytest.raises(UsageError, match="is no ledger, or of another version"):
        Ledger(tmp_path, ABOUT)
    assert (tmp_path / LEDGER).read_text() == content
