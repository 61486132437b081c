"""``fleet export``: archives of many accounts, each by its own secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox
from tests.support.homes import Computer, Newcomer

NAMES = ("anna", "bert", "cleo")


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def owners(box: Sandbox) -> dict[str, Newcomer]:
    found = {name: Newcomer(box, name, key=bytes([number]) * 32) for number, name in enumerate(NAMES)}
    for name, owner in found.items():
        owner.write({"id": f"of-{name}", "fields": {}, "data": {"title": owner.sealed("Liebes")}})
    return found


@pytest.fixture
def operator(owners: dict[str, Newcomer], box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """A computer with tokens and recovery codes of three accounts, and a list of them."""
    monkeypatch.chdir(tmp_path)
    computer = Computer(tmp_path, box.url)
    (tmp_path / "secrets").mkdir()
    table = ["profile,token-file,recovery-code-command"]
    settings = []
    for name, owner in owners.items():
        for kind, value in (("token", box.accounts.issue_token(owner.id)), ("code", owner.recovery_code)):
            path = tmp_path / "secrets" / f"{name}.{kind}"
            path.write_text(f"{value}\n")
            path.chmod(0o600)
        command = f"cat {tmp_path}/secrets/{name}.code"
        table.append(f'{name},secrets/{name}.token,"{command}"')
        settings.append(
            f'[profiles.{name}]\ntoken-file = "secrets/{name}.token"\nrecovery-code-command = "{command}"\n'
        )
    (tmp_path / "accounts.csv").write_text("\n".join(table) + "\n")
    (tmp_path / "accounts.toml").write_text("\n".join(settings))
    return computer


@pytest.mark.parametrize("listed", ["accounts.csv", "accounts.toml"])
def test_every_account_is_exported_by_its_own_secrets(
    operator: Computer, owners: dict[str, Newcomer], tmp_path: Path, listed: str
) -> None:
    words = ("fleet", "export", listed, "--ledger", "l", "-o", "out/{name}.mana")
    done = operator(*words, "--json")
    assert done.code == 0, done.err
    assert done.record["exitCodes"] == {"0": 3}
    for name, owner in owners.items():
        archive = tmp_path / "out" / f"{name}.mana"
        assert operator("info", str(archive), "--json").record["userId"] == owner.id
    content = (tmp_path / "l").read_bytes()
    for path in (tmp_path / "secrets").iterdir():
        assert path.read_bytes().strip() not in content
    # A round that came to its end: the next one exports anew, and nothing takes another's place unasked.
    done = operator(*words, "--json")
    assert (done.code, done.record["exitCodes"]) == (17, {"17": 3})
    done = operator(*words, "--force", "--json")
    assert (done.code, done.record["tried"], done.record["changed"]) == (0, 3, 3)
    assert operator("cat", "out/bert.mana", "notes").out.count("Liebes") == 1


def test_a_round_that_was_cut_off_is_gone_on_with(operator: Computer, tmp_path: Path) -> None:
    words = ("fleet", "export", "accounts.csv", "--ledger", "l", "-o", "out/{name}-{date}.mana", "--json")
    operator(*words)
    with sqlite3.connect(tmp_path / "l") as connection:  # as a run that was killed leaves it
        connection.execute("UPDATE runs SET ending = NULL")
        connection.execute("UPDATE items SET state = 'running', done = NULL, exit_code = NULL WHERE name = 'bert'")
    connection.close()
    done = operator(*words)
    assert done.code == 0, done.err
    assert (done.record["tried"], done.record["takenOver"]) == (1, 1)


def test_an_account_that_is_refused_is_counted_and_the_others_are_exported(operator: Computer, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "bert.token").write_text("not.a.token\n")
    words = ("fleet", "export", "accounts.csv", "--ledger", "l", "-o", "out/{name}.mana", "--retries", "0", "--json")
    done = operator(*words)
    assert done.record["exitCodes"]["0"] == 2
    (failing,) = done.record["failing"]
    assert (failing["name"], failing["state"]) == ("bert", "failed")
    assert done.code == failing["exitCode"] != 0


def test_a_secret_in_the_list_or_one_for_all_is_refused(operator: Computer, tmp_path: Path) -> None:
    words = ("--ledger", "l", "-o", "out/{name}.mana")
    for name, text, said in (
        ("a.csv", "profile,token\nanna,geheim\n", "does not stand in this file"),
        ("a.toml", '[profiles.anna]\ntoken = "geheim"\n', "does not stand in this file"),
        ("b.csv", "name\nanna\n", "no column `profile`"),
        ("c.csv", "profile,colour\nanna,red\n", "unknown column colour"),
        ("d.csv", "profile\nanna\nanna\n", "stands there twice"),
        ("e.csv", "profile,email\nanna\n", "another number of columns"),
        ("f.csv", "profile\n../anna\n", "not a profile's name"),
        ("g.csv", "profile\n", "names no account"),
    ):
        (tmp_path / name).write_text(text)
        done = operator("fleet", "export", name, *words)
        assert (done.code, said in done.err, "geheim" in done.err) == (2, True, False), (name, done.err)
    done = operator("fleet", "export", "accounts.csv", *words, env={"MANABACKUP_TOKEN": "x.y.z"})
    assert (done.code, "would stand for every account" in done.err) == (2, True)
    done = operator("fleet", "export", "accounts.csv", *words, "--token-file", "secrets/anna.token")
    assert (done.code, "would stand for every account" in done.err) == (2, True)
    assert not (tmp_path / "out").exists()
