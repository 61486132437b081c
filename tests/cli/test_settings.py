from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import NotFoundError, UsageError
from manabackup.operations.account.settings import resolve
from manabackup.sandbox.accounts import User
from tests.support.processes import PASSWORD, CommandLine

_VALUES = {"flag": "https://flag.example", "environment": "https://env.example", "profile": "https://file.example"}
_DEFAULTS = {"auth-url": "https://auth.mana.how", "sync-url": "https://sync.mana.how", "email": None}


def _resolved(settings: Any, name: str) -> str | None:
    if name == "email":
        found = settings.email
    else:
        found = settings.account.auth_url if name == "auth-url" else settings.account.sync_url
    assert found is None or isinstance(found, str)
    return found


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    value = _VALUES["profile"]
    path.write_text(
        f'[profiles.full]\nauth-url = "{value}"\nsync-url = "{value}"\nemail = "{value}"\n[profiles.bare]\n'
    )
    return path


@given(name=st.sampled_from(list(_DEFAULTS)), layers=st.sets(st.sampled_from(["flag", "environment", "profile"])))
def test_options_win_over_the_environment_that_over_the_profile_that_over_defaults(
    config: Path, name: str, layers: set[str]
) -> None:
    flags = {"config": str(config), "profile": "full" if "profile" in layers else "bare"}
    if "flag" in layers:
        flags[name] = _VALUES["flag"]
    environ = (
        {f"MANABACKUP_{name.upper().replace('-', '_')}": _VALUES["environment"]} if "environment" in layers else {}
    )
    expected = next((_VALUES[layer] for layer in _VALUES if layer in layers), _DEFAULTS[name])
    assert _resolved(resolve(flags, environ), name) == expected


def _written(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return {"config": str(path)}


def test_the_file_chooses_the_profile_and_option_and_environment_choose_over_it(tmp_path: Path) -> None:
    flags = _written(tmp_path, 'profile = "work"\n[profiles.work]\nemail = "w@example.org"\n')
    assert resolve(flags, {}).account.profile == "work"
    assert resolve(flags, {}).email == "w@example.org"
    assert resolve(flags, {"MANABACKUP_PROFILE": "home"}).account.profile == "home"
    assert resolve(flags | {"profile": "other"}, {"MANABACKUP_PROFILE": "home"}).account.profile == "other"


def test_paths_in_the_file_are_relative_to_it_and_those_of_options_are_not(tmp_path: Path) -> None:
    flags = _written(tmp_path, '[profiles.default]\nstate-dir = "state"\n')
    assert resolve(flags, {}).state_dir == tmp_path / "state"
    assert resolve(flags | {"state-dir": "state"}, {}).state_dir == Path("state")
    assert resolve(flags, {"MANABACKUP_STATE_DIR": "state"}).state_dir == Path("state")


def test_a_named_file_must_exist_and_the_platforms_own_need_not(tmp_path: Path, manabackup: CommandLine) -> None:
    with pytest.raises(NotFoundError, match=r"none\.toml does not exist"):
        resolve({"config": str(tmp_path / "none.toml")}, {})
    with pytest.raises(NotFoundError):
        resolve({}, {"MANABACKUP_CONFIG": str(tmp_path / "none.toml")})
    assert manabackup("status", "--config", "/no/such.toml").code == 10
    assert manabackup("logout").code == 0


def test_the_platforms_own_file_is_read(trial: CommandLine) -> None:
    folder = trial.home / ".config" / "manabackup"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[profiles.default]\nauth-url = "https://own.example"\n')
    assert trial("show-settings", "--json").record["authUrl"] == "https://own.example"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('auth-url = "https://x"', "auth-url: unknown key"),
        ('[profiles.work]\nauthurl = "https://x"', "profiles.work.authurl: unknown key"),
        ("[profiles.work]\nauth-url = 3", "profiles.work.auth-url: not a text"),
        ('[profiles.work]\nauth-url = ""', "profiles.work.auth-url: not a text"),
        ('[profiles.work]\njson = "yes"', "profiles.work.json: neither true nor false"),
        ("[profiles.work]\nverbose = true", "profiles.work.verbose: not from 0 to 3"),
        ("[profiles.work]\nverbose = 4", "profiles.work.verbose: not from 0 to 3"),
        ('profiles = "x"', "profiles: not a table"),
        ('[profiles]\nwork = "x"', "profiles.work: not a table"),
        ("profile = 3", "profile: not a text"),
        ('[profiles.work]\npassphrase = "hunter2"', "profiles.work.passphrase: a secret does not stand in this file"),
        ('[profiles."\\u001b[2J"]\nx = 1', r"profiles.\x1b[2J.x: unknown key"),
        ("[profiles]\nx =\n", "line 2"),
    ],
)
def test_what_makes_no_sense_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(_written(tmp_path, text), {})
    assert "config.toml" in raised.value.message
    assert named in raised.value.message
    assert "hunter2" not in raised.value.message


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a=" + b"[" * 50_000])
def test_a_file_that_is_no_toml_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        resolve({"config": str(path)}, {})


def test_a_folder_in_place_of_the_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        resolve({"config": str(tmp_path)}, {})


@pytest.mark.parametrize(
    ("text", "on"), [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False), ("", False)]
)
def test_switches_in_the_environment_are_on_or_off(text: str, on: bool) -> None:
    assert resolve({}, {"MANABACKUP_JSON": text, "HOME": "/"}).json is on


def test_a_switch_in_the_environment_that_is_neither_is_named() -> None:
    with pytest.raises(UsageError, match="MANABACKUP_QUIET"):
        resolve({}, {"MANABACKUP_QUIET": "perhaps"})


def test_the_environment_says_how_much_is_said() -> None:
    assert resolve({}, {"MANABACKUP_VERBOSE": "2"}).verbosity == 2
    assert resolve({"verbose": 1}, {"MANABACKUP_VERBOSE": "2"}).verbosity == 1
    assert resolve({"verbose": 1}, {"MANABACKUP_QUIET": "1"}).verbosity == 1
    assert resolve({"quiet": True}, {"MANABACKUP_VERBOSE": "2"}).verbosity == -1
    with pytest.raises(UsageError, match="MANABACKUP_VERBOSE"):
        resolve({}, {"MANABACKUP_VERBOSE": "-1"})


def test_the_public_credits_server_is_only_asked_about_accounts_of_the_public_service() -> None:
    assert resolve({}, {}).account.credits_url == "https://credits.mana.how"
    assert resolve({"auth-url": "http://127.0.0.1:1"}, {}).account.credits_url is None
    named = resolve({"auth-url": "http://127.0.0.1:1"}, {"MANABACKUP_CREDITS_URL": "http://127.0.0.1:2"})
    assert named.account.credits_url == "http://127.0.0.1:2"


def test_the_target_account_lives_where_the_other_one_does_unless_said_otherwise(tmp_path: Path) -> None:
    flags = _written(tmp_path, '[profiles.new]\nauth-url = "https://new.example"\n')
    same = resolve(flags | {"auth-url": "https://a.example"}, {}).target
    assert (same.auth_url, same.sync_url) == ("https://a.example", "https://sync.mana.how")
    other = resolve(flags | {"auth-url": "https://a.example", "to-profile": "new"}, {}).target
    assert (other.profile, other.auth_url) == ("new", "https://new.example")
    told = resolve(flags | {"to-profile": "new", "to-auth-url": "https://b.example"}, {}).target
    assert told.auth_url == "https://b.example"
    assert resolve(flags, {"MANABACKUP_TO_SYNC_URL": "https://c.example"}).target.sync_url == "https://c.example"


@pytest.mark.parametrize("arguments", [["--json", "show-settings"], ["show-settings", "--json"]])
def test_global_options_stand_before_or_after_the_command(trial: CommandLine, arguments: list[str]) -> None:
    assert trial(*arguments).record["json"] is True


def test_the_option_after_the_command_wins_and_every_v_counts(trial: CommandLine) -> None:
    record = trial("-v", "--auth-url", "https://a", "show-settings", "-v", "--auth-url", "https://b", "--json").record
    assert record["authUrl"] == "https://b"
    assert record["verbosity"] == 2


def test_a_byte_order_mark_before_the_file_is_passed_over(tmp_path: Path) -> None:
    flags = _written(tmp_path, '\ufeffprofile = "work"\n[profiles.work]\nemail = "w@example.org"\n')
    assert resolve(flags, {}).email == "w@example.org"


@pytest.mark.parametrize("command", ["status", "pull", "export -o x.mana", "info x.mana", "rekey x.mana -o y.mana"])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_profile_that_nobody_made_is_a_mistake_in_the_command_line(
    manabackup: CommandLine, tmp_path: Path, command: str, way: str
) -> None:
    config = _written(tmp_path, "[profiles.home]\n")["config"]
    named = ["--profile", "hoem"] if way == "option" else []
    env = {"MANABACKUP_PROFILE": "hoem", "MANABACKUP_TOKEN": "x"} if way == "environment" else {}
    done = manabackup("--config", config, *named, *command.split(), env=env)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: config.toml has no profile hoem\nhint: did you mean home?\n"


def test_a_profile_of_the_target_that_nobody_made_is_one_too(manabackup: CommandLine) -> None:
    done = manabackup("rekey", "x.mana", "-o", "y.mana", "--to-profile", "new")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: config.toml has no profile new\nhint: `manabackup --profile new login` makes one\n"


def test_a_sign_in_makes_a_profile(here: CommandLine, user: User) -> None:
    secret = {"MANABACKUP_PASSWORD": PASSWORD}
    assert here("--profile", "new", "login", "--email", user.email, env=secret).code == 0
    assert here("--profile", "new", "status").code == 0
    assert here("--profile", "new", "logout").code == 0
    assert here("--profile", "new", "status").code == 2


def test_seconds_of_waiting_come_from_every_layer(tmp_path: Path) -> None:
    flags = _written(tmp_path, "[profiles.default]\nwait = 3\n")
    assert resolve({}, {}).wait == 0
    assert resolve(flags, {}).wait == 3
    assert resolve(flags, {"MANABACKUP_WAIT": "2"}).wait == 2
    assert resolve(flags | {"wait": "1"}, {"MANABACKUP_WAIT": "2"}).wait == 1
    for wrong in ("soon", "-1", "1.5", "9" * 10):
        with pytest.raises(UsageError, match="not a number of seconds"):
            resolve({"wait": wrong}, {})
    with pytest.raises(UsageError, match="not a number of seconds"):
        resolve(_written(tmp_path, '[profiles.default]\nwait = "3"\n'), {})


@pytest.mark.parametrize("arguments", [["--wait"], ["--wait", "0"], ["--wait=0"]])
def test_the_option_to_wait_needs_no_number(trial: CommandLine, arguments: list[str]) -> None:
    assert trial(*arguments, "speak", "x").out == "result x\n"
    assert trial("speak", *arguments, "x").out == "result x\n"
    assert trial("speak", "x", *arguments).out == "result x\n"
    assert trial("speak", "--", "--wait").out == "result --wait\n"
