"""The sync client's two questions, and which answers it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from manabackup import jsontext
from manabackup.errors import ServerError, SignInError, SubscriptionError
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import FailingPageError, SyncClient
from manabackup.remote.transport import Transport

from .scripted_server import ScriptedServer, answer, jwt

SINCE = "2026-01-01T00:00:00.000001Z"
EMPTY = b'{"serverChanges":[],"conflicts":[],"syncedUntil":"2026-03-01T00:00:00.5Z"}\n'


@pytest.fixture
def client(server: ScriptedServer, connect: Callable[..., Transport]) -> Iterator[SyncClient]:
    return SyncClient(connect(server.url, attempts=2), StaticToken(jwt()), "reader")


def test_a_page_is_asked_for_under_the_clients_id_with_everything_escaped(
    server: ScriptedServer, client: SyncClient
) -> None:
    server.answers(answer(EMPTY))
    page = client.pull("a/b?", "c&since=1", SINCE)
    (request,) = server.requests
    assert request.method == "GET"
    assert request.target == "/sync/a%2Fb%3F/pull?collection=c%26since%3D1&since=2026-01-01T00%3A00%3A00.000001Z"
    assert request.headers["x-client-id"] == "reader"
    assert request.headers["authorization"] == f"Bearer {jwt()}"
    assert (page.changes, page.synced_until, page.has_more) == ([], "2026-03-01T00:00:00.5Z", False)
    assert page.until == 1_772_323_200_500_000


def test_an_app_is_read_by_a_push_of_nothing(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(EMPTY))
    client.read_app("todo", SINCE)
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/sync/todo")
    assert jsontext.parse(request.body) == {"clientId": "reader", "since": SINCE, "schemaVersion": 1, "changes": []}


@pytest.mark.parametrize(("app", "path"), [(".", "%2E"), ("..", "%2E%2E"), ("ä\ud800", "%C3%A4%ED%A0%80")])
def test_no_apps_name_leads_to_another_path(server: ScriptedServer, client: SyncClient, app: str, path: str) -> None:
    server.answers(answer(EMPTY))
    client.read_app(app, SINCE)
    assert server.requests[0].target == f"/sync/{path}"


def test_a_page_that_ends_before_the_collection_says_so(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(b'{"serverChanges":[1.50,"\\ud800"],"syncedUntil":"2026-03-01T00:00:00Z","hasMore":true}'))
    page = client.pull("todo", "tasks", SINCE)
    assert page.has_more
    assert jsontext.dumps(page.changes) == b'[1.5,"\\ud800"]'


_NUMBERS = ("1", "-0", "1.5", "1e400", "1" * 30, "0.10", "1e16")
_ODD = [
    *(
        f'{{"eventId":"e","table":"tasks","id":"a","fields":{{"n":{{"at":"","value":{number}}}}}}}'
        for number in _NUMBERS
    ),
    '{"eventId":"0123456789abcdef0123456789abcdef","schemaVersion":1,"table":"tasks","id":"a"}',
    '{"eventId":"6b1d188b-9f23-457f-80bf-8fa184d9a026","id":"\\ud800","table":7,"z":"<\\u003c"}',
    '{"eventId":"6B1D188B-9F23-457F-80BF-8FA184D9A026","a":[{},{"eventId":"x"}]}',
    '{"eventId":"x","id":"a","eventId":"y","data":{"text":"},{\\"eventId\\":\\"z"}}',
    '{"eventId":null,"id":null}',
]


@pytest.mark.parametrize("end", ["", ',"hasMore":true', ',"hasMore":false'])
@pytest.mark.parametrize("changes", [[], *([odd] for odd in _ODD), _ODD, ['{"id":"no event"}', *_ODD], [*_ODD, "7"]])
def test_changes_are_the_same_in_whatever_spelling_they_come(
    server: ScriptedServer, client: SyncClient, changes: list[str], end: str
) -> None:
    text = f'{{"serverChanges":[{",".join(changes)}],"conflicts":[],"syncedUntil":"2026-03-01T00:00:00Z"{end}}}'
    spaced = text.replace('"conflicts":', ' "conflicts" : ')
    server.answers(answer(text.encode() + b"\n"), answer(spaced.encode()))
    assert client.pull("todo", "tasks", SINCE) == client.read_app("todo", SINCE)


def test_a_question_that_keeps_failing_is_told_apart_from_other_errors(
    server: ScriptedServer, client: SyncClient
) -> None:
    server.answers(answer(b"internal error", 500), answer(b"internal error", 500))
    with pytest.raises(FailingPageError, match=r"todo/tasks.*500 internal error"):
        client.pull("todo", "tasks", SINCE)
    assert len(server.requests) == 2
    server.answers(answer(b"no", 400))
    with pytest.raises(ServerError) as raised:
        client.pull("todo", "tasks", SINCE)
    assert not isinstance(raised.value, FailingPageError)


def test_attempts_may_be_fewer(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(b"internal error", 500))
    with pytest.raises(FailingPageError):
        client.read_app("todo", SINCE, attempts=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(402, SubscriptionError), (403, SignInError), (401, SignInError), (302, ServerError)]
)
def test_refusals_have_errors_of_their_own(
    server: ScriptedServer, client: SyncClient, status: int, error: type[Exception]
) -> None:
    server.otherwise = answer(b"words", status)
    with pytest.raises(error):
        client.pull("todo", "tasks", SINCE)


def test_a_closed_client_asks_nothing_more(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(EMPTY))
    client.pull("todo", "tasks", SINCE)
    client.close()
    with pytest.raises(ServerError):
        client.pull("todo", "tasks", SINCE)
    assert len(server.requests) == 1


def test_S9_a_question_that_arrived_too_slowly_is_asked_again(server: ScriptedServer, client: SyncClient) -> None:
    slow = answer(b"invalid JSON: read tcp 127.0.0.1:3050->127.0.0.1:4: i/o timeout\n", 400)
    server.answers(slow, answer(EMPTY))
    assert client.read_app("todo", SINCE).changes == []
    server.answers(slow, slow)
    with pytest.raises(ServerError, match="i/o timeout"):
        client.read_app("todo", SINCE)
    assert len(server.requests) == 4
