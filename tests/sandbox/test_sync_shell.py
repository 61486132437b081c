"""The Sandbox as a whole: starting, stopping, its switches, and both servers behind one port."""

from __future__ import annotations

import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.answers import ASGIApp, Receive, Scope, Send
from tests.support.patience import PATIENCE

from .sync_recordings import register
from .test_sync_findings import EPOCH, client, pull, push

ROW = '{"table":"t","id":"%s","op":"insert","data":{"a":1}}'


def test_sandboxes_side_by_side_are_worlds_of_their_own_and_leave_nothing_behind() -> None:
    before = threading.active_count()
    with Sandbox() as one, Sandbox() as other, client(one) as http:
        assert one.url != other.url
        assert one.url == one.auth_url == one.sync_url
        assert push(http, "app", ROW % "1").status_code == 200
        assert httpx2.get(f"{other.url}/sync/app/pull", headers=http.headers, trust_env=False).status_code == 401
        assert (one.log.count(), other.log.count()) == (1, 0)
    assert threading.active_count() == before
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{one.url}/health", trust_env=False)


def test_a_port_that_is_taken_is_an_error_at_once() -> None:
    with Sandbox() as one, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(one.url.rpartition(":")[2]))


def test_closing_does_not_wait_for_idle_connections() -> None:
    with Sandbox() as box:
        idle = socket.create_connection(("127.0.0.1", int(box.url.rpartition(":")[2])), timeout=PATIENCE)
        idle.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(5) == b"HTTP/"
    with idle:
        while idle.recv(1_000):
            pass


def test_a_folder_keeps_accounts_and_changes_and_is_the_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    with Sandbox(folder=folder) as box, client(box, client_id="writer") as http:
        register(box, "alice")
        push(http, "app", ROW % "kept")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with Sandbox(folder=folder) as box, client(box) as http:
        assert [change["id"] for change in pull(http, "app", "t")["serverChanges"]] == ["kept"]
        assert box.accounts.user("alice") is not None


def test_both_servers_answer_on_one_port_and_bootstrap_rows_reach_the_log() -> None:
    with Sandbox() as box, client(box) as http:
        register(box, "alice")
        assert http.get("/api/auth/jwks").json()["keys"][0]["kty"] == "OKP"
        assert http.get("/health").json()["service"] == "mana-sync"
        (row,) = pull(http, "profile", "userContext")["serverChanges"]
        assert (row["id"], row["actor"]["principalId"]) == ("singleton", "system:bootstrap")
        assert http.get("/api/v1/me/encryption-vault/status").json()["vaultExists"] is False


def test_the_clock_can_be_held() -> None:
    now = 1_700_000_000_120_000_000
    with Sandbox(clock=lambda: now) as box, client(box) as http:
        assert pull(http, "app", "t")["syncedUntil"] == "2023-11-14T22:13:20.12Z"
        cursor = [pull(http, "app", "t")["syncedUntil"] for _ in range(2)]
        assert cursor[0] == cursor[1]
        push(http, "app", ROW % "1")
        changes = client(box, client_id="other")
        with changes:
            assert len(pull(changes, "app", "t", "2023-11-14T22:13:20.119999Z")["serverChanges"]) == 1


def test_middleware_sees_every_request_the_first_one_first() -> None:
    seen: list[str] = []

    def named(name: str) -> Any:
        def wrap(application: ASGIApp) -> ASGIApp:
            async def answer(scope: Scope, receive: Receive, send: Send) -> None:
                seen.append(name)
                if name == "inner" and scope["path"] == "/sync/broken":
                    await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
                    await send({"type": "http.response.body", "body": b""})
                    return
                await application(scope, receive, send)

            return answer

        return wrap

    with Sandbox(middleware=[named("outer"), named("inner")]) as box, client(box) as http:
        assert push(http, "broken", "").status_code == 503
        assert http.get("/api/auth/jwks").status_code == 200
    assert seen == ["outer", "inner"] * 2


def test_an_inactive_subscription_refuses_reading_too_until_it_is_active_again() -> None:
    with Sandbox() as box, client(box) as http:
        register(box, "alice")
        box.accounts.set_subscription("alice", active=False)
        refused = http.get("/sync/app/pull", params={"collection": "t", "since": EPOCH})
        assert (refused.status_code, refused.json()["error"]) == (402, "sync_inactive")
        assert http.get("/sync/app/stream").status_code == 402
        box.accounts.set_subscription("alice", active=True)
        assert pull(http, "app", "t")["serverChanges"] == []


def test_without_its_key_set_the_server_refuses_good_tokens() -> None:
    with Sandbox() as box, client(box) as http:
        box.accounts.jwks_outage = True
        refused = http.get("/sync/app/pull", params={"collection": "t", "since": EPOCH})
        assert refused.status_code == 401
        assert refused.text.startswith(f"unauthorized: fetch JWKS: fetch JWKS from {box.url}/api/auth/jwks: ")
        box.accounts.jwks_outage = False
        assert pull(http, "app", "t")["serverChanges"] == []


def test_memberships_are_remembered_for_five_minutes() -> None:
    now = [1_700_000_000_000_000_000]
    with Sandbox(clock=lambda: now[0]) as box, client(box, "bob") as http:
        register(box, "alice", "team")
        box.log.append("alice", "w", "sp", {"table": "t", "id": "1", "op": "insert", "spaceId": "team"})
        assert pull(http, "sp", "t")["serverChanges"] == []
        register(box, "bob", "team")
        now[0] += 299 * 10**9
        assert pull(http, "sp", "t")["serverChanges"] == []
        now[0] += 2 * 10**9
        assert len(pull(http, "sp", "t")["serverChanges"]) == 1
        box.accounts.remove_member("team", "bob")
        assert len(pull(http, "sp", "t")["serverChanges"]) == 1
        box.forget_memberships()
        assert pull(http, "sp", "t")["serverChanges"] == []


def test_a_poisoned_row_fails_every_answer_that_it_falls_into() -> None:
    with Sandbox() as box, client(box) as http:
        for at in (1, 3):
            box.log.append("alice", "w", "app", {"table": "t", "id": f"{at}", "op": "insert"}, created_at_us=at * 10**6)
        event = box.log.append("alice", "w", "app", {"table": "t", "id": "2", "op": "insert"}, created_at_us=2 * 10**6)
        box.log.poison(event)
        for since, status in ((EPOCH, 500), ("1970-01-01T00:00:01Z", 500), ("1970-01-01T00:00:02Z", 200)):
            assert http.get("/sync/app/pull", params={"collection": "t", "since": since}).status_code == status
            assert push(http, "app", "", since).status_code == status


def test_a_crashed_handler_takes_its_connection_and_not_the_server() -> None:
    with Sandbox() as box, client(box) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            push(http, "app", ROW % "kept" + ',{"table":"t","id":"2","op":"update","fields":{"a":null}}')
        with client(box, client_id="other") as other:
            assert [change["id"] for change in pull(other, "app", "t")["serverChanges"]] == ["kept"]


def test_many_devices_push_and_pull_at_once_and_nothing_is_lost() -> None:
    with Sandbox() as box:

        def device(number: int) -> int:
            with client(box, client_id=f"device-{number}") as http:
                for row in range(10):
                    assert push(http, "app", ROW % f"{number}-{row}").status_code == 200
                return len(pull(http, "app", "t")["serverChanges"])

        with ThreadPoolExecutor(8) as pool:
            assert all(0 <= seen <= 70 for seen in pool.map(device, range(8)))
        with client(box, client_id="reader") as http:
            assert len({change["id"] for change in pull(http, "app", "t")["serverChanges"]}) == 80
