"""The state folder, the session store and the lock."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import cast

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from manabackup.errors import LockedError, OutputError, SignInError, UsageError
from manabackup.host import keyring_store
from manabackup.host.keyring_store import Keyring, platform_keyring
from manabackup.operations.account.state import SessionStore, StateFolder, default_root
from manabackup.remote.session import Session
from tests.support.patience import PATIENCE

SESSION = Session("https://auth.mana.how", "u1", "me@example.invalid", "mana.session_token=geheim.abc%3D")


class DrawerBackend:
    """A backend in memory. No subclass of the library's: it would offer itself to every other test."""

    priority = 5

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError

    def _check(self) -> None:
        if self.locked:
            raise KeyringLocked("no")


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path / "deep" / "state")


@pytest.fixture
def store(folder: StateFolder) -> SessionStore:
    return folder.sessions(keyring=lambda: None)


@pytest.fixture
def drawer() -> DrawerBackend:
    return DrawerBackend()


@pytest.fixture
def drawer_store(folder: StateFolder, drawer: DrawerBackend) -> SessionStore:
    return folder.sessions(keyring=lambda: Keyring(cast("KeyringBackend", drawer)))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_a_keyring_the_session_comes_back_from_a_file_of_its_owner_only(
    folder: StateFolder, store: SessionStore
) -> None:
    store.save(SESSION)
    assert store.load() == SESSION
    assert mode(store.path) == 0o600
    assert mode(folder.root) == mode(store.path.parent) == mode(folder.root / "profiles") == 0o700


def test_with_a_keyring_the_cookie_is_not_in_the_file(drawer_store: SessionStore, drawer: DrawerBackend) -> None:
    drawer_store.save(SESSION)
    assert drawer_store.load() == SESSION
    assert b"geheim" not in drawer_store.path.read_bytes()
    assert list(drawer.kept.values()) == [SESSION.cookie]


def test_a_keyring_that_does_not_take_the_cookie_is_replaced_by_the_file(
    drawer_store: SessionStore, drawer: DrawerBackend
) -> None:
    drawer.locked = True
    drawer_store.save(SESSION)
    assert drawer_store.load() == SESSION


def test_a_keyring_that_is_locked_or_gone_later_is_told(
    folder: StateFolder, drawer_store: SessionStore, drawer: DrawerBackend
) -> None:
    drawer_store.save(SESSION)
    drawer.locked = True
    with pytest.raises(SignInError, match="keyring"):
        drawer_store.load()
    with pytest.raises(SignInError, match="keyring"):
        folder.sessions(keyring=lambda: None).load()


def test_nobody_is_signed_in_at_first_and_after_forgetting(drawer_store: SessionStore, drawer: DrawerBackend) -> None:
    assert drawer_store.load() is None
    drawer_store.delete()
    drawer_store.save(SESSION)
    drawer_store.delete()
    assert drawer_store.load() is None
    assert drawer.kept == {}


def test_a_file_with_the_cookie_is_forgotten_too(store: SessionStore) -> None:
    store.save(SESSION)
    store.delete()
    store.delete()
    assert store.load() is None


def test_profiles_do_not_see_each_others_sessions(folder: StateFolder, drawer: DrawerBackend) -> None:
    first, second = (
        folder.sessions(name, keyring=lambda: Keyring(cast("KeyringBackend", drawer))) for name in ("one", "two")
    )
    first.save(SESSION)
    assert second.load() is None
    second.delete()
    assert first.load() == SESSION


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "ä", "a" * 65, "a\n", "\x1b[31m"])
def test_a_profile_is_never_a_path(folder: StateFolder, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        folder.sessions(name)
    assert caught.value.message.isprintable()
    assert not folder.root.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version":2}',
        b'{"version":1,"authUrl":"https://a","userId":"","email":"e","cookie":"geheim"}',
        b'{"version":1,"authUrl":"https://a","userId":"u","email":"e","cookie":["geheim"]}',
        b'{"version":1,"authUrl":7,"userId":"u","email":"e","cookie":"geheim"}',
    ],
)
def test_a_damaged_session_file_asks_for_a_new_sign_in_and_quotes_nothing(store: SessionStore, text: bytes) -> None:
    store.path.parent.mkdir(parents=True)
    store.path.write_bytes(text)
    with pytest.raises(SignInError, match="is damaged") as caught:
        store.load()
    assert "geheim" not in str(caught.value)


def test_a_session_never_shows_its_cookie() -> None:
    assert "geheim" not in repr(SESSION)


def test_a_state_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Not a directory"):
        StateFolder(tmp_path / "file" / "state").lock()


def test_each_server_and_user_has_a_mirror_of_its_own_and_no_name_leaves_the_folder(folder: StateFolder) -> None:
    users = ["u1", "u2", "../../x", "a/b", "\0", "\ud800", "x" * 10_000]
    servers = ["https://a", "https://b"]
    paths = {folder.mirror_path(server, user) for server in servers for user in users}
    assert len(paths) == len(users) * len(servers)
    assert {path.parent for path in paths} == {folder.root / "mirrors"}
    assert folder.mirror_path("https://a/", "u1") == folder.mirror_path("https://a", "u1")


def test_L3_a_locked_folder_stops_a_second_run_at_once(folder: StateFolder) -> None:
    with folder.lock():
        with pytest.raises(LockedError, match=r"another run \(process \d+\) works with"), folder.lock():
            pytest.fail("two runs")
        assert mode(folder.root / "lock") == 0o600
    with folder.lock():
        pass


def test_L3_a_lock_ends_with_its_process(folder: StateFolder) -> None:
    code = (
        "import sys, os; from pathlib import Path; from manabackup.operations.account.state import StateFolder\n"
        "StateFolder(Path(sys.argv[1])).lock().__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(LockedError, match=f"process {other.pid}"), folder.lock():
            pytest.fail("two runs")
        other.kill()
    with folder.lock():
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_L3_a_file_system_without_locks_keeps_no_state(
    folder: StateFolder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OutputError, match=f"file system of {folder.root} has no locks") as caught, folder.lock():
        pytest.fail("two runs might")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("--state-dir ")


def test_L3_a_run_that_may_wait_begins_when_the_other_one_ends(folder: StateFolder) -> None:
    held, told = folder.lock(), threading.Event()
    said: list[str] = []

    def waiting(other: str) -> None:
        said.append(other)
        told.set()

    def end_the_other() -> None:
        assert told.wait(PATIENCE)
        held.__exit__(None, None, None)

    held.__enter__()
    other = threading.Thread(target=end_the_other)
    other.start()
    with StateFolder(folder.root, wait=600, waiting=waiting).lock():
        other.join()
    assert said == [f"another run (process {os.getpid()}) works with {folder.root}"]


def test_L3_a_run_that_has_waited_long_enough_stops(folder: StateFolder) -> None:
    said: list[str] = []
    with folder.lock():
        with pytest.raises(LockedError) as caught, StateFolder(folder.root, wait=0.01, waiting=said.append).lock():
            pytest.fail("two runs")
        assert caught.value.message == said[0]
        with pytest.raises(LockedError) as caught, folder.lock():
            pytest.fail("two runs")
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("--wait ")


def test_a_session_is_known_of_without_making_a_folder(folder: StateFolder) -> None:
    assert not folder.has_session("home")
    assert not folder.has_session("../home")
    assert not folder.root.exists()
    folder.sessions("home", keyring=lambda: None).save(SESSION)
    assert folder.has_session("home")
    assert not folder.has_session("hoem")


def test_the_platforms_folder_is_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path in default_root().parents
    assert default_root().name == "manabackup"


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_a_keyring_that_keeps_nothing_is_none(monkeypatch: pytest.MonkeyPatch, backend: type[KeyringBackend]) -> None:
    import keyring

    monkeypatch.setattr(keyring.core, "_keyring_backend", backend())
    assert platform_keyring() is None


def test_a_keyring_that_the_library_recommends_is_used(
    monkeypatch: pytest.MonkeyPatch, drawer: DrawerBackend, folder: StateFolder
) -> None:
    import keyring

    monkeypatch.setattr(keyring.core, "_keyring_backend", drawer)
    folder.sessions().save(SESSION)
    assert list(drawer.kept.values()) == [SESSION.cookie]


def test_the_tool_works_without_the_keyring_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert keyring_store.platform_keyring() is None
