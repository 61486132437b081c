"""Two runs at once: on one state folder, and on one output. The second stops with 11 and changes nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.host.output import AtomicFile
from manabackup.operations.account.state import StateFolder
from tests.support.homes import Computer, Owner, assert_refused
from tests.support.line import Line
from tests.support.patience import PATIENCE


def contents(computer: Computer) -> dict[str, bytes]:
    """Of all files but the locks themselves."""
    return {str(path): path.read_bytes() for path in computer.files() if path.name != "lock"}


@pytest.fixture
def taken(stocked: Computer) -> Iterator[Computer]:
    """A computer whose state folder somebody works with."""
    stocked.archive.parent.mkdir()
    with StateFolder(stocked.state).lock():
        yield stocked


@pytest.mark.parametrize(
    "command",
    [
        ["pull"],
        ["pull", "--full"],
        ["export", "-o", "@"],
        ["export", "--offline", "-o", "@"],
        ["export", "--offline", "--seal", "-o", "@"],
        ["login", "--force"],
        ["logout"],
        ["restore", "ARCHIVE", "--yes"],
        ["restore", "ARCHIVE", "--dry-run"],
        ["diff", "ARCHIVE", "--live"],
        ["rekey", "ARCHIVE", "-o", "@"],
    ],
    ids=" ".join,
)
def test_L3_the_second_run_on_a_state_folder_stops_with_11(
    taken: Computer, pulled: Computer, owner: Owner, command: list[str]
) -> None:
    taken.environ |= {"MANABACKUP_EMAIL": owner.account.email, "MANABACKUP_PASSWORD": owner.account.password}
    before = contents(taken)
    places = {"@": str(taken.archive), "ARCHIVE": str(pulled.archive)}
    done = taken(*(places.get(part, part) for part in command))
    assert_refused(done, 11, "another run")
    assert contents(taken) == before


def test_L3_of_two_pulls_at_once_one_gets_through(here: Computer, line: Line) -> None:
    with line.holding("/sync/notes") as held:
        first = here.start("pull", "--json")
        held.wait()
        second = here("pull", "--json")
        assert_refused(second, 11, f"process {first.pid}")
    out, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 0, err
    assert out


def test_L3_what_only_reads_goes_on_beside_a_run(taken: Computer, pulled: Computer) -> None:
    assert taken("status").code == 0
    assert taken("verify", str(pulled.archive)).code == 0


@pytest.mark.parametrize("command", ["export", "seal", "unseal", "rekey", "convert"])
def test_L3_the_second_run_on_an_output_stops_with_11_and_the_first_one_ends_well(
    stocked: Computer, pulled: Computer, tmp_path: Path, command: str
) -> None:
    source = pulled.archive
    if command == "unseal":
        source = tmp_path / "sealed.mana"
        assert stocked("seal", str(pulled.archive), "-o", str(source)).code == 0
    elif command == "convert":
        source = Path(__file__).parents[2] / "fixtures" / "v1" / "life.mana"
    (tmp_path / "key").write_text("00" * 32)
    arguments = {
        "export": ["--offline"],
        "rekey": [str(source), "--to-key-file", str(tmp_path / "key")],
        "convert": [str(source), "--key-file", str(tmp_path / "key")],
    }.get(command, [str(source)])
    output = stocked.archive
    output.parent.mkdir()
    output.write_text("precious")
    with AtomicFile(output, force=True) as file:
        file.write(b"the first one's")
        done = stocked(command, *arguments, "-o", str(output), "--force")
        assert_refused(done, 11, "another run is writing")
        assert output.read_text() == "precious"
        assert {path.name for path in output.parent.iterdir()} == {".all.mana.part", "all.mana"}
    assert output.read_bytes() == b"the first one's"


def test_L3_two_outputs_beside_each_other_are_no_conflict(stocked: Computer) -> None:
    stocked.archive.parent.mkdir()
    with AtomicFile(stocked.archive.with_name("other.mana")) as file:
        file.write(b"x")
        assert stocked.export("--offline").code == 0


def test_L3_a_dead_runs_lock_is_no_lock(stocked: Computer) -> None:
    with subprocess.Popen(["true"]) as dead:
        pass
    (stocked.state / "lock").write_text(f"{dead.pid}\n")
    assert stocked("pull").code == 0
