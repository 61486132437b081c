"""An export is the same whoever does which part of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.reader import Archive, open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.mirror import Mirror
from manabackup.model import registry
from manabackup.operations import pull
from manabackup.operations.export import Selection, Source, export
from manabackup.operations.export.blocks import numbered
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import populate
from manabackup.text import jsontext

# The test runner has threads of its own. None of them holds anything that the processes use.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    """An account with everything odd in it, and tables of several blocks."""
    path = tmp_path_factory.mktemp("mirror") / "mirror.sqlite"
    plan = Plan(seed=31, rows=240, row_bytes=40_000, tables=["notes", "tasks", "dreams"], oddities=True)
    with Sandbox() as box:
        account = populate(box.log, box.accounts, plan)
        token = StaticToken(box.accounts.issue_token(account.user_id))
        with (
            Mirror(path, sync_url=box.url, user_id=account.user_id) as mirror,
            Transport(box.url) as transport,
        ):
            pull.run(mirror, SyncClient(transport, token, mirror.client_id), registry.load())
            with mirror.snapshot() as snapshot:
                types = dict.fromkeys(account.shared_spaces, "team")
                cipher = FieldCipher(account.master_key)
                yield Source(snapshot, registry.load(), account.user_id, cipher, space_types=types)


@pytest.mark.parametrize("selection", [Selection(), Selection(include_deleted=True, spaces=["personal"])])
def test_the_same_bytes_whoever_does_which_part(source: Source, tmp_path: Path, selection: Selection) -> None:
    paths = [tmp_path / f"{number}.mana" for number in (1, 2, 3)]
    results = [
        export(source, path, selection=selection, now=NOW, processes=number) for number, path in enumerate(paths, 1)
    ]
    assert results[0].completeness == results[1].completeness == results[2].completeness
    assert results[0].completeness["notices"]
    assert len({path.read_bytes() for path in paths}) == 1
    assert max(collection.bytes for collection in source.mirror.collections()) > 4 << 20  # of several blocks
    with open_archive(paths[0]) as archive:
        assert sum(1 for table in archive.tables for _ in archive.rows(table)) == results[0].rows


@pytest.mark.parametrize(
    "selection", [Selection(), Selection(tables=["notes", "dreams", "tasks"]), Selection(spaces=["personal"])]
)
def test_a_large_account_says_the_same_as_a_small_one(source: Source, tmp_path: Path, selection: Selection) -> None:
    """It begins with its smallest table. Actors and spaces have other numbers then, and cases another order."""
    small, large = tmp_path / "small.mana", tmp_path / "large.mana"
    first = export(source, small, selection=selection, now=NOW)
    with patch("manabackup.operations.export.plan.WORTH_PROCESSES", 0):
        second = export(source, large, selection=selection, now=NOW, processes=2)
    assert (first.data_sha256, first.completeness) == (second.data_sha256, second.completeness)
    with open_archive(small) as one, open_archive(large) as other:
        assert one.tables == other.tables
        assert {**one.manifest.raw, "completeness": 0} == {**other.manifest.raw, "completeness": 0}
        assert cases(one) == cases(other)
        for table in one.tables:
            assert list(one.rows(table)) == list(other.rows(table))
            assert written(one, table) == written(other, table)


def cases(archive: Archive) -> list[bytes]:
    return sorted(map(jsontext.dumps, archive.meta("problems")))


def written(archive: Archive, table: str) -> list[Any]:
    """The meta lines of a table, with the actors and spaces that they name."""
    actors, spaces = list(archive.meta("actors")), list(archive.meta("spaces"))

    def named(line: dict[str, Any]) -> dict[str, Any]:
        actor, space = line["actor"], line.get("space")
        return {
            **line,
            "actor": None if actor is None else actors[actor],
            "space": None if space is None else spaces[space],
            "fields": {name: named(stamp) for name, stamp in line.get("fields", {}).items()},
        }

    return [named(line) for line in archive.meta(table)]


@given(
    lines=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.text(max_size=5))),
    shift=st.integers(0, 1_000_000),
)
def test_marks_become_numbers_and_nothing_else_changes(lines: list[tuple[int, int, str]], shift: int) -> None:
    def text(actor: bytes, space: bytes, word: str) -> bytes:
        return b'{"actor":%b,"id":%b,"space":%b}\n' % (actor, jsontext.dumps(word), space)

    marked = b"".join(text(b"\0a%d\0" % actor, b"\0s%d\0" % space, word) for actor, space, word in lines)
    expected = b"".join(text(b"%d" % (actor + shift), b"%d" % (space * 2), word) for actor, space, word in lines)
    assert numbered(marked, range(shift, shift + 6), range(0, 12, 2)) == expected
