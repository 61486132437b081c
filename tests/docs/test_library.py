"""The library's names, and the scripts that ``docs/library.md`` shows."""

from __future__ import annotations

import ast
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

import manabackup
from manabackup.errors import NotFoundError, UsageError
from manabackup.sandbox import Sandbox
from manabackup.sandbox.illustrated import FilePlan, illustrate
from tests.support.archives import ours
from tests.support.loads import SHOP
from tests.support.processes import CommandLine
from tests.support.webdav import PASSWORD, USER, webdav

from .documents import ROOT, blocks
from .terminal import Person, person

DOCUMENT = ROOT / "docs" / "library.md"
TEXT = DOCUMENT.read_text("utf-8")
NEW = "neu@example.org"
CODE = "--recovery-code-file recovery-code"
(
    WHOLE_ACCOUNT,
    ARCHIVES,
    TWO_ARCHIVES,
    SEARCH,
    FAR,
    FILES,
    RESTORE,
    AUDIT,
    COMPUTER,
    FLEET,
    FOLLOW,
    DATABASES,
    CANCELLATION,
    SANDBOX,
) = blocks(DOCUMENT, "python")


def _for_the_sandbox(script: str, anna: Person) -> str:
    """A script of the document with the embedded servers' addresses in place of the real ones."""
    changed = re.sub(
        r"(?m)^(from manabackup import )(?:AUTH_URL, )?SYNC_URL, (.*)$", rf"\1\2\n{anna.constants}", script
    )
    assert changed != script
    return changed


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    home = tmp_path_factory.mktemp("home")
    with Sandbox() as box:
        anna = person(box, home)
        user = box.accounts.create_user(NEW, anna.account.password, "Anna Neu")
        code = box.accounts.set_vault(user.id, "zero-knowledge", bytes(range(64, 96)))
        assert code is not None
        (home / "new-recovery-code").write_text(code, "utf-8")
        (home / "export.py").write_text(_for_the_sandbox(WHOLE_ACCOUNT, anna), "utf-8")
        (home / "archives.py").write_text(ARCHIVES, "utf-8")
        (home / "compare.py").write_text(TWO_ARCHIVES, "utf-8")
        (home / "search.py").write_text(SEARCH, "utf-8")
        (home / "computer.py").write_text(COMPUTER, "utf-8")
        (home / "restore.py").write_text(_for_the_sandbox(RESTORE, anna), "utf-8")
        (home / "audit.py").write_text(_for_the_sandbox(AUDIT, anna), "utf-8")
        (home / "follow.py").write_text(_for_the_sandbox(FOLLOW, anna), "utf-8")
        (home / "cancellation.py").write_text(CANCELLATION, "utf-8")
        (home / "sandbox.py").write_text(SANDBOX, "utf-8")
        yield anna


def test_the_script_for_a_whole_account_writes_an_archive_and_a_mirror_that_the_others_read(anna: Person) -> None:
    shown = anna.types(f"python3 export.py {anna.account.email} backup.mana")
    questions = "password: \nrecovery code: \nnew passphrase: \n"
    assert re.fullmatch(rf"{questions}complete: \d+ rows, \d+ bytes\n", shown), shown
    lines = anna.types("python3 archives.py").splitlines()
    assert lines[0].endswith(anna.account.user_id), lines
    assert any(len(line.split()) > 1 for line in lines[1:])
    found = anna.types(f"python3 audit.py {anna.account.user_id}")
    assert re.match(r"recovery code: \nerror plaintextField \d+ \{'", found), found


def test_the_script_for_files_writes_them_and_reads_them_again(tmp_path: Path) -> None:
    with Sandbox() as box:
        anna = person(box, tmp_path)
        made = illustrate(box.log, box.files, anna.account, FilePlan(pictures=5, gone=1), media_url=box.media_url)
        where = f"connection.tokens, media_url={box.media_url!r}, api_url={box.api_url!r}"
        script = _for_the_sandbox(FILES, anna).replace("connection.tokens", where)
        (tmp_path / "files.py").write_text(script, "utf-8")
        shown = anna.types(f"python3 files.py {anna.account.email} pictures.mana")
    assert f"\n{len(made.files)} files, " in shown, shown
    assert "'gone': 1" in shown
    assert "lost: gone Media not found\n" in shown
    assert re.search(r"\nIMG_0000\.JPG image/jpeg [1-9]\d+ \{.*'albumItems'", shown), shown


def test_the_script_for_two_archives_tells_what_differs(anna: Person) -> None:
    assert anna.types("manabackup login --email anna@example.org --password-file password >/dev/null") == ""
    for name, options in (("before", "--app todo"), ("after", "--app todo --app notes --offline")):
        anna.types(f"manabackup export {options} -o {name}.mana {CODE}")
    assert re.fullmatch(r"notes [1-9]\d* 0 0\n(?:noteTags \d+ 0 0\n)?", anna.types("python3 compare.py"))
    assert re.fullmatch(r"(?:tasks [0-9a-f-]{36} .*\n)*", anna.types("python3 search.py"))


def test_the_script_for_a_far_place_writes_there_and_reads_from_there(anna: Person) -> None:
    (anna.home / "served" / "backup").mkdir(parents=True)
    anna.types(f"manabackup export --app todo -o after.mana --force {CODE}")
    with webdav(anna.home / "served") as port:
        script = FAR.replace("davs://anna@cloud.example.org", f"dav://{USER}@127.0.0.1:{port}")
        (anna.home / "far.py").write_text(script, "utf-8")
        shown = anna.types(f"MANABACKUP_DAV_PASSWORD='{PASSWORD}' python3 far.py")
        again = anna.types(f"MANABACKUP_DAV_PASSWORD='{PASSWORD}' python3 far.py")
    tells = r"\d{4}-\S+Z \d+ tables\nmana\.mana True\n"
    assert re.fullmatch(rf"\d+ bytes are at dav://{USER}@127.0.0.1:\d+/backup/mana\.mana\n{tells}", shown), shown
    assert re.fullmatch(tells, again), again


def test_the_script_for_a_computer_tells_of_old_archives_and_of_what_is_to_be_done(anna: Person) -> None:
    shown = anna.types("mkdir old && cd old && python3 ../computer.py")
    assert shown.startswith("0 removed\n"), shown


def test_the_script_for_a_fleet_tells_what_came_of_it(tmp_path: Path) -> None:
    (tmp_path / "fleet.py").write_text(FLEET, "utf-8")
    here = CommandLine(tmp_path)
    (tmp_path / "backups").mkdir()
    good, other = (tmp_path / "backups" / f"{name}.mana" for name in "ab")
    for path in (good, other):
        ours(path, {"notes": [{"id": "a", "title": "Milch"}]})

    def told() -> str:
        here("fleet", "verify", str(tmp_path / "backups"), "--ledger", str(tmp_path / "l"))
        script = [sys.executable, "fleet.py", "l"]
        return subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert told() == "2 items, 0 to be done, 0 not good, 2 rows\n"
    other.write_bytes(other.read_bytes()[:-9])
    found = told().splitlines()
    assert found[0].startswith("2 items, 0 to be done, 1 not good, "), found
    assert found[1:2] == [f"{other}: exit code 15, was 0"], found
    assert re.fullmatch(rf"{re.escape(str(other))}: done: .+", found[2]), found
    assert len(found) == 3
    item, same = manabackup.fleet_items(tmp_path / "l")
    assert (item.name, item.changed, item.new, item.is_good) == (str(other), True, False, False)
    assert (same.name, same.changed, same.rows, same.is_good) == (str(good), False, 1, True)
    summary = manabackup.fleet_summary(tmp_path / "l").to_json()
    told_by_command = here("fleet", "status", str(tmp_path / "l"), "--json").record
    assert summary == {**told_by_command, "ledger": summary["ledger"]}
    with pytest.raises(NotFoundError):
        manabackup.fleet_items(tmp_path / "m")
    with pytest.raises(UsageError):
        manabackup.fleet_summary(good)


def test_the_script_for_other_databases_moves_somebodys_rows(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(SHOP.replace('key = "id"', 'key = "id"\nlookup = ["email"]'), "utf-8")
    (tmp_path / "databases.py").write_text(DATABASES, "utf-8")
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.executescript(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT);"
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people, note TEXT);"
            "CREATE TABLE countries (name TEXT);"
            "INSERT INTO people VALUES (1, 'anna@example.org', 'hunter2'), (2, 'bea@example.org', 'swordfish');"
            "INSERT INTO orders VALUES (10, 1, 'hers'), (20, 2, 'not hers');"
        )
    done = subprocess.run([sys.executable, "databases.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "2 rows\nmain.orders {'insert': 1}\nmain.people {'insert': 1}\n2 written\n"


def test_the_script_for_a_restore_asks_and_sends_nothing_before_a_yes(anna: Person) -> None:
    anna.types("manabackup login --force --email anna@example.org --password-file password >/dev/null")
    anna.types(f"manabackup export --app todo -o todo.mana {CODE} --seal --passphrase-file passphrase")
    own_code, anna.answers["recovery code: "] = (
        anna.answers["recovery code: "],
        (anna.home / "new-recovery-code").read_text("utf-8"),
    )
    try:
        (anna.home / "elsewhere").mkdir()  # with a mirror of its own
        command = f"cd elsewhere; python3 ../restore.py {NEW} ../todo.mana"
        anna.answers["rows? "] = "no"
        shown = anna.types(command)
        assert re.search(r"\ntasks: \{.*'insert': [1-9]", shown), shown
        assert re.search(r"\n0 inserted, 0 updated, \d+ not as they should be\n$", shown), shown
        anna.answers["rows? "] = "yes"
        shown = anna.types(command)
        assert re.search(r"\n[1-9]\d* inserted, \d+ updated, \d+ not as they should be\n$", shown), shown
        assert [path.name for path in (anna.home / "elsewhere").iterdir() if path.is_dir()] == []
    finally:
        anna.answers["recovery code: "] = own_code


def test_the_script_for_following_pulls_and_ends(anna: Person) -> None:
    token = "MANABACKUP_TOKEN=$(manabackup token 2>/dev/null)"
    anna.types("manabackup login --force --email anna@example.org --password-file password >/dev/null")
    lines = anna.types(f"mkdir following; cd following; {token} python3 ../follow.py").splitlines()
    assert re.fullmatch(r"started \d{3,} new", lines[0]), lines


def test_the_script_for_cancellation_goes_on_where_it_was_cancelled(anna: Person) -> None:
    assert re.fullmatch(r"cancelled\n\d{3,} changes\n", anna.types("python3 cancellation.py"))


def test_the_script_for_tests_needs_no_account(anna: Person) -> None:
    shown = anna.types("python3 sandbox.py")
    assert shown.endswith(" rows\n"), shown
    assert shown.split()[1] == "changes,"


def test_every_public_name_is_there_and_explained() -> None:
    for name in manabackup.__all__:
        found = getattr(manabackup, name)
        assert isinstance(found, str) or found.__doc__, name
        assert re.search(rf"\b{name}\b", TEXT), name
    assert set(manabackup.__all__) <= set(dir(manabackup))


def test_a_type_checker_is_told_the_same_names() -> None:
    tree = ast.parse(Path(manabackup.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    told = {
        (f".{node.module or alias.name}", alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for module, name in told - {(".errors", "errors")}:
        assert getattr(manabackup, name) is getattr(import_module(module, "manabackup"), name), name
    assert sorted(name for _, name in told) == sorted(manabackup.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        _ = manabackup.exprot  # type: ignore[attr-defined]


def test_importing_the_library_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import manabackup; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"manabackup", "manabackup.about", "__future__"}
