"""``fleet`` on a Dask cluster: what is killed, restarted or cut costs no item its verdict, and no secret goes there."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manabackup.archive.writer import Seal
from manabackup.text import jsontext
from tests.support.archives import ours
from tests.support.clusters import Authority, Cluster, memory_of
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

pytest.importorskip("distributed")
SIZE = int(os.environ.get("MANABACKUP_FLEET_SMALL", "60"))
"""Small archives of the fleet whose cluster is killed; 2,000 say the most."""
PASSPHRASE = "Überraschung für Oma 🔑"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls", "fleet")


@pytest.fixture
def cluster(here: CommandLine, tmp_path: Path, authority: Authority) -> Iterator[Cluster]:
    """Two workers, under mutual TLS."""
    with Cluster(tmp_path / "cluster", here.environ, tls=authority) as found:
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
    for paths in ((authority.ca, other.cert, other.key), (other.ca, authority.cert, authority.key)):
        done = subprocess.run(
            [sys.executable, "-c", program, cluster.address, *paths], check=False, capture_output=True, env=here.environ
        )
        assert done.returncode == 14, done.stderr.decode()


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


def test_a_worker_killed_and_a_scheduler_restarted_cost_nothing(
    here: CommandLine, cluster: Cluster, tmp_path: Path
) -> None:
    archives(tmp_path / "backups", SIZE, 12)
    ours(tmp_path / "backups" / "poison.mana", {"notes": []}, seal=Seal(PASSPHRASE))
    (tmp_path / "pw.sh").write_text('case $1 in poison) kill -9 $PPID;; *) cat "${0%pw.sh}secret";; esac\n')
    command = f"sh {tmp_path}/pw.sh {{stem}}"
    words = ["verify", "backups", "--ledger", "l", "--passphrase-command", command, "--json", *cluster.options]
    fleet = here.start("fleet", *words)
    ledger = tmp_path / "l"
    wait_for(lambda: done_of(ledger) >= 1 or fleet.poll() is not None)
    cluster.workers[0].kill()
    cluster.start_worker()
    known = done_of(ledger)
    wait_for(lambda: done_of(ledger) >= known + 10 or fleet.poll() is not None)
    cluster.schedulers[0].kill()
    cluster.schedulers[0].wait()
    for worker in cluster.workers:
        worker.kill()
        worker.wait()
    cluster.start_scheduler()
    cluster.start_worker()
    cluster.start_worker()
    out, err = fleet.communicate(timeout=PATIENCE)
    assert fleet.returncode == 1, err
    record = jsontext.parse(out)
    assert record["states"] == {"waiting": 0, "running": 0, "done": SIZE + 12, "failed": 0, "bad": 1}
    assert record["failing"][0]["name"].endswith("poison.mana")


def test_a_cut_that_is_mended_is_waited_out(here: CommandLine, cluster: Cluster, tmp_path: Path) -> None:
    archives(tmp_path / "backups", 40, 6)
    words = ["verify", "backups", "--ledger", "l", "--passphrase-file", "secret", "--json", *cluster.options]
    fleet = here.start("fleet", *words)
    wait_for(lambda: done_of(tmp_path / "l") >= 1 or fleet.poll() is not None)
    os.kill(cluster.schedulers[0].pid, signal.SIGSTOP)  # nothing gets through
    time.sleep(3)
    os.kill(cluster.schedulers[0].pid, signal.SIGCONT)
    out, err = fleet.communicate(timeout=PATIENCE)
    assert fleet.returncode == 0, err
    assert jsontext.parse(out)["exitCodes"] == {"0": 46}
