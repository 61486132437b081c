from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manabackup import __version__
from manabackup.cli import overview
from manabackup.cli.frame import program
from tests.support.processes import CommandLine

_MAIN = """
import sys
from pathlib import Path
before = set(sys.modules)
sys.argv = ["manabackup", *sys.argv[1:]]
from manabackup.cli import main
code = main()
import os, resource
print(code, oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE)[0], file=sys.stderr)
print(*{name.partition(".")[0] for name in set(sys.modules) - before}, file=sys.stderr)
"""
_ARCHIVE = str(Path(__file__).parents[2] / "fixtures" / "released" / "0.1.0" / "plain.mana")
_HEAVY = {
    "httpx2",
    "httpcore2",
    "truststore",
    "orjson",
    "cryptography",
    "platformdirs",
    "sqlite3",
    "tqdm",
    "uvicorn",
    "starlette",
}
_CONVERTERS = {"pyarrow", "numpy", "icalendar", "dateutil", "tzlocal", "yaml", "markdownify", "bs4", "PIL"}
"""What formats that people read are written with."""


def _main(*arguments: str) -> tuple[str, str, set[str]]:
    """What is printed, the state of the process, and the modules that were imported."""
    done = subprocess.run([sys.executable, "-c", _MAIN, *arguments], capture_output=True, text=True, check=True)
    state, modules = done.stderr.splitlines()[-2:]
    return done.stdout, state, set(modules.split())


@pytest.mark.parametrize("argument", ["--help", "-h", "help", "--version", "-V", "version"])
def test_help_and_version_import_next_to_nothing(argument: str) -> None:
    _, _, modules = _main(argument)
    assert not modules & (_HEAVY | _CONVERTERS | {"click", "re", "dataclasses", "pathlib", "tomllib"})


def test_even_a_mistake_imports_nothing_heavy() -> None:
    _, state, modules = _main("no-such-command")
    assert state.startswith("2 ")
    assert "click" in modules
    assert not modules & (_HEAVY | _CONVERTERS)


@pytest.mark.parametrize(
    "arguments",
    [["verify", _ARCHIVE], ["info", _ARCHIVE], ["convert", _ARCHIVE, "--to", "json", "--tz", "UTC", "-o", "@"]],
    ids=lambda arguments: arguments[0],
)
def test_what_some_formats_need_is_not_paid_for_by_others(arguments: list[str], tmp_path: Path) -> None:
    _, state, modules = _main(*(part.replace("@", str(tmp_path / "out")) for part in arguments))
    assert state.startswith("0 ")
    assert not modules & _CONVERTERS


def test_the_version_is_told_on_one_line() -> None:
    assert _main("--version")[0] == f"manabackup {__version__}\n"


def test_L5_no_file_is_open_to_others_and_no_core_is_dumped() -> None:
    assert _main("--version")[1] == "0 0o77 0"


def test_the_help_is_the_same_with_and_without_click(manabackup: CommandLine) -> None:
    assert manabackup("--help").out == manabackup("-q", "--help").out == overview.help_text()


def test_the_help_fits_a_terminal_of_120_columns_and_names_every_option() -> None:
    lines = overview.help_text().splitlines()
    assert max(map(len, lines)) <= 120
    for names, _, _ in overview.GLOBAL_OPTIONS:
        assert any(", ".join(names) in line for line in lines)


def test_every_command_of_the_overview_exists_and_has_help(manabackup: CommandLine) -> None:
    whole = program()
    names = [name for _, commands in overview.COMMANDS for name, _, _ in commands]
    assert len(names) == len(set(names)) >= 4
    for name in names:
        found = whole.get_command(None, name)  # type: ignore[arg-type]
        assert found is not None
        assert found.name == name
        assert found.help


def test_it_runs_as_a_module_and_as_a_script(manabackup: CommandLine) -> None:
    script = CommandLine(manabackup.home, [str(Path(sys.executable).with_name("manabackup"))])
    assert script("--version") == manabackup("--version")
