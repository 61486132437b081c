"""What is written for systemd, launchd and cron, held against the programs that read it."""

from __future__ import annotations

import os
import plistlib
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import ManabackupError, UsageError
from manabackup.operations.schedule import cron, launchd, systemd
from manabackup.operations.schedule.managers import Cron, Systemd, carry_out, manager_called
from manabackup.operations.schedule.spec import SecretKind, SecretPlace, When
from tests.support.patience import PATIENCE

from .schedules import FILE, executable, schedule, tool

ODD = ["a b", "50%", "$HOME", 'quo"te', "o'clock", "back\\slash", "semi;colon", "ümlaut", "#hash", "%h"]


def run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)


# --- systemd ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [True, False], ids=["credentials", "none"])
def test_systemd_takes_the_units_whatever_the_paths_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: bool
) -> None:
    analyze = tool("systemd-analyze")
    program = executable(tmp_path / " ".join(ODD) / "manabackup", "exit 0")
    places = {"passphrase": FILE, "key": SecretPlace(SecretKind.COMMAND, "pass show key")} if secret else {}
    made = schedule("export", "--seal", secrets=places)
    units = systemd.units(made, (str(program), "schedule", "run", *ODD), {})
    for name, text in units.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    for name in units:
        done = run(analyze, "verify", "--user", "--recursive-errors=no", str(tmp_path / name))
        assert (done.returncode, done.stderr) == (0, "")
    service = units["manabackup-backup.service"]
    assert ("LoadCredential=passphrase:/home/anna/.secrets/pass phrase\n" in service) is secret
    assert "pass show key" not in service
    assert "Persistent=true\n" in units["manabackup-backup.timer"]


def test_encrypted_credentials_are_given_where_there_are_any() -> None:
    made = schedule("export", secrets={"passphrase": FILE, "key": FILE})
    service = systemd.units(made, ("/bin/true",), {"passphrase": "/s/passphrase.cred"})["manabackup-backup.service"]
    assert "LoadCredentialEncrypted=passphrase:/s/passphrase.cred\n" in service
    assert "LoadCredential=key:" in service
    assert "LoadCredential=passphrase:" not in service


@pytest.mark.parametrize(
    ("when", "normal"),
    [(When.parse("3:00"), "*-*-* 03:00:00"), (When.parse("23:59", "week", "Sat"), "Sat *-*-* 23:59:00")],
)
def test_systemd_understands_the_calendar(when: When, normal: str) -> None:
    done = run(tool("systemd-analyze"), "calendar", systemd.calendar(when))
    assert done.returncode == 0, done.stderr
    assert f"Normalized form: {normal}\n" in done.stdout


# --- launchd ----------------------------------------------------------------------------------------------------------


def test_the_agent_is_a_property_list_with_what_launchd_knows() -> None:
    command = ("/opt/mana backup", "schedule", "run", *ODD)
    read = plistlib.loads(launchd.agent(schedule("pull", at="3:07"), command, "/s/log"))
    assert read["ProgramArguments"] == [*command, "--if-due"]
    assert read["StartCalendarInterval"] == {"Hour": 3, "Minute": 7}
    assert read["Label"] == "how.mana.manabackup.backup"
    assert read["Umask"] == 0o077
    # launchd.plist(5): each key, and of which type its value is.
    kinds = {
        "Label": str, "ProgramArguments": list, "StartCalendarInterval": dict, "RunAtLoad": bool, "ProcessType": str,
        "LowPriorityIO": bool, "Nice": int, "Umask": int, "StandardOutPath": str, "StandardErrorPath": str,
    }  # fmt: skip
    assert {key: type(value) for key, value in read.items()} == kinds


def test_launchd_counts_days_from_sunday() -> None:
    read = plistlib.loads(launchd.agent(schedule("pull", every="week"), ("/bin/true",), "/s/log"))
    assert read["StartCalendarInterval"]["Weekday"] == 1, "Monday"


# --- cron -------------------------------------------------------------------------------------------------------------

lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" *#\t"), max_size=40)
crontabs = st.lists(lines).map(lambda found: "".join(f"{line}\n" for line in found))


@given(crontabs, st.booleans())
def test_a_crontab_is_as_before_when_the_lines_are_gone_again(crontab: str, other: bool) -> None:
    if other:
        crontab += cron.block(schedule("pull", name="other"), ("/bin/false",))
    block = cron.block(schedule(), ("/bin/true", "50%"))
    there = cron.with_block(crontab, "backup", block)
    assert there == crontab + block
    assert cron.has_block(there, "backup")
    assert cron.with_block(there, "backup", block) == there, "twice is once"
    assert cron.without_block(there, "backup") == crontab


def test_a_crontab_without_a_last_line_end_gets_one() -> None:
    assert cron.with_block("0 1 * * * x", "backup", "lines\n") == "0 1 * * * x\nlines\n"


def test_half_a_block_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match="crontab has a line"):
        cron.without_block("# manabackup schedule backup: begin\n0 1 * * * mine\n", "backup")


def test_the_line_is_a_command_for_a_shell_once_cron_has_read_it(tmp_path: Path) -> None:
    program = executable(tmp_path / " ".join(ODD) / "show", f'printf "%s\\n" "$@" > {shlex.quote(str(tmp_path))}/shown')
    (line, _) = cron.block(schedule(), (str(program), *ODD)).splitlines()[1:3]
    # crontab(5): a % that is not escaped ends the command; the backslash goes.
    command = line.split(" ", 5)[5].replace("\\%", "%")
    assert run("/bin/sh", "-c", command).returncode == 0
    assert (tmp_path / "shown").read_text().splitlines() == [*ODD, "--if-due"]


@pytest.fixture
def nobodys_crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real program, for a user whose crontab is nobody's business."""
    crontab = tool("crontab")
    if os.geteuid() != 0:
        pytest.skip("the crontab of another user can be tried by root alone")
    executable(tmp_path / "bin" / "crontab", f'exec {crontab} -u nobody "$@"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    subprocess.run([crontab, "-u", "nobody", "-r"], capture_output=True, check=False)
    return crontab


def test_the_real_crontab_takes_the_lines_and_gives_them_back(nobodys_crontab: str) -> None:
    mine = "MAILTO=anna\n# mine\n5 4 * * * /bin/true 50\\%\n"
    assert run(nobodys_crontab, "-u", "nobody", "-", stdin=mine).returncode == 0
    manager, made = Cron(), schedule(name="tried")
    assert manager.state("tried") == "its lines in the crontab are gone"
    for _ in range(2):
        carry_out(manager.plan(made, ("/opt/50% of/mana backup", "run"), log=Path("/l"), encrypted={}))
    assert manager.state("tried") is None
    there = run(nobodys_crontab, "-u", "nobody", "-l").stdout
    assert there.startswith(mine)
    assert there.count("schedule tried: begin") == 1
    manager.remove("tried")
    manager.remove("tried")
    assert run(nobodys_crontab, "-u", "nobody", "-l").stdout == mine
    run(nobodys_crontab, "-u", "nobody", "-r")


# --- which of them ----------------------------------------------------------------------------------------------------


def test_a_crontab_that_cannot_be_read_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "crontab", 'echo "you may not use this program" >&2; exit 1')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ManabackupError, match="you may not use this program"):
        Cron().plan(schedule(), ("/bin/true",), log=Path("/l"), encrypted={})


def test_where_nothing_starts_programs_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="nothing here starts programs by the clock"):
        manager_called(None)
    with pytest.raises(UsageError, match="cron cannot be used here"):
        manager_called("cron")
    assert manager_called("none").name == "none"


def test_units_are_written_and_the_timer_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's user manager runs in no container; what is called is recorded."""
    executable(tmp_path / "bin" / "systemctl", f'echo "$@" >> {tmp_path}/called')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    manager = Systemd()
    assert manager.state("backup") == "manabackup-backup.timer is gone"
    carry_out(manager.plan(schedule(), ("/bin/true",), log=Path("/l"), encrypted={}))
    folder = tmp_path / "config" / "systemd" / "user"
    assert sorted(path.name for path in folder.iterdir()) == ["manabackup-backup.service", "manabackup-backup.timer"]
    assert manager.state("backup") is None
    manager.remove("backup")
    assert list(folder.iterdir()) == []
    called = (tmp_path / "called").read_text().splitlines()
    assert "--user enable --now manabackup-backup.timer" in called
    assert "--user disable --now manabackup-backup.timer" in called
    assert called[-1] == "--user daemon-reload"
