"""What was measured on the real sync server one question at a time, after the recordings were made."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest

from manabackup.sandbox import Sandbox

from .test_sync_findings import client, pull, push
from .test_sync_streams import opened

NUL = r"\u0000"
TEXT_REFUSED = 'failed to record change: ERROR: invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021)\n'
JSON_REFUSED = "failed to record change: ERROR: unsupported Unicode escape sequence (SQLSTATE 22P05)\n"
BROWSER = {"Origin": "http://localhost:5173"}
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def app() -> str:
    """An app of its own for each test."""
    return uuid4().hex


# --- changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["insert", "delete"])
def test_a_field_that_is_null_does_no_harm_where_fields_are_not_kept(server: Sandbox, app: str, op: str) -> None:
    change = f'{{"table":"t","id":"1","op":"{op}","fields":{{"a":null,"b":{{"value":1,"at":"x"}}}}}}'
    with client(server) as http, client(server, client_id="writer") as writer:
        assert push(writer, app, change).status_code == 200
        (got,) = pull(http, app, "t")["serverChanges"]
        assert got | {"eventId": ""} == {"eventId": "", "schemaVersion": 1, "table": "t", "id": "1", "op": op}


def test_a_field_of_an_update_that_is_null_still_takes_the_connection(server: Sandbox, app: str) -> None:
    change = '{"table":"t","id":"1","op":"update","fields":{"b":{"value":1,"at":"x"},"a":null}}'
    with client(server) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            push(http, app, change)
        assert server.log.count(app) == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('"data":{"deletedAt":"2026-01-01T00:00:00.5+02:00"}', "2026-01-01T00:00:00.5+02:00"),
        ('"data":{"deletedAt":"long ago","a":1}', "long ago"),
        ('"data":{"deletedAt":"in data"},"deletedAt":"beside it"', "beside it"),
        ('"data":{"deletedAt":7}', None),
        ('"data":{"a":1}', None),
    ],
)
def test_a_delete_keeps_the_time_in_its_data(server: Sandbox, app: str, sent: str, kept: str | None) -> None:
    with client(server) as http, client(server, client_id="writer") as writer:
        assert push(writer, app, f'{{"table":"t","id":"1","op":"delete",{sent}}}').status_code == 200
        (got,) = pull(http, app, "t")["serverChanges"]
        assert got.get("deletedAt") == kept
        assert "data" not in got


@pytest.mark.parametrize(
    ("path", "change", "answer"),
    [
        # The columns in their order: app, table, id, data and fields, client id, actor, origin, space.
        ("app%00", f'"id":"1","op":"insert","data":{{"a":"{NUL}"}}', TEXT_REFUSED),
        ("app", f'"id":"{NUL}","op":"insert","data":{{"a":"{NUL}"}}', TEXT_REFUSED),
        ("app", f'"id":"{NUL}","op":"insert","actor":{{"a":"{NUL}"}}', TEXT_REFUSED),
        ("app", f'"id":"1","op":"insert","data":{{"a":"{NUL}"}},"origin":"{NUL}"', JSON_REFUSED),
        ("app", f'"id":"1","op":"update","fields":{{"a":{{"at":"{NUL}"}}}},"spaceId":"{NUL}"', JSON_REFUSED),
        ("app", f'"id":"1","op":"insert","actor":{{"a":"{NUL}"}},"origin":"{NUL}"', JSON_REFUSED),
        ("app", f'"id":"1","op":"delete","deletedAt":"{NUL}","spaceId":"{NUL}"', JSON_REFUSED),
        ("app", f'"id":"1","op":"insert","origin":"{NUL}"', TEXT_REFUSED),
    ],
)
def test_of_two_nuls_the_first_column_is_told_of(server: Sandbox, path: str, change: str, answer: str) -> None:
    with client(server) as http:
        refused = push(http, path, f'{{"table":"t",{change}}}')
        assert (refused.status_code, refused.text) == (500, answer)


@pytest.mark.parametrize(
    ("change", "answer"), [('"data":{"a":1}', TEXT_REFUSED), (f'"data":{{"a":"{NUL}"}}', JSON_REFUSED)]
)
def test_a_nul_in_the_client_id_is_told_of_after_one_in_the_data_and_before_one_in_the_actor(
    server: Sandbox, change: str, answer: str
) -> None:
    with client(server, client_id="") as http:
        body = f'{{"table":"t","id":"1","op":"insert",{change},"actor":"{NUL}"}}'
        refused = http.post("/sync/app", content=f'{{"clientId":"{NUL}","changes":[{body}]}}'.encode())
        assert (refused.status_code, refused.text) == (500, answer)


# --- heads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("byte", [b"\x7f", b"\x01", b"\x1b", b"\x1f"])
@pytest.mark.parametrize("header", [b"X-Client-Id", b"X-Unknown"])
def test_a_control_character_in_a_header_is_refused_and_the_connection_closed(
    server: Sandbox, header: bytes, byte: bytes
) -> None:
    body = header + b": a" + byte + b"b\r\n\r\n"
    with opened(server, "GET /sync/app/pull?collection=t&since=x", body=body) as stream:
        head, _, text = stream.rest().lower().partition(b"\r\n\r\n")
    assert head.startswith(b"http/1.1 400 ")
    assert b"\r\nconnection: close" in head
    assert b"access-control" not in head
    assert text == b"400 bad request: invalid header value"


@pytest.mark.parametrize("byte", [b"\t", b"\x80", b"\xff", b"~"])
def test_other_bytes_in_a_header_are_taken(server: Sandbox, byte: bytes) -> None:
    head = b"X: a" + byte + b"b\r\nConnection: close\r\n\r\n"
    with opened(server, "GET /health", body=head) as stream:
        assert stream.rest().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "DELETE"},
        {"method": "PUT"},
        {"method": "POST", "headers": "authorization,x-unknown"},
        {"method": "GET", "headers": "x-service-key"},
        {"method": "POST", "origin": "https://evil.invalid"},
    ],
)
def test_a_preflight_for_what_is_not_allowed_is_answered_without_a_grant(
    server: Sandbox, asked: dict[str, str]
) -> None:
    assert _preflight(server, **asked) == (204, {"vary"})


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", ["", "authorization,content-type,x-client-id", "Authorization, X-Client-Id"])
def test_a_preflight_for_what_the_web_app_sends_is_granted(server: Sandbox, method: str, headers: str) -> None:
    grants = {"credentials", "methods", "origin", *(["headers"] if headers else [])}
    assert _preflight(server, method=method, headers=headers) == (
        204,
        {"vary", *(f"access-control-allow-{name}" for name in grants)},
    )


def _preflight(
    server: Sandbox, method: str, headers: str = "", origin: str = BROWSER["Origin"]
) -> tuple[int, set[str]]:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    answer = httpx2.options(f"{server.url}/sync/app", headers=asked, trust_env=False)
    return answer.status_code, set(answer.headers) - {"date"}


@pytest.mark.parametrize(
    ("method", "path", "status", "granted"),
    [
        ("GET", "/health", 200, True),
        ("GET", "/sync/app/pull", 401, True),
        ("GET", "/nowhere", 404, False),
        ("PUT", "/sync/app", 405, False),
        ("GET", "/sync/app", 405, False),
        ("HEAD", "/sync/app/pull", 405, False),
    ],
)
def test_no_origin_is_granted_where_nothing_is(
    server: Sandbox, method: str, path: str, status: int, granted: bool
) -> None:
    answer = httpx2.request(method, server.url + path, headers=BROWSER, trust_env=False)
    assert answer.status_code == status
    assert answer.headers["vary"] == "Origin"
    assert any(name.startswith("access-control-") for name in answer.headers) is granted


# --- web sockets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ws", "/ws/todo"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_a_web_socket_wants_an_upgrade_whatever_the_method(server: Sandbox, method: str, path: str) -> None:
    answer = httpx2.request(method, server.url + path, headers={"Connection": "keep-alive"}, trust_env=False)
    assert answer.status_code == 426
    assert answer.text == 'WebSocket protocol violation: Connection header "keep-alive" does not contain Upgrade\n'
    assert (answer.headers["connection"], answer.headers["upgrade"]) == ("Upgrade", "websocket")
    assert "allow" not in answer.headers


def test_an_upgrade_to_something_else_is_refused_likewise(server: Sandbox) -> None:
    with opened(server, "GET /ws", body=UPGRADE.replace(b"websocket", b"h2c")) as stream:
        head = stream.head_of_answer()
    assert head.startswith("HTTP/1.1 426 ")
    assert "\r\nupgrade: websocket\r\n" in head.lower()


def test_a_handshake_by_another_method_is_refused(server: Sandbox) -> None:
    with opened(server, "POST /ws", body=UPGRADE) as stream:
        assert stream.head_of_answer().startswith("HTTP/1.1 405 ")
