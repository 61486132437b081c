"""What ``verify`` and the others call a file that is whole and yet no archive of theirs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import schemas, v1_exports, zips
from tests.support.processes import CommandLine

SMALL = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives" / "plain-small.mana"


@pytest.fixture
def desk(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def newer(tmp_path: Path) -> str:
    path = tmp_path / "newer.mana"
    path.write_bytes(zips.build([zips.stored("manifest.json", b'{"formatVersion": 3}')]))
    return str(path)


@pytest.fixture
def older(tmp_path: Path) -> str:
    path = tmp_path / "older.mana"
    path.write_bytes(v1_exports.export(v1_exports.life_lines(), ["notes"]))
    return str(path)


@pytest.mark.parametrize(
    "command",
    [["verify"], ["info"], ["cat", "--meta"], ["diff"], ["unseal", "-o", "out"], ["report", "--format", "json"]],
)
def test_a_newer_archive_is_not_called_damaged(desk: CommandLine, newer: str, command: list[str]) -> None:
    more = {"cat": ["notes"], "diff": [newer]}.get(command[0], [])
    done = desk(*command, newer, *more)
    assert done.code == 15
    assert "newer" in done.err
    assert "hint: upgrade manabackup" in done.err
    assert "damaged" not in (done.out + done.err).lower()


@pytest.mark.parametrize("command", ["verify", "info"])
def test_neither_is_a_folder_or_some_other_file(desk: CommandLine, tmp_path: Path, command: str) -> None:
    text = tmp_path / "text"
    text.write_text("no archive")
    for path, told in ((tmp_path, "is a folder"), (text, "is not a .mana archive")):
        done = desk(command, str(path))
        assert done.code == 15
        assert told in done.out + done.err
        assert "damaged" not in (done.out + done.err).lower()


def test_an_archive_of_version_1_is_called_so_and_led_on(desk: CommandLine, older: str) -> None:
    done = desk("verify", older)
    events = len(v1_exports.life_lines())
    assert done.code == 0
    assert done.out.startswith(f"{older}: ok, {events} events in place of rows: version 1\n")
    assert "manabackup convert" in done.out
    record = desk("verify", "--json", older).record
    schemas.check("verify", record)
    assert (record["formatVersion"], record["events"]) == (1, events)
    assert "manabackup convert" in desk("info", older).err
    assert "manabackup convert" in desk("cat", older, "notes").err


def test_an_archive_of_version_1_needs_a_key_and_the_refusal_says_why(desk: CommandLine, older: str) -> None:
    done = desk("convert", older, "--to", "mana", "-o", "out.mana")
    assert done.code == 13
    assert "not signed in: in version 1 private fields are encrypted" in " ".join(done.err.split())
    assert "--key-file FILE" in done.err


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """With a byte of a table's rows turned over."""
    content = bytearray(SMALL.read_bytes())
    content[content.index(b"data/tasks.jsonl") + 40] ^= 0xFF
    path = tmp_path / "broken.mana"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "command",
    [
        ["cat", "BROKEN", "tasks"],
        ["find", "BROKEN", "milk"],
        ["diff", "WHOLE", "BROKEN"],
        ["diff", "BROKEN", "WHOLE"],
        ["roundtrip", "BROKEN"],
        ["convert", "BROKEN", "--to", "csv", "-o", "out"],
        ["view", "BROKEN", "-o", "out.html"],
    ],
)
def test_damage_is_told_with_the_name_of_the_file(desk: CommandLine, broken: str, command: list[str]) -> None:
    done = desk(*({"BROKEN": broken, "WHOLE": str(SMALL)}.get(word, word) for word in command))
    assert done.code == 15
    assert done.err.startswith(f"error: {broken}: data/tasks.jsonl: damaged"), done.err
    assert not [path for path in desk.home.iterdir() if path.name.startswith("out")]


def test_of_what_this_tool_writes_besides_archives_it_is_said_what_to_do(desk: CommandLine) -> None:
    page, database = str(desk.home / "page.html"), str(desk.home / "rows.sqlite")
    assert desk("view", str(SMALL), "-o", page).code == 0
    assert desk("convert", str(SMALL), "--to", "sqlite", "-o", database).code == 0
    for file, told in ((page, "opens in a browser"), (database, "`convert FILE --to mana`")):
        done = desk("info", file)
        assert done.code == 15
        assert told in " ".join(done.err.split())


def test_diff_of_an_app_compares_its_tables_alone(desk: CommandLine) -> None:
    assert desk("diff", str(SMALL), str(SMALL), "--app", "todo").out.startswith("equal: 2 rows")
    done = desk("diff", str(SMALL), str(SMALL), "--app", "todoo")
    assert (done.code, done.err.splitlines()) == (2, ["error: neither has the app todoo", "hint: did you mean todo?"])


@pytest.mark.parametrize(
    "command",
    [["convert", "--to", "vcf"], ["convert", "--to", "json"], ["report"], ["view"], ["report", "--format", "json"]],
)
def test_no_output_takes_the_place_of_the_archive_that_it_is_made_from(
    desk: CommandLine, tmp_path: Path, command: list[str]
) -> None:
    archive = tmp_path / "a.mana"
    archive.write_bytes(SMALL.read_bytes())
    (tmp_path / "link.mana").symlink_to(archive)
    for output in (archive, tmp_path / "link.mana"):
        done = desk(*command, str(archive), "-o", str(output), "--force")
        assert (done.code, "is the archive itself" in done.err) == (2, True)
    assert archive.read_bytes() == SMALL.read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ["verify", ""],
        ["prune", "", "--keep-last", "1", "--yes"],
        ["info", "x", "--passphrase-file", ""],
        ["man", "-o", ""],
    ],
)
def test_an_empty_name_is_none(desk: CommandLine, command: list[str]) -> None:
    done = desk(*command)
    assert done.code == 2
    assert done.err.splitlines()[0].endswith(" is empty")
    assert done.err.splitlines()[1] == "hint: is a variable unset that should stand there?"


def test_a_report_is_written_though_nobody_hears_the_results(desk: CommandLine, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [*desk.program, "roundtrip", str(SMALL), "--junit", str(report)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=desk.environ, check=False)
    assert done.returncode == 17
    assert '<testsuites tests="1"' in report.read_text()
