"""``fleet`` on a Dask cluster: what is killed, restarted or cut costs no item its verdict, and no secret goes there."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from manabackup.archive.writer import Seal
from manabackup.text import jsontext
from tests.support.archives import ours
from tests.support.clusters import Authority, Cluster, forms, memory_of, shown_by
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

pytest.importorskip("distributed")
SIZE = int(os.environ.get("MANABACKUP_FLEET_SMALL", "60"))
LARGE = int(os.environ.get("MANABACKUP_FLEET_LARGE", "2"))
"""Small and large archives of the fleet whose cluster is killed; 2,000 and 20 say the most."""
SEALED = 12
PASSPHRASE = "Überraschung für Oma 🔑"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls", "fleet")


@pytest.fixture
def cluster(
    here: CommandLine, tmp_path: Path, authority: Authority, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    """Two workers, under mutual TLS; ``wired`` where a test says so."""
    wired = getattr(request, "param", False)
    with Cluster(tmp_path / "cluster", here.environ, tls=authority, wired=wired) as found:
        found.start_scheduler()
        found.start_worker()
        found.start_worker()
        yield found


def archives(folder: Path, plain: int, sealed: int) -> None:
    folder.mkdir()
    for number in range(plain + sealed):
        seal = Seal(PASSPHRASE) if number >= plain else None
        ours(folder / f"{number:04}.mana", {"notes": [{"id": "a", "title": "Liebes"}]}, seal=seal)
    secret = folder.parent / "secret"
    secret.write_text(PASSPHRASE + "\n", "utf-8")
    secret.chmod(0o600)


def done_of(ledger: Path) -> int:
    try:
        connection = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM items WHERE done IS NOT NULL").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0


def outcomes(ledger: Path) -> dict[str, tuple[Any, ...]]:
    """Of what is done: when, in which run, with which exit code; attempts, and how many of them were lost."""
    connection = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
    try:
        query = "SELECT name, done, run, exit_code, attempts, blamed FROM items WHERE done IS NOT NULL"
        return {os.fsdecode(name): tuple(rest) for name, *rest in connection.execute(query)}
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked at in /proc")
def test_L5_under_mutual_tls_and_no_secret_anywhere(here: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    archives(tmp_path / "backups", 30, 4)
    (tmp_path / "backups" / "0007.mana").write_text("no archive")
    words = ["verify", "backups", "--ledger", "l", "--passphrase-file", "secret", "--json"]
    done = here("fleet", *words, *cluster.options)
    assert done.code == 15, done.err
    assert done.record["exitCodes"] == {"0": 33, "15": 1}
    assert (done.record["engine"], done.record["workers"]) == ("dask", 2)
    secret = PASSPHRASE.encode()
    looked = 0
    for process in (*cluster.schedulers, *cluster.workers):
        for part in memory_of(process.pid):
            looked += len(part)
            assert secret not in part
            assert b"Liebes" not in part
    assert looked > 1 << 25
    for path in (tmp_path / "l", *(path for path in cluster.folder.rglob("*") if path.is_file())):
        assert secret not in path.read_bytes(), path
    local = here("fleet", "verify", "backups", "--ledger", "m", "--passphrase-file", "secret", "--json").record
    keys = ("items", "exitCodes", "states", "rows", "losses")
    assert {key: local[key] for key in keys} == {key: done.record[key] for key in keys}
    done = here("fleet", "report", "backups", "--ledger", "r", "-o", "out/{stem}.html", "--json", *cluster.options)
    assert len(list((tmp_path / "out").iterdir())) == 30  # of what is damaged there is a report, too
    assert done.record["exitCodes"] == {"0": 29, "2": 4, "15": 1}


def test_who_shows_no_certificate_of_the_cluster_s_gets_nothing(
    here: CommandLine, cluster: Cluster, tmp_path: Path, authority: Authority
) -> None:
    archives(tmp_path / "backups", 1, 0)
    other = Authority(tmp_path / "other", "others")
    program = (
        "import sys; from manabackup.operations.fleet import *; from pathlib import Path\n"
        "address, *paths = sys.argv[1:]\n"
        "try: ClusterEngine(Scheduler(address, *map(Path, paths)), 'tests.support.trial_worker', patience=4)\n"
        "except Exception as error: sys.exit(getattr(error, 'exit_code', 99))\n"
    )
    refused = [
        subprocess.Popen([sys.executable, "-c", program, cluster.address, *paths], stderr=PIPE, env=here.environ)
        for paths in ((authority.ca, other.cert, other.key), (other.ca, authority.cert, authority.key))
    ]
    for process in refused:
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 14, err.decode()


def test_beyond_this_computer_nothing_goes_without_mutual_tls(here: CommandLine, tmp_path: Path) -> None:
    archives(tmp_path / "backups", 1, 0)
    words = ["fleet", "verify", "backups", "--ledger", "l"]
    for options, said in (
        (["--scheduler", "tcp://192.0.2.1:8786"], "needs tls://"),
        (["--scheduler", "tcp://scheduler.example.org:8786"], "needs tls://"),
        (["--scheduler", "tls://127.0.0.1:8786"], "--tls-cert"),
        (["--scheduler", "192.0.2.1:8786"], "no scheduler's address"),
        (["--scheduler", "tcp://127.0.0.1:8786", "--workers", "2"], "--workers"),
        (["--tls-ca", "x"], "--scheduler"),
    ):
        done = here(*words, *options)
        assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize("cluster", [True], indirect=True)
def test_a_night_of_accidents_costs_no_item_its_verdict(here: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    archives(backups, 0, SEALED)  # the smallest, and so the last: until they may go on, the night lasts
    prose = random.Random(7).randbytes
    for number in range(SIZE):
        ours(backups / f"small-{number:04}.mana", {"notes": [{"id": "a", "title": prose(2_000).hex()}]})
    large = ours(
        tmp_path / "large", {"notes": [{"id": f"{row:06}", "title": prose(2_000).hex()} for row in range(4_000)]}
    )
    for number in range(LARGE):
        shutil.copyfile(large, backups / f"large-{number}.mana")
    ours(backups / "poison.mana", {"notes": []}, seal=Seal(PASSPHRASE))
    (tmp_path / "pw.sh").write_text(
        "case $1 in poison) kill -9 $PPID;; esac\n"
        'until test -e "${0%pw.sh}morning"; do sleep 0.05; done; cat "${0%pw.sh}secret"\n'
    )
    command = f"sh {tmp_path}/pw.sh {{stem}}"
    words = ["verify", "backups", "--ledger", "l", "--passphrase-command", command, "--json", *cluster.options]
    ledger = tmp_path / "l"
    early = iter(range(1, SIZE + LARGE, (SIZE + LARGE) // 7))

    def it_goes_on(fleet: subprocess.Popen[str]) -> None:
        wanted = next(early)
        wait_for(lambda: done_of(ledger) >= wanted or fleet.poll() is not None)
        assert fleet.poll() is None, fleet.communicate()

    fleet = here.start("fleet", *words)
    it_goes_on(fleet)
    cluster.workers[0].kill()
    cluster.start_worker()
    it_goes_on(fleet)
    os.kill(cluster.schedulers[0].pid, signal.SIGSTOP)  # nothing gets through
    time.sleep(2)
    os.kill(cluster.schedulers[0].pid, signal.SIGCONT)
    it_goes_on(fleet)
    fleet.kill()
    fleet.communicate()
    known = outcomes(ledger)

    fleet = here.start("fleet", *words)
    it_goes_on(fleet)
    cluster.wire.cut()
    time.sleep(2)
    cluster.wire.mend()
    for worker in cluster.workers:  # whose line broke: they would give up their scheduler after half a minute
        worker.kill()
    cluster.start_worker()
    cluster.start_worker()
    it_goes_on(fleet)
    for process in (cluster.schedulers[0], *cluster.workers):
        process.kill()
        process.wait()
    cluster.start_scheduler()
    cluster.start_worker()
    cluster.start_worker()
    it_goes_on(fleet)
    (tmp_path / "morning").touch()
    out, err = fleet.communicate(timeout=PATIENCE + SIZE)
    assert fleet.returncode == 1, err
    record = jsontext.parse(out)
    assert record["states"] == {"waiting": 0, "running": 0, "done": SIZE + LARGE + SEALED, "failed": 0, "bad": 1}
    assert record["exitCodes"] == {"0": SIZE + LARGE + SEALED, "1": 1}
    assert record["failing"][0]["name"].endswith("poison.mana")
    last = outcomes(ledger)
    assert {name: last[name] for name in known} == known, "what was done is not done again"
    assert len(known) >= (SIZE + LARGE) // 7
    times = {attempts - blamed for name, (*_, attempts, blamed) in last.items() if "poison" not in name}
    assert times == {1}, "what a verdict came of was begun once, but for what was lost with its process"


@pytest.mark.parametrize("cluster", [True], indirect=True)
def test_a_scheduler_lost_behind_what_takes_and_ends_connections_does_not_hold_the_command(
    here: CommandLine, cluster: Cluster, tmp_path: Path, authority: Authority
) -> None:
    program = (
        "import sys; from manabackup.operations.fleet import *; from manabackup.operations.fleet.running import Task\n"
        "from pathlib import Path\n"
        "address, patience, *paths = sys.argv[1:]\n"
        "scheduler = Scheduler(address, *map(Path, paths))\n"
        "with ClusterEngine(scheduler, 'tests.support.trial_worker', patience=float(patience)) as engine:\n"
        "    print('there', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    engine.give([Task(7, 1, ['a'])])\n"
        "    replies = []\n"
        "    while not replies: replies = engine.wait(1)\n"
        "    print([(reply.number, reply.begun) for reply in replies])\n"
    )
    words = [cluster.address, str(2 * PATIENCE), *map(str, (authority.ca, authority.cert, authority.key))]
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=here.environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "there\n"
            cluster.wire.cut()
            process.stdin.write("\n")
            process.stdin.flush()
            for worker in cluster.workers:
                worker.wait(PATIENCE)
            known = cluster.wire.refused
            wait_for(lambda: cluster.wire.refused > known or process.poll() is not None)
            cluster.wire.mend()
            cluster.start_worker()
            out, _ = process.communicate(timeout=PATIENCE)  # half of what it would wait for Dask's own attempts
            assert (process.returncode, out) == (0, "[(7, False)]\n")
        finally:
            process.kill()


@pytest.mark.parametrize("cluster", [True], indirect=True)
def test_an_interrupt_ends_it_while_the_scheduler_is_away(here: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    archives(tmp_path / "backups", 0, 1)
    held, begun = tmp_path / "held", tmp_path / "begun"
    held.touch()
    wait = tmp_path / "wait.sh"
    wait.write_text(f"touch {begun}; while test -e {held}; do sleep 0.1; done; cat {tmp_path}/secret\n")
    words = ["verify", "backups", "--ledger", "l", "--passphrase-command", f"sh {wait}", *cluster.options]
    try:
        fleet = here.start("fleet", *words)
        wait_for(lambda: begun.exists() or fleet.poll() is not None)
        cluster.wire.cut()
        assert fleet.stderr is not None
        assert any("the scheduler was lost" in line for line in iter(fleet.stderr.readline, ""))
        fleet.send_signal(signal.SIGINT)
        _, err = fleet.communicate(timeout=PATIENCE)
    finally:
        held.unlink()
    assert fleet.returncode == 130, err
    assert "the same command goes on" in err


def test_L5_no_secret_on_the_wire_in_the_scheduler_on_its_pages_and_in_any_file(
    here: CommandLine, tmp_path: Path
) -> None:
    key = hashlib.sha256(b"a vault").digest()
    archives(tmp_path / "plain", 1, 0)
    archives(tmp_path / "backups", 3, 9)
    (tmp_path / "key").write_text(b64encode(key).decode())
    (tmp_path / "key").chmod(0o600)
    made = ("fleet", "rekey", "plain", "--ledger", "made", "--to-key-file", "key", "-o", "backups/of-key.mana")
    assert here(*made).code == 0
    secrets = (PASSPHRASE.encode(), key)
    with Cluster(tmp_path / "cluster", here.environ, pages=True, wired=True) as cluster:
        cluster.start_scheduler()
        cluster.start_worker()
        cluster.start_worker()
        held = f"until test -e {tmp_path}/looked; do sleep 0.05; done"
        words = ["verify", "backups", "--ledger", "l", "--key-file", "key", "--json", *cluster.options]
        fleet = here.start("fleet", *words, "--passphrase-command", f"sh -c '{held}; cat {tmp_path}/secret'")
        wait_for(lambda: b"of-key.mana" in cluster.wire.heard or fleet.poll() is not None)
        shown = shown_by(cluster, at_work=True)
        (tmp_path / "looked").touch()
        out, err = fleet.communicate(timeout=PATIENCE)
        shown += shown_by(cluster, at_work=False)  # when the workers know the secrets
        assert jsontext.parse(out)["exitCodes"] == {"0": 13}, err
        heard = cluster.wire.heard
        kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".mana"}
        memory = [part for one in cluster.schedulers for part in memory_of(one.pid)] if sys.platform == "linux" else []
    assert b"of-key.mana" in heard, "what goes over the wire can be read here"
    assert b"--passphrase-command=" in heard
    for own in ("secret", "key"):
        del kept[tmp_path / own]
    assert {path.name for path in kept} >= {"l", "scheduler.log", "worker.log"}
    for secret in secrets:
        for form in forms(secret):
            for content in (shown, heard, *kept.values(), *memory, out.encode(), err.encode()):
                assert form not in content, form
