"""``info``, ``verify``, ``cat``, ``seal``, ``unseal`` on exports of an account and on archives of the web app."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.archive.test_vectors import CASES, STRICTER, VECTORS
from tests.support import schemas, v1_exports
from tests.support.homes import PASSPHRASE, Computer, Newcomer, assert_refused, entry, manifest_of, on_a_screen, rows_of

SMALL_PASSPHRASE = "correct horse battery staple"  # of the vectors


@pytest.fixture(scope="module")
def sealed(pulled: Computer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The account's export under :data:`PASSPHRASE`."""
    path = tmp_path_factory.mktemp("sealed") / "all.sealed.mana"
    assert pulled("seal", str(pulled.archive), "-o", str(path)).code == 0
    return path


@pytest.fixture
def plain(pulled: Computer) -> Path:
    """The account's export."""
    return pulled.archive


@pytest.fixture
def desk(tmp_path: Path, box: Sandbox) -> Computer:
    """A computer of nobody's, with the passphrase in its environment."""
    computer = Computer(tmp_path, box.url)
    computer.environ["MANABACKUP_PASSPHRASE"] = PASSPHRASE
    return computer


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_info_tells_what_shows_and_with_the_passphrase_what_does_not(desk: Computer, plain: Path, sealed: Path) -> None:
    whole = desk("info", str(plain), "--json").record
    opened = desk("info", str(sealed), "--json").record
    outside = desk("info", str(sealed), "--json", env={"MANABACKUP_PASSPHRASE": ""}).record
    for record in (whole, opened, outside):
        schemas.check("info", record)
    assert (whole["sealed"], opened["sealed"], opened["opened"], outside["opened"]) == (False, True, True, False)
    assert whole["dataSha256"] == opened["dataSha256"]
    assert whole["completeness"] == opened["completeness"]
    assert {"dataSha256", "completeness", "status"}.isdisjoint(outside)
    assert whole["rowCounts"] == opened["rowCounts"] == outside["rowCounts"]


def test_cat_gives_the_rows_of_a_table_byte_for_byte(desk: Computer, plain: Path, sealed: Path) -> None:
    lines = entry(plain, "data/tasks.jsonl")
    assert lines.count(b"\n") > 3
    assert desk("cat", str(plain), "tasks").out.encode() == lines
    assert desk("cat", str(sealed), "tasks").out.encode() == lines
    meta = desk("cat", "--meta", str(sealed), "tasks").out.encode()
    assert meta == entry(plain, "meta/tasks.jsonl")
    assert_refused(desk("cat", str(plain), "task"), 2, "did you mean tasks")


def test_cat_reads_archives_of_the_web_app_without_its_inner_fields(desk: Computer) -> None:
    rows = [jsontext.parse(line) for line in desk("cat", _vector("all-tables"), "tasks").out.splitlines()]
    assert rows
    assert not any(name.startswith("__") or name == "_updatedAtIndex" for row in rows for name in row)


def _vector(name: str) -> str:
    return str(VECTORS / "archives" / f"{name}.mana")


def test_a_reader_that_has_had_enough_is_no_trouble(desk: Computer, box: Sandbox) -> None:
    somebody = Newcomer(box, "talkative", vault=False)
    for number in range(60):
        somebody.write({"id": f"n{number:02}", "data": {"content": "Lange Rede. " * 400}})
    assert somebody.at(desk).export().code == 0
    piped = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -n 1', "-", *desk.program, "cat", str(desk.archive), "notes"],
        env=desk.environ,
        capture_output=True,
        check=False,
    )
    assert (piped.stderr, piped.stdout.count(b"\n")) == (b"", 1)
    assert jsontext.parse(piped.stdout)["id"] == "n00"


# --- seal and unseal --------------------------------------------------------------------------------------------------


def test_unsealing_gives_back_what_was_sealed(desk: Computer, plain: Path, sealed: Path) -> None:
    opened = desk.home / "opened.mana"
    done = desk("unseal", str(sealed), "-o", str(opened), "--json")
    schemas.check("seal", done.record)
    assert (done.code, done.record["sealed"]) == (0, False)
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(opened) as after:
        assert before.namelist() == after.namelist()
        for name in before.namelist():
            if name != "README.md":
                assert (
                    jsontext.parse(before.read(name)) == jsontext.parse(after.read(name))
                    if name == ("manifest.json")
                    else before.read(name) == after.read(name)
                )


def test_sealing_twice_and_unsealing_what_is_open_are_2(desk: Computer, plain: Path, sealed: Path) -> None:
    out = desk.home / "x.mana"
    assert_refused(desk("seal", str(sealed), "-o", str(out)), 2, "sealed already")
    assert_refused(desk("unseal", str(plain), "-o", str(out)), 2, "not sealed")
    assert not out.exists()


def test_outputs_are_replaced_only_by_force_and_never_half(desk: Computer, plain: Path, sealed: Path) -> None:
    out = desk.home / "x.mana"
    out.write_text("precious")
    assert_refused(desk("seal", str(plain), "-o", str(out)), 17)
    assert_refused(desk("unseal", str(sealed), "-o", str(out)), 17)
    wrong = {"MANABACKUP_PASSPHRASE": "something else"}
    assert_refused(desk("unseal", str(sealed), "-o", str(out), "--force", env=wrong), 12)
    assert out.read_text() == "precious"
    assert {path.name for path in desk.home.iterdir()} == {"tmp", "x.mana"}
    assert desk("seal", str(plain), "-o", str(out), "--force").code == 0
    assert desk("verify", str(out)).code == 0


def test_an_archive_may_take_the_place_of_the_one_it_is_made_from(desk: Computer, plain: Path) -> None:
    path = desk.home / "a.mana"
    shutil.copy(plain, path)
    assert desk("seal", str(path), "-o", str(path), "--force").code == 0
    assert desk("unseal", str(path), "-o", str(path), "--force").code == 0
    assert rows_of(path) == rows_of(plain)


def test_a_weak_passphrase_is_warned_about_and_an_empty_one_refused(desk: Computer, plain: Path) -> None:
    out = desk.home / "x.mana"
    done = desk("seal", str(plain), "-o", str(out), "--passphrase-command", "echo kurz")
    assert done.code == 0
    assert "can be guessed" in done.err
    assert_refused(desk("seal", str(plain), "-o", str(out), "--force", "--passphrase-command", "echo"), 2, "empty")


def test_two_spellings_of_one_letter_are_different_passphrases(desk: Computer, plain: Path) -> None:
    out = desk.home / "x.mana"
    composed, decomposed = "Gr\u00fc\u00dfe an alle", "Gru\u0308\u00dfe an alle"
    assert desk("seal", str(plain), "-o", str(out), env={"MANABACKUP_PASSPHRASE": composed}).code == 0
    done = desk("verify", str(out), env={"MANABACKUP_PASSPHRASE": decomposed})
    assert_refused(done, 12, "ü typed as one character or as two")


def test_an_archive_of_the_web_app_can_be_sealed_and_keeps_its_rows(desk: Computer) -> None:
    out, back = desk.home / "x.mana", desk.home / "y.mana"
    assert desk("seal", _vector("plain-small"), "-o", str(out)).code == 0
    assert desk("unseal", str(out), "-o", str(back)).code == 0
    expected = jsontext.parse((VECTORS / "archives" / "plain-small.expected.json").read_bytes())["tables"]
    assert {table: [{"id": key, **row} for key, row in rows.items()] for table, rows in rows_of(back).items()} == {
        table: sorted(rows, key=lambda row: row["id"]) for table, rows in expected.items()
    }
    assert manifest_of(back)["producedBy"] != manifest_of(Path(_vector("plain-small")))["producedBy"]


# --- verify -----------------------------------------------------------------------------------------------------------


def test_every_plain_vector_in_one_go_one_object_a_line(desk: Computer) -> None:
    cases = [case for case in CASES if "passphrase" not in case and not case["name"].startswith("sealed-small")]
    assert len(cases) > 80
    done = desk("verify", "--json", *(str(VECTORS / case["file"]) for case in cases))
    assert done.code == 15
    found = {}
    for line in done.out.splitlines():
        record = jsontext.parse(line)
        schemas.check("verify", record)
        found[Path(record["archive"]).stem] = record
    assert {name: record["ok"] for name, record in found.items()} == {
        case["name"]: case["ok"] and case["name"] not in STRICTER for case in cases
    }
    for name, record in found.items():
        if name in STRICTER:
            assert STRICTER[name][0] in [problem["code"] for problem in record["problems"]]


def test_sealed_vectors_under_one_passphrase(desk: Computer) -> None:
    names = [
        "sealed-small",
        "sealed-salt-standard-base64-padded",
        "sealed-body-deflated",
        "sealed-sha-altered",
        "sealed-iterations-negative",
        "sealed-iterations-2^32+600000",
    ]
    by_name = {case["name"]: case for case in CASES}
    assert {by_name[name]["passphrase"] for name in names} == {SMALL_PASSPHRASE}
    env = {"MANABACKUP_PASSPHRASE": SMALL_PASSPHRASE}
    done = desk("verify", "--json", *map(_vector, names), env=env)
    found = [jsontext.parse(line)["ok"] for line in done.out.splitlines()]
    assert (done.code, found) == (15, [by_name[name]["ok"] for name in names])


def test_each_file_is_told_about_and_the_gravest_finding_is_the_exit_code(
    desk: Computer, plain: Path, sealed: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mana"
    broken.write_bytes(plain.read_bytes()[:-30])
    missing = str(tmp_path / "missing.mana")
    wrong = {"MANABACKUP_PASSPHRASE": "something else"}
    done = desk("verify", "--json", str(plain), missing, str(sealed), str(broken), str(plain), env=wrong)
    records = [jsontext.parse(line) for line in done.out.splitlines()]
    assert [(record["archive"], record["ok"]) for record in records] == [
        (str(plain), True),
        (missing, False),
        (str(sealed), False),
        (str(broken), False),
        (str(plain), True),
    ]
    assert [record.get("exitCode") for record in records] == [None, 10, 12, None, None]
    for record in records:
        schemas.check("verify", record)
    assert done.code == 15
    assert [line for line in done.err.splitlines() if line.startswith("hint: ")] == [
        "hint: `manabackup help errors/damaged-archive` explains it"  # and none about passphrases
    ]
    assert [line for line in done.err.splitlines() if line.startswith("error: ")] == [
        f"error: {missing}: no such file",
        f"error: {sealed}: wrong passphrase",
        "error: 3 of 5 files did not pass",
    ]
    assert desk("verify", str(plain), missing, str(sealed), env=wrong).code == 12
    assert desk("verify", str(plain), missing).code == 10
    assert desk("verify", str(plain), str(plain)).code == 0
    assert_refused(desk("verify"), 2)


def test_A4_damaged_tampered_and_a_wrong_passphrase_are_told_apart(desk: Computer, sealed: Path) -> None:
    path = desk.home / "x.mana"
    content = sealed.read_bytes()

    def verdict(changed: bytes, **env: str) -> tuple[int, set[str]]:
        path.write_bytes(changed)
        done = desk("verify", "--json", str(path), env=env)
        problems = jsontext.parse(done.out)["problems"] if done.out else []
        return done.code, {problem["code"] for problem in problems}

    assert verdict(content) == (0, set())
    middle = len(content) // 2
    damaged = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    assert verdict(damaged) == verdict(damaged, MANABACKUP_PASSPHRASE="something else") == (15, {"sealedSha256"})
    assert verdict(content, MANABACKUP_PASSPHRASE="something else") == (12, set())
    assert verdict(content[:-1])[0] == 15
    assert verdict(content + b"\n")[0] == 15
    # Somebody who knows the format edits what stands outside the seal, and mends the CRC-32.
    with zipfile.ZipFile(sealed) as archive:
        manifest = archive.read("manifest.json")
    edited = manifest.replace(b'"schemaVersion":0', b'"schemaVersion":9').replace(
        b'"schemaVersion": 0', b'"schemaVersion": 9'
    )
    assert edited != manifest
    old, new = (zlib.crc32(text).to_bytes(4, "little") for text in (manifest, edited))
    assert verdict(content.replace(manifest, edited).replace(old, new)) == (15, {"tampered"})


def test_A3_a_plain_archive_that_was_edited_is_found_out_unless_its_sums_were_made_anew(
    desk: Computer, plain: Path
) -> None:
    path = desk.home / "x.mana"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(b'"id":"', b'"id":"x', 1) if name == "data/tasks.jsonl" else content)
    done = desk("verify", "--json", str(path))
    assert (done.code, done.record["ok"]) == (15, False)
    done = desk("cat", str(path), "tasks")
    assert (done.code, "SHA256SUMS" in done.err) == (15, True)
    assert "computed them anew" in desk("verify", str(plain)).err


@pytest.mark.parametrize("command", ["info", "verify", "cat", "seal", "unseal"])
def test_what_is_no_archive_is_15_and_what_is_not_there_10(desk: Computer, tmp_path: Path, command: str) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no archive at all")
    more = {"cat": ["tasks"], "seal": ["-o", "x.mana"], "unseal": ["-o", "x.mana"]}.get(command, [])
    done = desk(command, str(text), *more)
    assert (done.code, done.err.startswith("error: ")) == (15, True)
    assert_refused(desk(command, str(tmp_path / "missing.mana"), *more), 10, "missing.mana")
    assert desk(command, str(tmp_path), *more).code == 15


# --- names and values that a terminal would obey ----------------------------------------------------------------------

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202e"
LONG = f"../{HOSTILE}/" * 600
"""More than 10 kB of paths and escapes."""


def _obeyed(shown: str) -> set[str]:
    return {
        char
        for char in shown
        if char != "\n" and (char < " " or "\x7f" <= char <= "\x9f" or "\u202a" <= char <= "\u202e")
    }


@pytest.fixture(scope="module")
def hostile(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """Somebody whose server sends names and values to be obeyed, pulled and exported."""
    somebody = Newcomer(box, "hostile")
    computer = somebody.at(Computer(tmp_path_factory.mktemp("hostile"), box.url))
    somebody.write({"id": f"n{HOSTILE}", "data": {"title": somebody.sealed(HOSTILE), HOSTILE: HOSTILE}})
    somebody.write({"id": f"m{HOSTILE}", "data": {"title": f"enc:1:{HOSTILE}"}})
    somebody.write({"id": f"o{HOSTILE}", "op": "update", "fields": {HOSTILE: {"value": 1, "at": "2026"}}})
    somebody.write({"table": f"../../{HOSTILE}", "id": "/etc/passwd", "data": {"x": HOSTILE}})
    somebody.write({"id": LONG, "data": {"title": somebody.sealed(LONG)}})
    somebody.write({"table": LONG, "id": LONG, "data": {"x": 1}})
    somebody.write({"table": ".", "id": ".."}, app="..")
    assert computer.export("--extra-app", "..").code == 0
    return computer


def test_S11_nothing_that_a_server_sends_is_obeyed_by_a_terminal(hostile: Computer) -> None:
    table = next(name for name in rows_of(hostile.archive) if name.startswith("notes."))
    again = str(hostile.home / "again.mana")
    for expected, arguments in (
        (0, ["pull", "-vv", "--no-progress"]),
        (0, ["pull", "--json", "--no-progress", "--full"]),
        (0, ["export", "--offline", "-o", again, "-vv", "--no-progress"]),
        (0, ["info", str(hostile.archive)]),
        (0, ["info", str(hostile.archive), "--json"]),
        (0, ["verify", str(hostile.archive), "--no-progress"]),
        (0, ["cat", str(hostile.archive), "notes"]),
        (0, ["cat", str(hostile.archive), table]),
        (0, ["cat", str(hostile.archive), "--meta", "notes"]),
        (2, ["cat", str(hostile.archive), HOSTILE]),
        (10, ["verify", f"{HOSTILE}.mana", f"{HOSTILE}2.mana", "--no-progress"]),
    ):
        code, shown = on_a_screen(hostile, *arguments)
        assert not _obeyed(shown), (arguments, shown)
        assert shown
        assert code == expected, (arguments, shown)


def test_S11_hostile_names_make_no_path_and_their_values_survive(hostile: Computer) -> None:
    rows = rows_of(hostile.archive)
    assert rows["notes"][f"n{HOSTILE}"] == {"title": HOSTILE, HOSTILE: HOSTILE}
    with zipfile.ZipFile(hostile.archive) as archive:
        names = archive.namelist()
    assert not [name for name in names if ".." in name.split("/") or name.count("/") > 1 or not name.isprintable()]
    assert not [path for path in hostile.files() if "passwd" in path.name]
    assert rows["notes"][LONG] == {"title": LONG}
    (long,) = (table for table, found in rows.items() if found.keys() == {LONG})
    assert (long[:12], len(long)) == ("notes...%2F%", 200)
    (dots,) = (table for table, found in rows.items() if found.keys() == {".."})
    assert dots == "%2E%2E.."


def test_S11_names_that_not_even_the_server_can_hold_make_no_path(desk: Computer) -> None:
    """NUL, lone surrogates and 10 kB in an archive of version 1, whose events anybody can have written."""
    names = ["\0", "..", "/etc/passwd", "a/../../b", "\ud83d", LONG, "\0" * 10_000]
    events = [
        {"eventId": f"{n}{m}", "appId": app, "table": name, "id": name, "op": "insert", "data": {name: name}}
        | {"schemaVersion": 1, "createdAt": f"2026-04-15T10:{n:02}:{m:02}Z"}
        for n, app in enumerate(names)
        for m, name in enumerate(names)
    ]
    lines = [json.dumps(event).encode() for event in events]
    path, out = desk.home / "v1.mana", desk.home / "out.mana"
    path.write_bytes(v1_exports.export(lines, names))
    done = desk("convert", str(path), "-o", str(out), env={"MANABACKUP_KEY": bytes(32).hex()})
    assert (done.code, "error" in done.err) == (0, False), done.err
    assert not _obeyed(done.err)
    with zipfile.ZipFile(out) as archive:
        entries = [name for name in archive.namelist() if name.startswith("data/") and archive.read(name)]
    assert len(entries) == len(events)
    assert not [name for name in entries if name.count("/") > 1 or not name.isascii() or len(name) > 211]
    assert {path.name for path in desk.home.iterdir()} == {"tmp", "v1.mana", "out.mana"}
    code, shown = on_a_screen(desk, "info", str(out))
    assert (code, _obeyed(shown)) == (0, set())


def test_through_a_pipe_rows_are_as_they_are(hostile: Computer) -> None:
    out = subprocess.run(
        [*hostile.program, "cat", str(hostile.archive), "notes"], env=hostile.environ, capture_output=True, check=True
    ).stdout
    assert out == entry(hostile.archive, "data/notes.jsonl")


def test_a_file_whose_name_holds_a_line_break_is_named_in_one_line(desk: Computer, plain: Path) -> None:
    path = desk.home / "a\nb\x1b.mana"
    shutil.copy(plain, path)
    done = desk("verify", os.fspath(path), "--json")
    assert (done.code, done.record["archive"]) == (0, str(path))
    assert done.out.count("\n") == 1
    assert json.loads(done.out)["ok"]
    path.write_text("x")
    assert not _obeyed(desk("verify", os.fspath(path)).out)
