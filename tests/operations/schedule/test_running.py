"""A run: what is done in which order, what is told to whom, and what is kept of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import LockedError, NotFoundError, OutputError, ServerError
from manabackup.operations.account.state import StateFolder
from manabackup.operations.schedule import (
    RunRecord,
    Schedule,
    ScheduleStore,
    SecretKind,
    SecretPlace,
    error_of,
    is_due,
    run,
    status,
)
from manabackup.operations.schedule import running as running_module
from tests.remote.scripted_server import ScriptedServer, answer
from tests.support.webdav import PASSWORD, webdav

from .schedules import FILE, executable, schedule

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PARTIAL = {"bytes": 9, "status": "partial", "completeness": {"losses": {"undecryptable": 3}}}


class Place:
    """A state folder with one schedule, and a program that ends as it is told in place of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ScheduleStore(StateFolder(folder / "state"), "backup")
        self.slept: list[float] = []
        self.said: list[str] = []
        self.program = executable(
            folder / "program",
            f"cd {shlex.quote(str(folder))}\n"
            'echo "$@" >> called\n'
            "first=$(head -n 1 endings); sed -i 1d endings\n"
            'code=${first%% *}; echo "${first#* }"\n'
            'test "$code" = 0 || printf "error: the words of %s\\nhint: what mends %s\\n" $code $code >&2\n'
            "exit $code",
        )

    def ends(self, code: int, **report: Any) -> None:
        with (self.folder / "endings").open("a") as file:
            file.write(f"{code} {json.dumps(report)}\n")

    def schedule(self, *words: str, **more: Any) -> Schedule:
        made = schedule(
            *words, program=(str(self.program),), state_dir=str(self.folder / "state"), notify=False, **more
        )
        self.store.save(made)
        return made

    def run(self, made: Schedule, environ: Mapping[str, str] | None = None) -> RunRecord:
        return run(
            made,
            self.store,
            zone=UTC,
            say=self.said.append,
            sleep=self.slept.append,
            environ=environ or {"PATH": "/bin:/usr/bin"},
        )

    @property
    def called(self) -> list[str]:
        path = self.folder / "called"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def told(self) -> str:
        path = self.folder / "told"
        return path.read_text() if path.exists() else ""

    @property
    def teller(self) -> str:
        script = executable(self.folder / "tell", f"cat >> {shlex.quote(str(self.folder))}/told")
        return shlex.quote(str(script))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def watcher() -> Iterator[ScriptedServer]:
    server = ScriptedServer(otherwise=answer(b"OK"))
    yield server
    server.close()


def export(place: Place, **more: Any) -> Schedule:
    output = f"{place.folder}/mana-{{date}}.mana"
    return place.schedule("export", "--output", output, "--seal", secrets={"passphrase": FILE}, **more)


def test_a_run_exports_verifies_and_lets_old_archives_go(place: Place) -> None:
    place.ends(0, bytes=7, status="complete")
    place.ends(0)
    place.ends(0, removed=["a", "b"])
    record = place.run(export(place, keep=("--keep-daily", "7")))
    exported, verified, pruned = (shlex.split(line) for line in place.called)
    today = f"{place.folder}/mana-{record.started_at:%Y-%m-%d}.mana"
    assert exported[:5] == ["--state-dir", f"{place.folder}/state", "export", "--output", today]
    assert verified[2:4] == ["verify", today]
    assert pruned[2:7] == ["prune", str(place.folder), "--keep-daily", "7", "--yes"]
    assert all("--passphrase-file" in words for words in (exported, verified, pruned))
    assert (record.exit_code, record.archive, record.verified, record.removed) == (0, today, True, 2)
    assert place.store.last_run() == record
    assert record.last_good_at == record.started_at


def test_a_far_place_is_verified_and_pruned_where_it_is(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("MANABACKUP_DAV_PASSWORD", PASSWORD)
    with webdav(tmp_path / "served") as port:
        there = f"dav://anna@127.0.0.1:{port}"
        made = place.schedule("export", "--output", f"{there}/{{date}}.mana", keep=("--keep-daily", "7"))
        for number in ("", "-2"):
            for _ in range(3):
                place.ends(0)
            record = place.run(made)
            today = f"{record.started_at:%Y-%m-%d}{number}.mana"
            exported, verified, pruned = (shlex.split(line) for line in place.called[-3:])
            assert exported[2:5] == ["export", "--output", f"{there}/{today}"]
            assert (verified[2:4], pruned[2:4]) == (["verify", f"{there}/{today}"], ["prune", f"{there}/"])
            (tmp_path / "served" / today).write_bytes(b"")


def test_a_day_has_as_many_archives_as_runs(place: Place) -> None:
    made = export(place)
    names = []
    for _ in range(3):
        place.ends(0, bytes=7, status="complete")
        place.ends(0)
        record = place.run(made)
        assert record.archive is not None
        Path(record.archive).touch()
        names.append(Path(record.archive).name)
    day = f"{record.started_at:%Y-%m-%d}"
    assert names == [f"mana-{day}.mana", f"mana-{day}-2.mana", f"mana-{day}-3.mana"]


@pytest.mark.parametrize(
    ("endings", "step", "calls"),
    [([10], "export", 1), ([0, 15], "verify", 2), ([0, 0, 15], "prune", 3)],
)
def test_what_fails_ends_the_run_and_is_told(place: Place, endings: list[int], step: str, calls: int) -> None:
    for code in endings:
        place.ends(code, bytes=7)
    before = RunRecord(NOW - timedelta(days=1), NOW, 0, "export")
    made = export(place, keep=("--keep-last", "1"), on_failure=place.teller)
    place.store.note_run(before)
    record = place.run(made)
    assert len(place.called) == calls
    assert (record.step, record.exit_code, record.good) == (step, endings[-1], False)
    assert record.message == f"the words of {endings[-1]}"
    assert record.last_good_at == before.started_at
    words = f"the backup `backup` failed at {step}, exit code {endings[-1]}: the words of {endings[-1]}\n"
    assert place.told == words
    error = error_of(record)
    assert (error.exit_code, error.hint) == (endings[-1], f"what mends {endings[-1]}")
    assert not [words for words in place.said if words.startswith(("error: ", "hint: "))], "the error tells them, once"


def test_a_server_that_does_not_answer_is_asked_again_for_an_hour(place: Place) -> None:
    place.ends(ServerError.exit_code)
    place.ends(0)
    record = place.run(place.schedule("pull"))
    assert (record.exit_code, record.attempts, place.slept) == (0, 2, [60.0])
    for _ in range(5):
        place.ends(ServerError.exit_code)
    place.slept.clear()
    record = place.run(place.schedule("pull"))
    assert (record.exit_code, record.attempts, sum(place.slept)) == (ServerError.exit_code, 5, 3_600.0)


def test_what_is_missing_is_told_once_and_again_when_it_is_something_else(place: Place) -> None:
    made = export(place, on_failure=place.teller)
    for losses in ({"undecryptable": 3}, {"undecryptable": 3}, {"undecryptable": 4}):
        place.ends(3, **{**PARTIAL, "completeness": {"losses": losses}})
        place.ends(0)
        record = place.run(made)
        assert (record.exit_code, record.good, record.status) == (3, True, "partial")
    assert place.told.count("lacks something") == 2
    assert "undecryptable: 4" in place.told


def test_a_disk_without_room_ends_the_run_before_it_has_begun(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_module, "SPARE", 1 << 60)
    record = place.run(export(place))
    assert (record.exit_code, record.step, place.called) == (OutputError.exit_code, "space", [])
    assert "may be needed" in record.message
    assert "free" in record.message


def test_a_folder_that_is_gone_is_told_as_that(place: Place) -> None:
    made = place.schedule("export", "--output", f"{place.folder}/stick/mana-{{date}}.mana")
    record = place.run(made)
    assert (record.exit_code, record.step) == (OutputError.exit_code, "space")
    assert "stick: No such file or directory" in record.message


def test_the_same_schedule_does_not_run_twice_at_once(place: Place) -> None:
    made = place.schedule("pull")
    with place.store.lock(), pytest.raises(LockedError):
        place.run(made)
    assert place.called == []
    assert place.store.last_run() is None


def test_secrets_come_from_systemd_where_it_gives_them_and_never_stand_in_a_command_line(place: Place) -> None:
    credentials = place.folder / "credentials"
    credentials.mkdir()
    (credentials / "passphrase").write_text("SECRET")
    places = {
        "passphrase": SecretPlace(SecretKind.CREDENTIAL, "/s/passphrase.cred"),
        "recovery-code": SecretPlace(SecretKind.COMMAND, "pass show code"),
        "key": FILE,
    }
    made = place.schedule("export", "--output", f"{place.folder}/{{date}}.mana", "--seal", secrets=places)
    for _ in range(2):
        place.ends(0)
        place.ends(0)
    place.run(made, {"PATH": "/bin:/usr/bin", "CREDENTIALS_DIRECTORY": str(credentials)})
    place.run(made)
    by_systemd, _, by_hand, _ = place.called
    assert f"--passphrase-file {credentials}/passphrase" in by_systemd
    assert "--recovery-code-command pass show code" in by_systemd
    assert f"--key-file {FILE.place}" in by_systemd
    assert "--passphrase-command systemd-creds decrypt --user --name=passphrase /s/passphrase.cred -" in by_hand
    assert not any("SECRET" in line for line in place.called)
    kept = "".join(path.read_text() for path in place.store.folder.iterdir())
    assert "SECRET" not in kept


def test_a_watcher_is_told_of_begin_and_end_and_of_nothing_else(place: Place, watcher: ScriptedServer) -> None:
    address = place.folder / "ping"
    address.write_text(f"{watcher.url}/a-secret-uuid/\n")
    made = place.schedule("pull", ping_file=str(address))
    for code in (0, 16):
        place.ends(code)
        place.run(made)
    told = [(request.method, request.target, request.body) for request in watcher.requests]
    assert told == [("GET", f"/a-secret-uuid/{word}", b"") for word in ("start", "0", "start", "16")]
    assert place.said == []


def test_that_nobody_could_be_told_is_told_without_the_address(place: Place, watcher: ScriptedServer) -> None:
    address = place.folder / "ping"
    address.write_text(f"{watcher.url}/a-secret-uuid")
    watcher.otherwise = answer(b"", 404)
    made = place.schedule("pull", ping_file=str(address), on_failure="/nowhere/mail")
    place.ends(16)
    assert place.run(made).exit_code == 16
    address.write_text("not an address with a-secret-uuid")
    place.ends(0)
    assert place.run(made).exit_code == 0
    assert [line for line in place.said if "it answers 404" in line] != []
    assert [line for line in place.said if "--on-failure" in line] != []
    assert "a-secret-uuid" not in "".join(place.said)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (NOW - timedelta(days=3), True),
        (datetime(2026, 11, 30, 2, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 3, 0, 5, tzinfo=UTC), False),
    ],
)
def test_a_run_is_due_once_its_hour_has_come_whether_the_last_one_was_good_or_not(
    place: Place, last: datetime, due: bool
) -> None:
    made = place.schedule("pull")
    for code in (0, 1):
        place.store.note_run(RunRecord(last, last, code, "pull"))
        assert is_due(made, place.store, now=NOW, zone=UTC) is due


def test_a_new_schedule_waits_for_its_first_hour(place: Place) -> None:
    made = place.schedule("pull", installed_at="2026-11-30T09:00:00+00:00")
    assert not is_due(made, place.store, now=NOW, zone=UTC)
    assert is_due(made, place.store, now=NOW + timedelta(hours=15), zone=UTC)


@pytest.mark.parametrize(
    ("started", "code", "now", "overdue"),
    [
        (None, 0, NOW, True),
        ("2026-11-30T03:05:00+00:00", 0, NOW, False),
        ("2026-11-30T03:05:00+00:00", 3, NOW, False),
        ("2026-11-30T03:05:00+00:00", 14, NOW, True),
        ("2026-11-29T03:05:00+00:00", 0, NOW, True),
        ("2026-11-29T03:05:00+00:00", 0, datetime(2026, 11, 30, 4, 59, tzinfo=UTC), False),
        ("2026-11-29T03:05:00+00:00", 0, datetime(2026, 11, 30, 5, 1, tzinfo=UTC), True),
    ],
)
def test_a_schedule_is_overdue_when_no_good_run_came_within_two_hours(
    place: Place, started: str | None, code: int, now: datetime, overdue: bool
) -> None:
    place.schedule("pull")
    if started is not None:
        begun = datetime.fromisoformat(started)
        place.store.note_run(RunRecord(begun, begun, code, "pull"))
    (found,) = status(StateFolder(place.folder / "state"), zone=UTC, now=now)
    assert (found.overdue, found.problem) == (overdue, None)


def test_a_schedule_that_cannot_be_read_is_a_problem_and_no_crash(place: Place) -> None:
    made = place.schedule("pull")
    (place.store.folder / "last-run.json").write_text("{}")
    (found,) = status(StateFolder(place.folder / "state"), zone=UTC, now=NOW)
    assert found.last is None
    place.store.save(replace(made, manager="clockwork"))
    (found,) = status(StateFolder(place.folder / "state"), zone=UTC, now=NOW)
    assert found.problem == "clockwork: unknown"
    (place.store.folder / "schedule.json").write_text('{"version":9}')
    (found,) = status(StateFolder(place.folder / "state"), zone=UTC, now=NOW)
    assert found.problem is not None
    assert "newer version" in found.problem
    place.store.forget()
    with pytest.raises(NotFoundError):
        place.store.load()
    assert status(StateFolder(place.folder / "state"), zone=UTC) == []
