"""Whatever makes no sense to the library comes out of it as a ``ManabackupError``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import manabackup
from manabackup import ConvertOptions, FieldCipher, Mirror, Seal, Selection, StaticToken, Transport
from manabackup.errors import (
    DamagedArchiveError,
    ManabackupError,
    NewerArchiveError,
    NotFoundError,
    OutputError,
    UsageError,
    WrongKeyError,
)
from tests.support import zips

VECTORS = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"
PLAIN, SEALED = VECTORS / "plain-small.mana", VECTORS / "sealed-small.mana"
NUL = Path("a\0b")


def _raises(kind: type[ManabackupError], call: Callable[[], Any], told: str = "") -> None:
    with pytest.raises(kind) as found:
        call()
    assert told in found.value.message
    assert found.value.message.isprintable()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def archive() -> Iterator[manabackup.Archive]:
    with manabackup.open_archive(PLAIN) as archive:
        yield archive


def test_rows_of_a_table_that_is_not_there(archive: manabackup.Archive) -> None:
    _raises(UsageError, lambda: archive.rows("nope"), "no table nope")
    with pytest.raises(UsageError) as found:
        archive.rows("note")
    assert found.value.hint == "did you mean notes?"
    assert list(archive.meta("nope")) == []


def test_a_sealed_archive_without_a_passphrase(out: Path) -> None:
    for call in (
        lambda: manabackup.open_archive(SEALED),
        lambda: manabackup.verify(SEALED),
        lambda: manabackup.convert_to(SEALED, "json", out),
    ):
        _raises(UsageError, call, "is sealed, and no passphrase was given")


def test_a_name_that_no_file_has(out: Path) -> None:
    for reads in (manabackup.open_archive, manabackup.verify, manabackup.info):
        _raises(NotFoundError, lambda reads=reads: reads(NUL), "not a file name")  # type: ignore[misc]
    for writes in (
        lambda: manabackup.seal(PLAIN, NUL, lambda: "a passphrase"),
        lambda: manabackup.convert_to(PLAIN, "json", NUL),
        lambda: manabackup.convert_to(PLAIN, "markdown", NUL),
        lambda: Mirror(NUL, sync_url="http://localhost", user_id="u"),
    ):
        _raises(OutputError, writes, "not a file name")


def test_a_user_that_no_server_has(out: Path) -> None:
    _raises(UsageError, lambda: Mirror(out, sync_url="http://localhost", user_id="\ud800"), "not a user id")


def test_an_instant_that_is_none() -> None:
    for instant in ("yesterday", "2026-99-99T00:00:00Z", ""):
        _raises(UsageError, lambda instant=instant: Selection(as_of=instant), "not a time")  # type: ignore[misc]
    assert Selection(as_of="2026-05-01T12:00:00Z").as_of is not None


def test_a_passphrase_that_protects_nothing(out: Path) -> None:
    _raises(UsageError, lambda: Seal(""), "empty")
    _raises(UsageError, lambda: manabackup.seal(PLAIN, out, lambda: ""), "empty")
    assert not out.exists()


def test_options_of_conversions_that_nothing_knows(out: Path) -> None:
    wrong: list[dict[str, Any]] = [{"language": "fr"}, {"vcard": "9"}, {"zone": "Europe/Berlin"}]
    for options in wrong:
        _raises(UsageError, lambda options=options: ConvertOptions(**options))  # type: ignore[misc]
    for options in ({"apps": ("nope",)}, {"tables": ("nope",)}):
        _raises(
            UsageError,
            lambda options=options: manabackup.convert_to(PLAIN, "json", out, options=ConvertOptions(**options)),  # type: ignore[misc]
        )
    _raises(UsageError, lambda: manabackup.convert_to(PLAIN, "nope", out), "no format nope")


def test_keys_addresses_and_tokens_that_are_none() -> None:
    _raises(WrongKeyError, lambda: FieldCipher(b"short"))
    _raises(WrongKeyError, lambda: manabackup.parse_master_key(b"zz"))
    for url in ("", "nope", "ftp://x", "http://", "http://x:99999", "http://[::1", "https://u:p@x", "http://\ud800"):
        _raises(UsageError, lambda url=url: Transport(url))  # type: ignore[misc]
    for token in ("", "nope", "a\nb"):
        _raises(ManabackupError, lambda token=token: StaticToken(token).token())  # type: ignore[misc]


def test_a_reason_for_which_nothing_stays_behind(archive: manabackup.Archive) -> None:
    _raises(UsageError, lambda: manabackup.roundtrip(archive, accepted=["nope"]), "nope")


def test_a_folder_is_no_damaged_archive_and_a_newer_one_is_newer(tmp_path: Path) -> None:
    _raises(DamagedArchiveError, lambda: manabackup.open_archive(tmp_path), "is a folder")
    newer = tmp_path / "newer.mana"
    newer.write_bytes(zips.build([zips.stored("manifest.json", b'{"formatVersion": 3}')]))
    _raises(NewerArchiveError, lambda: manabackup.open_archive(newer), "format version 3 is newer than this program")
    report = manabackup.verify(newer)
    assert (report.ok, report.is_newer) == (False, True)
    assert [problem.code for problem in report.problems] == ["formatVersion"]
