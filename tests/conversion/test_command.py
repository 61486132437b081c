"""``convert`` on the command line: what it tells, and how it ends. What each format holds is in the other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manabackup.conversion.formats import FORMATS
from manabackup.conversion.left_out import KINDS
from manabackup.operations.archives.readable import convert_to
from tests.support.processes import CommandLine
from tests.support.schemas import check

from .archives import MADE, PASSPHRASE, Tables, write_archive

DOCUMENT = (Path(__file__).parents[2] / "docs" / "convert.md").read_text("utf-8")
ROWS: Tables = {
    "calendars": [{"id": "k", "name": "Mine", "isDefault": True, "timezone": "Europe/Zurich"}],
    "notes": [{"id": "n", "title": "Beds", "unlistedToken": "tok_1"}],
}


@pytest.fixture
def run(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return str(write_archive(tmp_path / "a.mana", ROWS))


def test_the_help_and_the_page_name_every_format(run: CommandLine) -> None:
    told = " ".join(run("convert", "--help").out.split())
    assert f"The formats: mana, {', '.join(FORMATS)}." in told
    for name in FORMATS:
        assert f"\n## `{name}`\n" in DOCUMENT
        assert f"| [`{name}`](#{name}) |" in DOCUMENT


def test_a_database_and_back(run: CommandLine, archive: str, tmp_path: Path) -> None:
    database, again = str(tmp_path / "a.sqlite"), str(tmp_path / "b.mana")
    done = run("convert", archive, "--to", "sqlite", "-o", database)
    assert (done.code, done.out) == (0, f"{database}: sqlite, made of 2 rows in 2 tables\n")
    assert "local times are those of Europe/Zurich (the default calendar's zone)" in done.err
    assert "left out: 1 secret that lets somebody in, which --include-secrets takes in (notes)" in done.err
    assert "is not encrypted" in done.err
    assert "the archive cannot be made of it again with the same content" in done.err
    back = run("convert", database, "--to", "mana", "-o", again)
    assert (back.code, back.out) == (3, f"{again}: 2 rows, another content\n")
    assert "warning: the database did not hold all of the archive: notes" in back.err
    there = run("--json", "convert", archive, "--to", "sqlite", "--include-secrets", "-o", database, "--force")
    check("convert", there.record)
    assert there.record["leftOut"] == {}
    assert there.record["reversible"] is True
    back = run("--json", "convert", database, "-o", again, "--force", "-q")
    assert back.code == 0
    check("convert", back.record)
    assert back.record["same"] is True


def test_rows_of_spaces_that_nobody_asked_for_are_told_and_no_notice(run: CommandLine, tmp_path: Path) -> None:
    notes = [{"id": "a", "title": "Mine", "spaceId": "_personal:u"}, {"id": "b", "title": "Ours", "spaceId": "club"}]
    source, output = str(write_archive(tmp_path / "a.mana", {"notes": notes})), str(tmp_path / "a.json")
    done = run("convert", source, "--to", "json", "--space", "club", "--strict", "-o", output)
    assert (done.code, done.out) == (0, f"{output}: json, made of 1 row in 1 table\n"), done.err
    assert "left out: 1 row of another space (notes)" in done.err


@pytest.fixture(scope="module")
def several_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of one table that go to several processes, with what they need of other tables, and what is left out."""
    rows: Tables = {
        "globalTags": [{"id": f"t{n}", "name": f"Tag {n}"} for n in range(3)],
        "noteTags": [{"id": f"{n:04}-t", "noteId": f"{n:04}", "tagId": f"t{n % 4}"} for n in range(0, 1_100, 5)],
        "notes": [
            {
                "id": f"{n:04}",
                "title": f"Züge {n % 700}",
                "content": f"# {n}\n<b>x</b> \ud83d" if n % 9 == 0 else f"=1+{n}",
                "isPinned": n % 2 == 0,
                "order": n / 4,
                **({"unlistedToken": f"tok_{n}"} if n % 50 == 0 else {}),
                **({"deletedAt": MADE} if n % 70 == 0 else {}),
            }
            for n in range(1_100)
        ],
        "timeBlocks": [{"id": "b", "startDate": "2026-05-01T10:00:00.000Z", "endDate": None}],
        "events": [{"id": f"{n}", "title": f"{n}", "timeBlockId": "bc"[n % 2]} for n in range(6)],
    }
    return write_archive(tmp_path_factory.mktemp("blocks") / "a.mana", rows)


@pytest.mark.parametrize("name", ["csv", "json", "markdown", "sqlite"])
def test_the_same_comes_out_on_any_number_of_cores(several_blocks: Path, tmp_path: Path, name: str) -> None:
    def made(processes: int) -> tuple[dict[str, bytes], dict[str, dict[str, int]]]:
        target = tmp_path / f"{processes}"
        result = convert_to(several_blocks, name, target, processes=processes)
        files = {str(path.relative_to(target)): path for path in [target, *target.rglob("*")] if path.is_file()}
        return {path: file.read_bytes() for path, file in files.items()}, result.left_out.to_json()

    alone = made(1)
    assert alone == made(3)
    assert alone[1]["secret"] == {"notes": 22 if name == "sqlite" else 18}


def test_text_that_looks_like_ciphertext_is_text_where_the_archive_marks_what_is_some(tmp_path: Path) -> None:
    value = f"enc:1:{'A' * 16}.{'B' * 32}"
    rows: Tables = {"notes": [{"id": "a", "title": value, "content": value}, {"id": "b", "title": value}]}
    for marked, titles in ((True, {"b": value}), (False, {})):
        source = write_archive(tmp_path / f"{marked}.mana", rows, ciphertext={"a": ["content", "title"]}, marked=marked)
        result = convert_to(source, "json", tmp_path / f"{marked}.json")
        notes = json.loads((tmp_path / f"{marked}.json").read_bytes())["tables"]["notes"]
        assert {note["id"]: note["title"] for note in notes if "title" in note} == titles
        assert result.left_out.to_json() == {"ciphertext": {"notes": 2 if marked else 3}}


def test_what_is_in_the_way_stays_unless_it_is_to_go(run: CommandLine, archive: str, tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_text("mine")
    done = run("convert", archive, "--to", "sqlite", "-o", str(tmp_path / "a.sqlite"))
    assert (done.code, done.err.splitlines()[-1]) == (17, "hint: --force replaces it")
    assert (tmp_path / "a.sqlite").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--to", "papyrus"], "error: there is no format papyrus\nhint: there are mana, sqlite"),
        (["--to", "sqlite", "--seal"], "error: --seal is for --to mana"),
        (["--to", "sqlite", "--lang", "fr"], "error: there are no words in fr\n"),
        (["--to", "sqlite", "--tz", "Berlin"], "error: Berlin is no time zone\n"),
        (["--to", "sqlite", "--table", "note"], "error: the archive has no table note\nhint: did you mean notes?"),
        (["--to", "sqlite", "--app", "todo"], "error: the archive has no app todo"),
        (["--to", "json", "--space", "elsewhere"], "error: the archive has no space elsewhere\nhint: `personal` is"),
        (
            ["--to", "json", "--app", "notes", "--table", "calendars"],
            "error: none of the tables belongs to one of the apps",
        ),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(
    run: CommandLine, archive: str, tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = run("convert", archive, "-o", str(tmp_path / "out"), *arguments)
    assert done.code == 2
    assert done.err.startswith(told), done.err
    assert not (tmp_path / "out").exists()


def test_a_sealed_archive_asks_for_its_passphrase(run: CommandLine, tmp_path: Path) -> None:
    from manabackup import Seal

    source = str(write_archive(tmp_path / "s.mana", ROWS, seal=Seal(PASSPHRASE)))
    command = ["convert", source, "--to", "sqlite", "-o", str(tmp_path / "a.sqlite")]
    assert run(*command, env={"MANABACKUP_PASSPHRASE": "another one"}).code == 12
    assert not (tmp_path / "a.sqlite").exists()
    assert run(*command, env={"MANABACKUP_PASSPHRASE": PASSPHRASE}).code == 0


def test_an_archive_for_another_account_is_refused(run: CommandLine, tmp_path: Path) -> None:
    rekeyed = Path(__file__).parents[2] / "fixtures" / "released" / "0.1.0" / "rekeyed.mana"
    done = run("convert", str(rekeyed), "--to", "sqlite", "-o", str(tmp_path / "a.sqlite"))
    assert done.code == 2
    assert "encrypted for an account" in done.err


def test_the_language_is_the_terminals_unless_it_is_said(run: CommandLine, archive: str, tmp_path: Path) -> None:
    def language(*arguments: str, **environ: str) -> str:
        target = str(tmp_path / "a.sqlite")
        done = run("--json", "convert", archive, "--to", "sqlite", "--force", "-o", target, *arguments, env=environ)
        return str(json.loads(done.out)["language"])

    assert language(LC_ALL="", LC_MESSAGES="", LANG="de_CH.UTF-8") == "de"
    assert language(LC_ALL="C", LANG="de_CH.UTF-8") == "en"
    assert language("--lang", "de", LC_ALL="C") == "de"


def test_what_is_left_out_is_told_of_one_and_of_several() -> None:
    for kind, found in KINDS.items():
        one, several = found.meaning(1), found.meaning(2)
        assert {one.de, one.en}.isdisjoint({several.de, several.en}), kind
        assert found.meaning(0) == several
