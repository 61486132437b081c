"""The page's reader says of every archive what this package says of it, and gives the same rows."""

from __future__ import annotations

import random
from pathlib import Path

from manabackup.archive.reader import open_archive
from manabackup.errors import DamagedArchiveError, WrongPassphraseError
from manabackup.operations.archives.verify import verify
from manabackup.text import jsontext
from tests.archive.test_vectors import CASES, STRICTER
from tests.support.exports import PASSPHRASE, write_export
from tests.viewer import example
from tests.viewer.reading import HOSTILE, RELEASED, V1, VECTORS, Given, differing, hostile_cases, needs_node, read

pytestmark = needs_node


def rows_of(path: Path, passphrase: str | None) -> list[list[object]]:
    """What this package reads: each table with its lines, in the archive's order."""
    with open_archive(path, lambda: passphrase or "") as archive:
        return [[table, [row.line.decode() for row in archive.rows(table)]] for table in archive.tables]


def test_hostile_archives_get_the_verdicts_of_their_index() -> None:
    cases = hostile_cases()
    results = read([Given(HOSTILE / case["file"], case.get("passphrase")) for case in cases])
    assert differing(cases, results) == []


def test_the_web_apps_archives_are_read_as_this_package_reads_them() -> None:
    results = read([Given(VECTORS / case["file"], case.get("passphrase")) for case in CASES])
    for case, result in zip(CASES, results, strict=True):
        path, passphrase = VECTORS / case["file"], case.get("passphrase")
        expected: dict[str, object] = {}
        try:
            expected = {"exit": 0, "rows": rows_of(path, passphrase)}
        except WrongPassphraseError:
            expected = {"exit": 12}
        except DamagedArchiveError as error:
            expected = {"exit": 15, "code": error.code}
        assert {key: result.get(key) for key in expected} == expected, case["name"]


def test_the_web_apps_rows_are_those_that_its_own_reader_saw() -> None:
    cases = [case for case in CASES if case["ok"] and case["name"] not in {*STRICTER, "data-name-proto"}]
    results = read([Given(VECTORS / case["file"], case.get("passphrase")) for case in cases])
    for case, result in zip(cases, results, strict=True):
        expected = jsontext.parse((VECTORS / case["expected"]).read_bytes())["tables"]
        found = {table: [jsontext.parse(line.encode()) for line in lines] for table, lines in result["rows"]}
        assert jsontext.dumps(found) == jsontext.dumps(expected), case["name"]


def test_archives_of_every_release_open_with_the_same_rows() -> None:
    paths = sorted(RELEASED.glob("*/*.mana"))
    assert paths
    for path, result in zip(paths, read([Given(path, PASSPHRASE) for path in paths]), strict=True):
        assert result["exit"] == 0, (path, result)
        assert result["rows"] == rows_of(path, PASSPHRASE), path


def test_archives_of_version_1_get_the_word_that_verify_has_for_them() -> None:
    """They hold ciphertext of the account's key, which no passphrase opens: the page says whether they are whole."""
    paths = sorted(V1.glob("*.mana"))
    for path, result in zip(paths, read([Given(path) for path in paths]), strict=True):
        report = verify(path)
        expected = {"code": report.problems[0].code} if report.problems else {"older": True}
        assert {key: result.get(key) for key in expected} == expected, path.name
    assert len(paths) >= 5


def test_what_this_version_writes_opens_with_the_same_rows(tmp_path: Path) -> None:
    plain, sealed, small = tmp_path / "plain.mana", tmp_path / "sealed.mana", tmp_path / "small.mana"
    example.write(plain, example.example())
    example.write(sealed, example.example(), passphrase=example.PASSPHRASE, private=True)
    write_export(small)
    given = [Given(plain), Given(sealed, example.PASSPHRASE), Given(small)]
    for each, result in zip(given, read(given), strict=True):
        assert result["exit"] == 0, (each, result)
        assert result["rows"] == rows_of(each.path, each.passphrase)
        assert result["sealed"] == (each.passphrase is not None)


def test_damage_anywhere_gets_the_same_word(tmp_path: Path) -> None:
    """Archives with one byte altered, cut out or doubled, at every place of the small one that Mana's own code made."""
    whole = (VECTORS / "archives" / "plain-small.mana").read_bytes()
    chance = random.Random(13)
    altered = [whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :] for at in range(len(whole))]
    altered += [whole[:at] + whole[at + 1 :] for at in range(0, len(whole), 7)]
    altered += [whole[:at] + whole[at : at + 1] + whole[at:] for at in range(3, len(whole), 7)]
    given = []
    for number, content in enumerate(altered):
        path = tmp_path / f"{number}.mana"
        path.write_bytes(content)
        given.append(Given(path))
    for each, result in zip(given, read(given), strict=True):
        report = verify(each.path)
        expected = report.problems[0].code if report.problems else None
        # A broken line in an entry that is damaged anyway: whoever reads in pieces meets it before the entry's end.
        either = {expected, "crc", "deflate", "size"} if expected == "line" else {expected}
        assert result.get("code") in either, (each.path, result, report.problems)
