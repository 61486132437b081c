"""Whose account, and which key: the sources of both, in real processes against the embedded server."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from manabackup.crypto.keys import fingerprint
from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import User
from tests.support.processes import MANABACKUP, PASSWORD, CommandLine

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))


@pytest.fixture
def vaults(trial: CommandLine, box: Sandbox, user: User) -> CommandLine:
    """``open-vault`` under a token of the user."""
    trial.at(box.url).environ["MANABACKUP_TOKEN"] = box.accounts.issue_token(user.id)
    trial.program += ["open-vault", "--json"]
    return trial


def test_the_recovery_code_opens_a_zero_knowledge_vault(vaults: CommandLine, user: User, box: Sandbox) -> None:
    code = box.accounts.set_vault(user.id, "zero-knowledge", KEY)
    assert code is not None
    done = vaults(env={"MANABACKUP_RECOVERY_CODE": code.lower().replace("-", " ")})
    assert (done.code, done.err) == (0, "")
    assert done.record == {"userId": user.id, "fingerprint": fingerprint(KEY)}
    done = vaults.at_terminal(typed=[code])
    assert done.record["fingerprint"] == fingerprint(KEY)
    assert code not in done.err


def test_wrong_and_malformed_recovery_codes_are_12_and_not_quoted(
    vaults: CommandLine, user: User, box: Sandbox
) -> None:
    box.accounts.set_vault(user.id, "zero-knowledge", KEY)
    for code in ("AB" * 32, "AB" * 31, "hunter2"):
        done = vaults("-vv", env={"MANABACKUP_RECOVERY_CODE": code})
        assert (done.code, done.out) == (12, "")
        assert code not in done.err


def test_without_a_recovery_code_it_says_what_to_pass(vaults: CommandLine, user: User, box: Sandbox) -> None:
    box.accounts.set_vault(user.id, "zero-knowledge", KEY)
    done = vaults()
    assert done.code == 2
    assert "--recovery-code-file" in done.err


def test_a_key_that_the_server_knows_is_taken_and_told(vaults: CommandLine, user: User, box: Sandbox) -> None:
    box.accounts.set_vault(user.id, "standard", KEY)
    done = vaults()
    assert done.record["fingerprint"] == fingerprint(KEY)
    assert "known to the server" in done.err


def test_without_a_vault_nothing_is_encrypted(vaults: CommandLine) -> None:
    done = vaults()
    assert (done.code, done.record["fingerprint"]) == (0, None)
    assert "nothing of it is encrypted" in done.err


@pytest.mark.parametrize("content", [KEY, KEY.hex().encode() + b"\n", base64.b64encode(KEY) + b"\r\n"])
def test_a_key_file_goes_before_the_vault(
    vaults: CommandLine, user: User, box: Sandbox, tmp_path: Path, content: bytes
) -> None:
    box.accounts.set_vault(user.id, "zero-knowledge", OTHER_KEY)
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    done = vaults("--key-file", str(file))
    assert (done.record["fingerprint"], done.err) == (fingerprint(KEY), "")


def test_a_key_file_that_holds_none_is_12(vaults: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"hunter2")
    done = vaults("--key-file", str(tmp_path / "key"))
    assert done.code == 12
    assert "hunter2" not in done.err
    assert vaults("--key-file", str(tmp_path / "none")).code == 10


def test_the_target_account_has_secrets_of_its_own(vaults: CommandLine, user: User, box: Sandbox) -> None:
    other = box.accounts.create_user(f"to-{user.email}", PASSWORD, "Berta")
    codes = [box.accounts.set_vault(one.id, "zero-knowledge", key) for one, key in ((user, KEY), (other, OTHER_KEY))]
    env = {"MANABACKUP_TO_TOKEN": box.accounts.issue_token(other.id)}
    for prefix, code in zip(("", "TO_"), codes, strict=True):
        assert code is not None
        env[f"MANABACKUP_{prefix}RECOVERY_CODE"] = code
    assert vaults(env=env).record == {"userId": user.id, "fingerprint": fingerprint(KEY)}
    assert vaults("--target", env=env).record == {"userId": other.id, "fingerprint": fingerprint(OTHER_KEY)}


def test_the_target_account_may_be_another_profiles_session(
    vaults: CommandLine, user: User, box: Sandbox, tmp_path: Path
) -> None:
    login = CommandLine(tmp_path, MANABACKUP).at(box.url)
    env = {"MANABACKUP_PASSWORD": PASSWORD}
    assert login("login", "--email", user.email, "--profile", "new", env=env).code == 0
    done = vaults("--target", "--to-profile", "new")
    assert done.record["userId"] == user.id


def test_a_missing_target_account_is_13_with_the_way_to_give_it(vaults: CommandLine) -> None:
    done = vaults("--target", "--to-auth-url", "http://127.0.0.1:1")
    assert done.code == 13
    assert done.err.startswith("error: not signed in as the target account\n")
    assert "--to-token-file" in done.err
