"""``fleet export --from-database --all-users``: each user is an item, and each archive what one user's export gives."""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path

import psycopg
import pytest

from tests.support import mana_database
from tests.support.clusters import Cluster, forms, memory_of, shown_by
from tests.support.processes import CommandLine
from tests.support.webdav import PASSWORD, webdav

from .conftest import Town

WORDS = ("fleet", "export", "--from-database", "--all-users", "--ledger", "l", "--retries", "0", "--json")


@pytest.fixture
def here(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """A computer of somebody who runs the database."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("dsn", town.dsn.encode()), ("kek", b64encode(mana_database.KEK))):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    found = CommandLine(tmp_path)
    found.environ["SOURCE_DATE_EPOCH"] = "1790000000"
    return found


def test_each_archive_of_a_fleet_is_what_one_users_export_gives(here: CommandLine, town: Town, tmp_path: Path) -> None:
    sources = ("--sync-dsn-command", "sh -c 'echo run >> runs; cat dsn'", "--kek-file", "kek")
    done = here(*WORDS, *sources, "-o", "out/{name}.mana")
    assert done.code == 3, done.err
    assert (tmp_path / "runs").read_text() == "run\n"
    users = {path.stem for path in (tmp_path / "out").iterdir()}
    assert {town.anna.user_id, town.bert.user_id, town.carla} < users
    assert done.record["items"] == len(users)
    for user in sorted(users):
        words = ("export", "--from-database", "--user", user, "--sync-dsn-file", "dsn", "--kek-file", "kek")
        alone = here(*words, "-o", f"{user}.mana", "--json")
        assert alone.code in (0, 3), alone.err
        assert (tmp_path / f"{user}.mana").read_bytes() == (tmp_path / "out" / f"{user}.mana").read_bytes()
    secrets = (town.dsn.encode(), mana_database.KEK, b64encode(mana_database.KEK))
    for path in (tmp_path / "l", *tmp_path.glob("l-*")):
        assert not any(secret in path.read_bytes() for secret in secrets)


def test_L5_neither_the_database_s_password_nor_its_key_reaches_a_cluster(
    here: CommandLine, town: Town, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    password = "Bahnwärter Thiel"
    (tmp_path / "dsn").write_text(psycopg.conninfo.make_conninfo(town.dsn, password=password), "utf-8")
    with Cluster(tmp_path / "cluster", here.environ, pages=True, wired=True) as cluster:
        cluster.start_scheduler()
        cluster.start_worker()
        sources = ("--sync-dsn-command", f"cat {tmp_path}/dsn", "--kek-file", "kek")
        done = here(*WORDS, *sources, "-o", "out/{name}.mana", *cluster.options)
        shown = shown_by(cluster, at_work=False)  # when the worker knows the secrets
        heard = cluster.wire.heard
        memory = [part for one in cluster.schedulers for part in memory_of(one.pid)] if sys.platform == "linux" else []
    assert done.code == 3, done.err
    assert done.record["items"] == len(list((tmp_path / "out").iterdir()))
    assert b"--sync-dsn-command=" in heard, "what goes over the wire can be read here"
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for own in ("dsn", "kek"):
        del kept[own]
    assert {"l", "scheduler.log", "worker.log"} <= set(kept)
    for secret in (password.encode(), b64encode(mana_database.KEK)):  # whose bytes themselves are in any table of bytes
        for form in forms(secret):
            for content in (shown, heard, *kept.values(), *memory, done.out.encode(), done.err.encode()):
                assert form not in content, form


def test_a_user_who_cannot_be_exported_is_one_item_and_archives_go_to_far_places(
    here: CommandLine, town: Town, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (tmp_path / "kek").write_bytes(b64encode(bytes(32)))  # opens no vault that it should
    here.environ["MANABACKUP_DAV_PASSWORD"] = PASSWORD
    with webdav(served) as port:
        output = ("-o", f"dav://anna@127.0.0.1:{port}/{{name}}.mana")
        first = here(*WORDS, "--sync-dsn-file", "dsn", "--kek-file", "kek", *output)
        assert first.code == 12, first.err
        written = {path.stem for path in served.glob("*.mana")}
        assert {town.anna.user_id, town.carla} < written
        assert town.bert.user_id not in written
        failing = [Path(item["name"]).name for item in first.record["failing"] if item["exitCode"] == 12]
        assert failing == [town.bert.user_id]
        assert first.record["exitCodes"]["12"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from-database"], "go together"),
        (["--all-users"], "go together"),
        (["--from-database", "--all-users"], "nothing says where the database is"),
        (["--from-database", "--all-users", "--sync-dsn-file", "dsn", "accounts.csv"], "in place of ACCOUNTS"),
        ([], "ACCOUNTS is missing"),
    ],
)
def test_what_makes_no_sense_is_refused(here: CommandLine, words: list[str], said: str) -> None:
    done = here("fleet", "export", "--ledger", "l", "-o", "{name}", *words)
    assert (done.code, said in done.err) == (2, True), done.err
