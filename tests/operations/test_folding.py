"""An export is the same whoever does which part of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup import jsontext, registry
from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.mirror import Mirror
from manabackup.operations import pull
from manabackup.operations.export import Selection, Source, export
from manabackup.operations.folding import numbered
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.remote.transport import Transport
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import populate

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
