"""Completion, in the real shells."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manabackup.model import registry
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

ROOT = Path(__file__).parents[2]
ARCHIVE = ROOT / "fixtures" / "vectors" / "archives" / "plain-small.mana"
REQUIRED = os.environ.get("MANABACKUP_SHELLS") == "required"
_BASH = """
eval "$(manabackup completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
compopt() {{ echo "[$*]"; }}
_manabackup_completion manabackup
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
_FISH = """
manabackup completion fish | source
complete --do-complete={line}
"""
# zsh completes at a terminal of its own only: this one is zsh's, and given the line and a tab.
_ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z {setup}
zpty -w z {end}
zpty -r z shown '*READY-TO-TYPE*'
zpty -w -n z {line}$'\\t'
zpty -r z shown {wanted}
print -r -- "$shown"
"""


def _shell(name: str, tmp_path: Path, script: str) -> str:
    shell = shutil.which(name)
    if shell is None:
        if REQUIRED:
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {"PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LANG": "C.UTF-8"}
    options = ["--no-config"] if name == "fish" else ["-f"] if name == "zsh" else ["--norc"]
    done = subprocess.run(
        [shell, *options, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("home"))


def _offered(home: CommandLine, line: str, **env: str) -> list[str]:
    """What the program gives a bash for a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    given = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1), **env}
    done = home(env={"_MANABACKUP_COMPLETE": "bash_complete", **given})
    assert (done.code, done.err) == (0, "")
    return [line for line in done.out.splitlines() if line]


def test_commands_options_and_names_are_completed(asked: CommandLine) -> None:
    known = registry.load()
    assert _offered(asked, "manabackup ver") == ["plain,verify", "plain,version"]
    assert "plain,--passphrase-file" in _offered(asked, "manabackup verify --")
    assert _offered(asked, "manabackup sandbox ") == ["plain,serve"]
    assert _offered(asked, "manabackup help sandbox ") == ["plain,serve"]
    assert _offered(asked, "manabackup export --app ") == [f"plain,{app}" for app in known.apps]
    assert _offered(asked, "manabackup export --table journalE") == ["plain,journalEntries"]
    assert "plain,markdown" in _offered(asked, "manabackup convert --to m")
    assert _offered(asked, "manabackup restore --on-conflict s") == ["plain,skip"]


def test_files_and_folders_are_left_to_the_shell(asked: CommandLine) -> None:
    lines = ("verify ", "verify a ", "diff ", "export -o ", "seal x --passphrase-file ", "audit --sarif ", "view ")
    for line in lines:
        assert [one.partition(",")[0] for one in _offered(asked, f"manabackup {line}")] == ["file"], line
    for line in ("demo --keep ", "--state-dir ", "pull --state-dir ", "man -o "):
        assert [one.partition(",")[0] for one in _offered(asked, f"manabackup {line}")] == ["dir"], line


def test_the_tables_of_an_archive_are_its_own(asked: CommandLine) -> None:
    assert _offered(asked, f"manabackup cat {ARCHIVE} ") == ["plain,tasks", "plain,notes", "plain,todoProjects"]
    assert _offered(asked, "manabackup cat no-such-file journalE") == ["plain,journalEntries"]


def test_profiles_are_those_of_configuration_and_state(asked: CommandLine, tmp_path: Path) -> None:
    config, state = tmp_path / "config.toml", tmp_path / "state"
    config.write_text("[profiles.home]\n[profiles.work]\n")
    (state / "profiles" / "signed-in").mkdir(parents=True)
    (state / "profiles" / "signed-in" / "session.json").touch()
    line = f"manabackup --config {config} --state-dir {state} export --profile "
    assert _offered(asked, line) == ["plain,home", "plain,work", "plain,signed-in"]
    assert _offered(asked, "manabackup --config /no/such/file status --profile ") == []


def test_bash_completes(tmp_path: Path) -> None:
    def completed(*words: str) -> list[str]:
        return _shell("bash", tmp_path, _BASH.format(words=shlex.join(words))).split("\n")

    assert completed("manabackup", "exp")[:-1] == ["export"]
    assert "default]" in completed("manabackup", "verify", "")


def test_fish_completes(tmp_path: Path) -> None:
    (tmp_path / "one.mana").touch()

    def completed(line: str) -> list[str]:
        shown = _shell("fish", tmp_path, _FISH.format(line=shlex.quote(line)))
        return [line.partition("\t")[0] for line in shown.splitlines()]  # behind it stands what it does

    assert completed("manabackup exp") == ["export"]
    assert completed("manabackup verify one") == ["one.mana"]


def test_zsh_completes(tmp_path: Path) -> None:
    (tmp_path / "one.mana").touch()
    setup = 'PS1= PROMPT=; autoload -Uz compinit; compinit -u; eval "$(manabackup completion zsh)"'

    def completed(line: str, wanted: str) -> str:
        script = _ZSH.format(
            setup=shlex.quote(setup),
            end=shlex.quote("print READY-''TO-TYPE"),
            line=shlex.quote(line),
            wanted=shlex.quote(f"*{wanted}*"),
        )
        return _shell("zsh", tmp_path, script)

    assert "manabackup export" in completed("manabackup expor", "manabackup export")
    assert "one.mana" in completed("manabackup verify on", "one.mana")
