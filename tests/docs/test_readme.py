"""The README: every command in it is run as somebody at a terminal would, and every output in it is real."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from manabackup import errors
from manabackup.sandbox import Sandbox

from .documents import README, ROOT, blocks, shown_commands
from .terminal import Person, find_differences, not_installed, person

COMMANDS = shown_commands(README)
NOT_RUN_HERE = {
    "make demo": "tests/e2e/test_demo.py",
    "make test": "is what runs this",
    "pipx install .": "tests/project/release.py",
    "pipx install '.[convert]'": "tests/project/release.py, without the extra",
    "pipx install '.[keyring]'": "tests/project/release.py, without the extra",
    "uv tool install .": "tests/project/release.py",
    "python3 -m venv ~/manabackup-env && ~/manabackup-env/bin/pip install .": "tests/project/release.py",
}


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with Sandbox() as box:
        yield person(box, tmp_path_factory.mktemp("home"))


def test_every_command_does_what_the_readme_shows(anna: Person) -> None:
    assert list(find_differences(anna, COMMANDS)) == [], "if that is meant: python -m tests.docs"


def test_the_programs_that_the_readme_uses_are_here() -> None:
    missing = {program for shown in COMMANDS for program in not_installed(shown.command)}
    if missing:
        pytest.skip(f"not installed, so that some commands were not tried: {', '.join(sorted(missing))}")
    assert not missing


def test_commands_that_are_not_run_here_are_known() -> None:
    lines = {line.split("  #")[0].rstrip() for block in blocks(README, "sh") for line in block.splitlines() if line}
    assert lines == set(NOT_RUN_HERE)


def test_no_secret_is_ever_shown(anna: Person) -> None:
    text = "".join(anna.seen) + README.read_text("utf-8")
    assert anna.account.password not in text
    assert anna.account.recovery_code is not None
    assert anna.account.recovery_code not in text
    assert anna.account.master_key.hex() not in text


def test_the_script_for_sealed_archives_is_printed_word_for_word() -> None:
    script = (ROOT / "docs" / "open-sealed.py").read_text("utf-8")
    assert script in blocks(README, "python")


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", README.read_text("utf-8"), re.MULTILINE))
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    codes = {str(found.exit_code) for found in classes if issubclass(found, errors.ManabackupError)}
    assert set(table) == codes | {"0", "3", "4", "130"}
