"""Keys, region and endpoint, where AWS's own tools find them."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from manabackup.errors import AccessError, UsageError
from manabackup.storage.aws import Account

SECRET = "geheim/+secret"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    return tmp_path


def printing(home: Path, **told: str) -> str:
    """A command that prints keys, and takes down that it was called."""
    script = home / "keys.py"
    called, text = str(home / "called"), json.dumps({"Version": 1, **told})
    script.write_text(f"open({called!r}, 'a').write('x')\nprint({text!r})\n")
    return shlex.join([sys.executable, str(script)])


def test_the_environment_wins_over_a_profile(home: Path) -> None:
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
    (home / ".aws" / "config").write_text("[default]\nregion = eu-central-1\nendpoint_url = https://s3.example.org/\n")
    found = Account.find({"HOME": str(home)})
    assert (found.keys().access, found.region, found.endpoint) == ("A", "eu-central-1", "https://s3.example.org/")
    more = {"AWS_ACCESS_KEY_ID": "C", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "T", "AWS_REGION": "x"}
    found = Account.find({"HOME": str(home), **more, "AWS_ENDPOINT_URL": "https://other"})
    assert (found.keys().access, found.keys().token, found.region, found.endpoint) == ("C", "T", "x", "https://other")
    assert SECRET not in repr(found)


def test_a_profile_is_put_together_of_both_files(home: Path) -> None:
    (home / ".aws" / "credentials").write_text(f"[work]\naws_access_key_id = A\naws_secret_access_key = {SECRET}%d\n")
    (home / ".aws" / "config").write_text("[profile work]\nregion = eu-west-3\n")
    found = Account.find({"HOME": str(home), "AWS_PROFILE": "work"})
    assert (found.keys().secret, found.region) == (f"{SECRET}%d", "eu-west-3")
    with pytest.raises(UsageError, match="no profile other"):
        Account.find({"HOME": str(home), "AWS_PROFILE": "other"})


@pytest.mark.parametrize(("lives", "calls"), [(timedelta(hours=1), 1), (timedelta(minutes=2), 3)])
def test_a_process_gives_keys_and_new_ones_when_they_are_about_to_expire(
    home: Path, lives: timedelta, calls: int
) -> None:
    until = (datetime.now(UTC) + lives).isoformat()
    command = printing(home, AccessKeyId="A", SecretAccessKey=SECRET, SessionToken="T", Expiration=until)
    (home / ".aws" / "config").write_text(f"[default]\ncredential_process = {command}\n")
    found = Account.find({"HOME": str(home)})
    assert [found.keys().access for _ in range(3)] == ["A"] * 3
    assert len((home / "called").read_text()) == calls


@pytest.mark.parametrize("command", ["false", "echo geheim", "/no/such/program", "'"])
def test_P5_a_process_that_gives_none_is_told_without_its_words(home: Path, command: str) -> None:
    (home / ".aws" / "config").write_text(f"[default]\ncredential_process = {command}\n")
    with pytest.raises(AccessError, match="credential_process of profile default") as told:
        Account.find({"HOME": str(home)}).keys()
    assert "geheim" not in str(told.value)


def test_what_is_not_done_here_and_what_is_missing_is_told_with_the_way_out(home: Path) -> None:
    with pytest.raises(AccessError, match="no keys"):
        Account.find({"HOME": str(home)}).keys()
    (home / ".aws" / "config").write_text("[default]\nrole_arn = arn:aws:iam::1:role/x\n")
    with pytest.raises(AccessError, match="role or a sign-in") as told:
        Account.find({"HOME": str(home)}).keys()
    assert "export-credentials" in str(told.value.hint)
    (home / ".aws" / "config").write_bytes(b"\xff[")
    with pytest.raises(UsageError, match="cannot be read"):
        Account.find({"HOME": str(home)})
