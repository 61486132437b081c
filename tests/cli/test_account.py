"""``login``, ``logout`` and ``status`` in real processes against the embedded server."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import User
from manabackup.sandbox.credentials import totp
from manabackup.text import jsontext
from tests.support import schemas
from tests.support.patience import PATIENCE
from tests.support.processes import PASSWORD, CommandLine, Finished

EMAIL = "anna@example.org"

KEY = bytes(range(32))


def _login(here: CommandLine, user: User, *arguments: str, password: str = PASSWORD) -> Finished:
    return here("login", "--email", user.email, *arguments, env={"MANABACKUP_PASSWORD": password})


def _session_file(here: CommandLine, profile: str = "default") -> Path:
    return here.home / "state" / "profiles" / profile / "session.json"


def test_a_session_is_kept_for_its_owner_alone_until_logout(here: CommandLine, user: User, box: Sandbox) -> None:
    done = _login(here, user)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"signed in as {user.email} (user {user.id}) at {box.url}\n"
    kept = _session_file(here)
    for path in (kept, *list(kept.parents)[:3]):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert PASSWORD not in kept.read_text()
    done = here("logout", "--json")
    assert (done.code, done.record) == (0, {"email": user.email, "signedOut": True})
    assert not kept.exists()
    assert here("logout", "--json").record == {"email": None, "signedOut": False}


def test_login_tells_whom_as_json(here: CommandLine, user: User, box: Sandbox) -> None:
    assert _login(here, user, "--json").record == {
        "userId": user.id,
        "email": user.email,
        "authUrl": box.url,
        "profile": "default",
    }


def test_email_and_password_are_asked_for_at_a_terminal(here: CommandLine, user: User) -> None:
    done = here.at_terminal("login", "--json", typed=[user.email, PASSWORD])
    assert (done.code, done.record["userId"]) == (0, user.id)
    assert PASSWORD not in done.err
    assert done.err.startswith(f"e-mail address: {user.email}\npassword: ")


def test_a_wrong_password_is_13_and_nothing_is_kept(here: CommandLine, user: User) -> None:
    done = _login(here, user, "-vv", password="hunter3")
    assert (done.code, done.out) == (13, "")
    assert "error: the e-mail address or the password is wrong" in done.err
    assert "hunter3" not in done.err
    assert not _session_file(here).exists()


def test_without_email_or_password_it_says_what_to_pass(here: CommandLine, user: User) -> None:
    done = here("login")
    assert done.code == 2
    assert "MANABACKUP_EMAIL" in done.err
    done = here("login", "--email", user.email)
    assert done.code == 2
    assert "MANABACKUP_PASSWORD" in done.err


def test_a_second_login_needs_force_and_ends_the_session_before(here: CommandLine, user: User, box: Sandbox) -> None:
    assert _login(here, user).code == 0
    kept = _session_file(here).read_text()
    assert _login(here, user).code == 2
    assert _session_file(here).read_text() == kept
    old = StateFolder(here.home / "state").sessions().load()
    assert old is not None
    assert _login(here, user, "--force").code == 0
    assert _session_file(here).read_text() != kept
    _session_file(here).write_text(kept)
    assert here("status").code == 13


def test_a_session_that_has_ended_is_in_nobodys_way(here: CommandLine, user: User) -> None:
    assert _login(here, user).code == 0
    kept = _session_file(here).read_text()
    assert here("logout").code == 0
    _session_file(here).write_text(kept)
    assert _login(here, user).code == 0


def test_a_damaged_session_is_replaced_and_removed_with_a_warning(here: CommandLine, user: User) -> None:
    _login(here, user)
    _session_file(here).write_text("{")
    assert here("status").code == 13
    assert "warning:" in _login(here, user).err
    _session_file(here).write_text("{")
    done = here("logout")
    assert done.code == 0
    assert "warning:" in done.err
    assert not _session_file(here).exists()


def test_profiles_keep_sessions_of_their_own(here: CommandLine, user: User, box: Sandbox) -> None:
    other = box.accounts.create_user(f"other-{user.email}", PASSWORD, "Berta")
    assert _login(here, user).code == 0
    assert _login(here, other, "--profile", "other").code == 0
    assert here("status", "--json").record["user"]["id"] == user.id
    assert here("--profile", "other", "status", "--json").record["user"]["id"] == other.id
    assert here("status", "--profile", "../x").code == 2


def test_the_second_factor_comes_from_a_secret_source_or_the_terminal(
    here: CommandLine, user: User, box: Sandbox
) -> None:
    secret, _ = box.accounts.enable_totp(user.id)
    done = _login(here, user)
    assert done.code == 2
    assert "MANABACKUP_TOTP" in done.err
    code = totp(secret, time.time())
    assert _login(here, user, "--totp-command", f"echo {code[:3]} {code[3:]}").code == 0
    here("logout")
    env = {"MANABACKUP_PASSWORD": PASSWORD, "MANABACKUP_EMAIL": user.email}
    assert here.at_terminal("login", typed=[totp(secret, time.time())], env=env).code == 0


def test_a_file_that_others_can_read_is_warned_of_once(here: CommandLine, user: User, box: Sandbox) -> None:
    _, codes = box.accounts.enable_totp(user.id)
    file = here.home / "code"
    file.write_text(codes[0])
    file.chmod(0o644)
    assert _login(here, user, "--backup-code-file", str(file)).err.count("can read") == 1


def test_a_wrong_second_factor_is_13(here: CommandLine, user: User, box: Sandbox) -> None:
    secret, _ = box.accounts.enable_totp(user.id)
    wrong = f"{(int(totp(secret, time.time())) + 500_000) % 1_000_000:06}"
    done = _login(here, user, "--totp-command", f"echo {wrong}")
    assert done.code == 13
    assert "the code of the second factor is wrong" in done.err


def test_a_state_folder_that_is_busy_is_11_and_leaves_no_session_behind(
    here: CommandLine, user: User, box: Sandbox
) -> None:
    with StateFolder(here.home / "state").lock():
        done = _login(here, user)
    assert done.code == 11
    assert not _session_file(here).exists()
    assert _login(here, user).code == 0


def test_a_state_folder_that_cannot_be_written_is_17(here: CommandLine, user: User) -> None:
    (here.home / "state").write_text("in the way")
    assert _login(here, user).code == 17


def test_logout_forgets_the_session_even_when_the_server_is_gone(manabackup: CommandLine) -> None:
    state = ["--state-dir", str(manabackup.home)]
    with Sandbox() as box:
        user = box.accounts.create_user(EMAIL, PASSWORD, "Anna")
        url = ["--auth-url", box.url, *state]
        assert _login(manabackup, user, *url).code == 0
    done = manabackup("logout", *state)
    assert done.code == 14
    assert "the session is forgotten here, but the server was not told" in done.err
    assert manabackup("logout", *state).out == "nobody was signed in\n"


def test_S8_a_session_is_not_taken_to_another_service(here: CommandLine, user: User) -> None:
    assert _login(here, user).code == 0
    with Sandbox() as other:
        done = here("status", "--auth-url", other.url)
    assert done.code == 13
    assert "not at" in done.err


def test_status_shows_the_account_and_its_servers(here: CommandLine, user: User, box: Sandbox) -> None:
    box.accounts.set_vault(user.id, "zero-knowledge", KEY)
    assert _login(here, user).code == 0
    done = here("status", "--json")
    assert (done.code, done.err) == (0, "")
    record = done.record
    assert record["signedIn"] is True
    assert record["user"]["id"] == user.id
    assert record["user"]["email"] == user.email
    assert record["auth"] == {"url": box.url, "reachable": True}
    assert record["sync"] == {"url": box.url, "reachable": True}
    assert record["vault"]["mode"] == "zero-knowledge"
    assert record["subscription"]["active"] is True
    assert record["mirror"] is None
    shown = here("status").out
    assert f"{user.email} (user {user.id})" in shown
    assert "zero-knowledge" in shown


@pytest.mark.parametrize("credits_url", [None, "http://127.0.0.1:9"], ids=["credits", "no credits"])
def test_status_knows_from_the_sync_server_whether_the_subscription_is_active(
    here: CommandLine, user: User, box: Sandbox, credits_url: str | None
) -> None:
    env = {"MANABACKUP_TOKEN": box.accounts.issue_token(user.id)}
    if credits_url is not None:
        env["MANABACKUP_CREDITS_URL"] = credits_url
    for active, code, words in ((True, 0, "active"), (False, 16, "inactive: the server refuses reads too")):
        box.accounts.set_subscription(user.id, active=active)
        assert here("pull", env=env).code == code
        done = here("status", "--json", env=env)
        assert (done.code, done.record["subscription"]["active"]) == (0, active)
        schemas.check("status", done.record)
        (line,) = [line for line in here("status", env=env).out.splitlines() if line.startswith("subscription")]
        assert line.removeprefix("subscription").strip().startswith(words)


def test_status_tells_when_the_server_was_searched_for_unknown_collections(
    here: CommandLine, user: User, box: Sandbox
) -> None:
    env = {"MANABACKUP_TOKEN": box.accounts.issue_token(user.id)}
    pulled = here("pull", "--json", env=env).record
    mirror = here("status", "--json", env=env).record["mirror"]
    assert (mirror["searchedAt"], mirror["unsearchedApps"]) == (pulled["searchedAt"], [])
    assert mirror["searchedAt"] is not None
    assert "searched for unknown collections just now" in here("status", env=env).out
    assert "searched for unknown collections just now\n" in here("pull", env=env).out


@pytest.mark.parametrize("mode", ["standard", "none"])
def test_status_tells_the_vaults_mode(here: CommandLine, user: User, box: Sandbox, mode: str) -> None:
    if mode == "standard":
        box.accounts.set_vault(user.id, "standard", KEY)
    token = {"MANABACKUP_TOKEN": box.accounts.issue_token(user.id)}
    assert here("status", "--json", env=token).record["vault"]["mode"] == mode


def test_an_access_token_stands_in_for_a_login(here: CommandLine, user: User, box: Sandbox) -> None:
    token = box.accounts.issue_token(user.id)
    file = here.home / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    for arguments in (["--token-file", str(file)], ["--token-command", f"cat {file}"]):
        done = here("status", "--json", *arguments)
        assert (done.code, done.record["user"]) == (0, {"id": user.id, "email": None, "since": None})
    done = here("status", "--json", env={"MANABACKUP_TOKEN": token})
    assert done.record["user"]["id"] == user.id


def test_a_token_that_is_none_or_has_expired_is_13_and_not_quoted(here: CommandLine, user: User, box: Sandbox) -> None:
    expired = box.accounts.issue_token(user.id, lifetime=-10)
    for token in ("hunter2", "hunter2.hunter2.hunter2", expired):
        done = here("status", "-vv", env={"MANABACKUP_TOKEN": token})
        assert done.code == 13
        assert token not in done.out + done.err


def test_status_of_nobody_shows_the_settings_and_is_13(here: CommandLine, box: Sandbox) -> None:
    done = here("status", "--json")
    assert done.code == 13
    assert done.record["signedIn"] is False
    assert done.record["auth"] == {"url": box.url}
    assert done.err.startswith("error: not signed in\nhint: `manabackup login`")


def test_status_of_servers_that_do_not_answer_shows_the_rest_and_is_14(
    here: CommandLine, user: User, box: Sandbox
) -> None:
    token = {"MANABACKUP_TOKEN": box.accounts.issue_token(user.id)}
    done = here("status", "--json", "--sync-url", "http://127.0.0.1:9", env=token)
    assert done.code == 14
    assert done.record["auth"]["reachable"] is True
    assert done.record["sync"]["reachable"] is False


def test_addresses_that_are_none_are_2(here: CommandLine) -> None:
    for url in ("http://example.org", "ftp://x", "nonsense", "https://user:hunter2@example.org"):
        done = here("login", "--email", EMAIL, "--auth-url", url)
        assert done.code == 2
        assert "hunter2" not in done.err


def test_sandbox_serve_tells_how_to_sign_in_and_ends_when_interrupted(manabackup: CommandLine) -> None:
    served = manabackup.start("sandbox", "serve", "--rows", "20", "--pictures", "2", "--json")
    try:
        assert served.stdout is not None
        record = jsontext.parse(served.stdout.readline())
        account = record["account"]
        env = {
            "MANABACKUP_AUTH_URL": record["authUrl"],
            "MANABACKUP_SYNC_URL": record["syncUrl"],
            "MANABACKUP_PASSWORD": account["password"],
        }
        done = manabackup("login", "--email", account["email"], "--json", env=env)
        assert done.record["userId"] == account["userId"]
        page = urlopen(record["webUrl"], timeout=PATIENCE).read().decode()
        assert f'__PUBLIC_MANA_MEDIA_URL__ = "{record["mediaUrl"]}"' in page
        assert f'__PUBLIC_MANA_API_URL__ = "{record["apiUrl"]}"' in page
        owned = f"{record['mediaUrl']}/api/v1/media?app=picture&userId={account['userId']}"
        assert jsontext.parse(urlopen(owned, timeout=PATIENCE).read())
        served.terminate()
        _, said = served.communicate(timeout=PATIENCE)
    finally:
        served.kill()
    assert (served.returncode, said) == (130, "error: interrupted\n")


def test_sandbox_serve_on_a_port_that_is_taken_is_2(manabackup: CommandLine, box: Sandbox) -> None:
    done = manabackup("sandbox", "serve", "--port", box.url.rpartition(":")[2])
    assert done.code == 2
    assert "--port 0" in done.err


def test_a_keyring_that_was_wanted_and_is_not_there_is_told(here: CommandLine, user: User) -> None:
    here.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    done = _login(here, user)
    assert done.code == 0
    assert "warning: no keyring is usable here: the session is kept in " in done.err
    assert _session_file(here).exists()
    here.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # somebody chose to have none
    assert "keyring" not in _login(here, user, "--force").err


@pytest.mark.parametrize("home", ["/dev/null", "/proc/no/such"])
def test_a_home_that_takes_nothing_keeps_no_command_from_reading(manabackup: CommandLine, home: str) -> None:
    manabackup.environ["HOME"] = home
    archive = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives" / "plain-small.mana"
    assert manabackup("verify", str(archive)).code == 0
    done = manabackup("status", "--auth-url", "http://127.0.0.1:9", "--sync-url", "http://127.0.0.1:9")
    assert done.code == 13, done.err
    assert "signed in     no" in done.out
