"""``roundtrip`` as somebody's CI calls it: no account, no network; reports, exit codes, and nothing left behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.operations.archives.reseal import seal
from manabackup.operations.rekey import rekey
from manabackup.text import jsontext
from tests.support.archives import ours
from tests.support.homes import Computer, Owner
from tests.support.processes import Finished
from tests.support.schemas import check

KEY = bytes(range(32))
PASSPHRASE = "correct horse battery staple"
VECTORS = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives"
NOTE = {"id": "n", "title": "geheim", "createdAt": "2026-01-01T00:00:00.000Z"}


@pytest.fixture
def ci(tmp_path: Path) -> Computer:
    """A computer that reaches no server of Mana's, and whose home is nobody's."""
    computer = Computer(tmp_path, "http://127.0.0.1:9")
    computer.environ |= {"CI": "true", "no_proxy": "", "http_proxy": "http://127.0.0.1:9"}
    return computer


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return ours(tmp_path / "good.mana", {"notes": [NOTE], "tasks": [{"id": "t", "order": 1}]})


@pytest.fixture
def unknown(tmp_path: Path) -> Path:
    """Whole as an archive, and of it one row cannot be restored."""
    return ours(tmp_path / "unknown.mana", {"notes": [NOTE], "mystery.things": [{"id": "q\x1b[31m"}]})


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An archive that does not come back whole: no client takes the app's own bookkeeping for data."""
    return ours(tmp_path / "odd\x1b[31m.mana", {"notes": [{**NOTE, "__odd\x1b[31m": 1}]})


@pytest.fixture
def damaged(tmp_path: Path, good: Path) -> Path:
    path = tmp_path / "damaged.mana"
    path.write_bytes(good.read_bytes()[:-30])
    return path


def tried(ci: Computer, *arguments: object) -> Finished:
    return ci("roundtrip", *map(str, arguments), env={"MANABACKUP_PASSPHRASE": PASSPHRASE})


def test_an_export_of_a_whole_account_comes_back_but_for_what_is_not_its_own(
    owner: Owner, stocked: Computer, ci: Computer
) -> None:
    exported = stocked.export("--offline", "--include-deleted")
    assert exported.code == 0
    done = tried(ci, stocked.archive, "--json")
    assert (done.code, done.err) == (4, ""), done.out
    check("roundtrip", done.record)
    (file,) = done.record["files"]
    assert file["archive"] == str(stocked.archive)
    assert (file["equal"], file["differences"]) == (False, {})
    assert file["rows"] >= sum(map(len, owner.live.values()))
    assert {"identity", "addedTimes", "rowIds"} <= file["expected"].keys()
    # Other members' fields, under their keys, and the table of a newer app.
    assert file["leftBehind"].keys() == {"ciphertextLeftOut", "unknownTable"}
    assert file["leftBehind"]["ciphertextLeftOut"] == exported.record["completeness"]["notices"]["foreignCiphertext"]
    kinds = [word for kind in file["leftBehind"] for word in ("--expect", kind)]
    done = tried(ci, stocked.archive, "--json", *kinds)
    assert (done.code, done.err) == (0, ""), done.out
    check("roundtrip", done.record)
    (told,) = done.record["files"]
    assert (told["equal"], told["leftBehind"], told["leftBehindCases"]) == (True, {}, [])
    assert told["expected"] == file["expected"] | file["leftBehind"]


def test_archives_of_the_web_app_come_back_whole_but_for_what_does_not_open(ci: Computer) -> None:
    files = [VECTORS / f"{name}.mana" for name in ("all-tables-sealed", "tombstones-and-corrupt")]
    done = tried(ci, *files, "--json")
    assert done.code == 4, done.out + done.err
    check("roundtrip", done.record)
    assert [(file["rows"], file["leftBehind"]) for file in done.record["files"]] == [
        (203, {}),
        (14, {"ciphertextLeftOut": 2}),
    ]
    done = tried(ci, *files, "--json", "--expect", "ciphertextLeftOut")
    assert done.code == 0, done.out + done.err


def test_what_stays_behind_ends_with_4_and_is_counted_and_named(ci: Computer, unknown: Path) -> None:
    report = ci.home / "report.xml"
    done = tried(ci, unknown, "--junit", report)
    assert (done.code, done.err) == (4, "")
    head, *rest = done.out.splitlines()
    assert head == f"{unknown}: does not come back whole: 1 of 2 rows stay behind (unknownTable)"
    assert rest[-2:] == [
        "  left behind: unknownTable: 1 (rows of tables that this version knows nothing of)",
        "    - mystery.things q\\x1b[31m",
    ]
    (failure,) = ET.parse(report).getroot().iter("failure")
    assert failure.get("message") == head.removeprefix(f"{unknown}: ")
    assert "mystery.things q" in (failure.text or "")
    properties = {item.get("name"): item.get("value") for item in ET.parse(report).getroot().iter("property")}
    assert properties["leftBehind.unknownTable"] == "1"
    done = tried(ci, unknown, "--expect", "unknownTable", "--junit", report, "--force")
    assert (done.code, done.out.splitlines()[0]) == (0, f"{unknown}: comes back whole, 2 rows")
    assert ET.parse(report).getroot().get("failures") == "0"
    assert tried(ci, unknown, "--expect", "nul").code == 4
    refused = tried(ci, unknown, "--expect", "everything")
    assert (refused.code, refused.out) == (2, "")


def test_that_an_archive_was_partial_before_is_said(ci: Computer, tmp_path: Path) -> None:
    lost = {"undecryptable": {"count": 1, "cases": []}}
    additions = {"completeness": {"status": "partial", "losses": lost, "notices": {}}}
    done = tried(ci, ours(tmp_path / "partial.mana", {"notes": [NOTE]}, additions=additions))
    assert (done.code, done.out.splitlines()[-1].split(":")[0]) == (0, "  its writer could not read everything")


def test_it_needs_nothing_and_leaves_nothing(ci: Computer, good: Path) -> None:
    before = set(ci.files())
    done = tried(ci, good)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == f"{good}: comes back whole, 2 rows"
    assert "  expected: bootstrapped: 3 (rows that every new account begins with)" in done.out.splitlines()
    assert set(ci.files()) == before
    assert list(ci.temporary.iterdir()) == []


def test_sealed_archives_and_archives_for_another_account_are_tried_with_their_secrets(
    ci: Computer, good: Path
) -> None:
    sealed, encrypted, key = (ci.home / name for name in ("sealed.mana", "encrypted.mana", "key"))
    seal(good, sealed, lambda: PASSPHRASE)
    with open_archive(good) as archive:
        rekey(archive, encrypted, FieldCipher(KEY))
    key.write_text(KEY.hex())
    key.chmod(0o600)
    assert tried(ci, sealed, encrypted, "--key-file", key).code == 0
    done = tried(ci, encrypted)
    assert (done.code, done.out) == (2, "")
    assert "its key was not given" in done.err
    wrong = ci("roundtrip", str(sealed), env={"MANABACKUP_PASSPHRASE": "wrong"})
    assert (wrong.code, wrong.out) == (12, "")


def test_a_difference_ends_with_4_and_is_told_without_values(ci: Computer, good: Path, odd: Path) -> None:
    done = tried(ci, good, odd)
    assert (done.code, done.err) == (4, "")
    lines = done.out.splitlines()
    assert any(line.endswith("odd\\x1b[31m.mana: does not come back whole: 1 row of 1 differs") for line in lines)
    assert lines[-2:] == ["  notes: 0 added, 0 removed, 1 changed", "    ~ n: __odd\\x1b[31m"]
    assert "geheim" not in done.out


def test_every_file_is_tried_and_the_worst_tells_in_the_exit_code(
    ci: Computer, good: Path, odd: Path, damaged: Path
) -> None:
    done = tried(ci, damaged, odd, good, ci.home / "none.mana", "--json")
    assert done.code == 15
    check("roundtrip", done.record)
    files = done.record["files"]
    assert [(file["equal"], file.get("exitCode")) for file in files] == [
        (False, 15),
        (False, None),
        (True, None),
        (False, 10),
    ]
    assert files[1]["differences"]["notes"]["cases"]["changed"] == [{"id": "n", "fields": ["__odd\x1b[31m"]}]
    assert done.err.splitlines()[-2:] == [
        "error: 2 of 4 files could not be tried",
        "hint: `manabackup help errors/damaged-archive` explains it",
    ]


def test_a_damaged_file_alone_ends_as_everywhere(ci: Computer, damaged: Path) -> None:
    done = tried(ci, damaged)
    assert (done.code, done.out) == (15, "")
    assert done.err.startswith("error: ")
    assert list(ci.temporary.iterdir()) == []


def test_junit_has_a_test_case_for_each_file(ci: Computer, good: Path, odd: Path, damaged: Path) -> None:
    report = ci.home / "report.xml"
    assert tried(ci, good, odd, damaged, "--junit", report).code == 15
    root = ET.parse(report).getroot()
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == ("testsuites", "3", "1", "1")
    (suite,) = root
    assert (suite.tag, suite.get("tests")) == ("testsuite", "3")
    passed, failed, broken = suite
    assert [case.get("name") for case in suite] == [str(good), f"{ci.home}/odd\\x1b[31m.mana", str(damaged)]
    assert all(float(case.get("time", "")) >= 0 for case in suite)
    assert [child.tag for child in passed] == ["properties"]
    properties = {item.get("name"): item.get("value") for item in passed.iter("property")}
    assert (properties["rows"], properties["expected.bootstrapped"]) == ("2", "3")
    (failure,) = failed.findall("failure")
    assert failure.get("message") == "does not come back whole: 1 row of 1 differs"
    assert (failure.text or "").splitlines()[1:] == ["notes: 0 added, 0 removed, 1 changed", "  ~ n: __odd\\x1b[31m"]
    (error,) = broken.findall("error")
    assert error.get("type") == "DamagedArchiveError"
    assert report.stat().st_mode & 0o777 == 0o600


def test_only_the_report_of_an_earlier_run_is_replaced_unasked(ci: Computer, good: Path) -> None:
    report = ci.home / "report.xml"
    report.write_text("mine")
    done = tried(ci, good, "--junit", report)
    assert (done.code, done.out, report.read_text()) == (17, "", "mine")
    assert tried(ci, good, "--junit", report, "--force").code == 0
    assert ET.parse(report).getroot().get("failures") == "0"
    before = report.stat().st_ino
    assert tried(ci, good, "--junit", report).code == 0  # that of an earlier run
    assert report.stat().st_ino != before
    nowhere = tried(ci, good, "--junit", ci.home / "nowhere" / "report.xml")
    assert nowhere.code == 17


def test_a_disk_that_is_full_is_told_and_nothing_is_left(ci: Computer, good: Path) -> None:
    if shutil.which("bash") is None:
        pytest.skip("needs bash for ulimit")
    ci.program = ["bash", "-c", 'ulimit -f 16; exec "$@"', "bash", *ci.program]
    done = tried(ci, good, "--json")
    assert done.code == 17, done.err
    assert jsontext.parse(done.out)["files"][0]["exitCode"] == 17
    assert list(ci.temporary.iterdir()) == []
