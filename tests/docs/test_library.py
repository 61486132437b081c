"""The library's names, and the scripts that ``docs/library.md`` shows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import manabackup
from manabackup.sandbox import Sandbox

from .documents import ROOT, blocks
from .terminal import Person, person

DOCUMENT = ROOT / "docs" / "library.md"
TEXT = DOCUMENT.read_text("utf-8")
WHOLE_ACCOUNT, ARCHIVES, TWO_ARCHIVES, AUDIT, SANDBOX = blocks(DOCUMENT, "python")


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    home = tmp_path_factory.mktemp("home")
    with Sandbox() as box:
        anna = person(box, home)
        imported = "from manabackup import AUTH_URL, SYNC_URL, Mirror"
        assert imported in WHOLE_ACCOUNT
        servers = f"from manabackup import Mirror, Seal, Transport\n{anna.constants}\n#"
        (home / "export.py").write_text(WHOLE_ACCOUNT.replace(imported, servers), "utf-8")
        (home / "archives.py").write_text(ARCHIVES, "utf-8")
        (home / "compare.py").write_text(TWO_ARCHIVES, "utf-8")
        imported = "from manabackup import SYNC_URL, Mirror, VaultState"
        assert imported in AUDIT
        servers = f"from manabackup import Mirror, VaultState\n{anna.constants}\n#"
        (home / "audit.py").write_text(AUDIT.replace(imported, servers), "utf-8")
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


def test_the_script_for_two_archives_tells_what_differs(anna: Person) -> None:
    assert anna.types("manabackup login --email anna@example.org --password-file password >/dev/null") == ""
    for name, options in (("before", "--app todo"), ("after", "--app todo --app notes --offline")):
        secret = "--recovery-code-file recovery-code"
        anna.types(f"manabackup export {options} -o {name}.mana {secret}")
    assert re.fullmatch(r"notes [1-9]\d* 0 0\n(?:noteTags \d+ 0 0\n)?", anna.types("python3 compare.py"))


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
    homes = {(module, name) for module, names in manabackup._HOMES.items() for name in names}
    assert told == homes | {(".errors", "errors")}
    assert sorted(name for _, name in told) == sorted(manabackup.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        _ = manabackup.exprot  # type: ignore[attr-defined]


def test_importing_the_library_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import manabackup; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"manabackup", "manabackup.about", "__future__"}
