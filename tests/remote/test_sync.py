"""The sync client's two questions, and which answers it takes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from manabackup.errors import OutputError, ServerError, SignInError, SubscriptionError
from manabackup.model.rawchange import prepare
from manabackup.remote.answers import MalformedAnswerError, UnwieldyAnswerError
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import FailingPageError, Page, Part, SyncClient
from manabackup.remote.transport import Transport
from manabackup.text import jsontext

from .scripted_server import ScriptedServer, answer, jwt

SINCE = "2026-01-01T00:00:00.000001Z"
EMPTY = b'{"serverChanges":[],"conflicts":[],"syncedUntil":"2026-03-01T00:00:00.5Z"}\n'


@pytest.fixture
def client(server: ScriptedServer, connect: Callable[..., Transport]) -> SyncClient:
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


def test_a_tentative_question_takes_a_failure_for_an_answer(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(b"internal error", 500))
    with pytest.raises(FailingPageError):
        client.read_app("todo", SINCE, tentative=True)
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


# --- large answers ---


def row(number: int, size: int) -> bytes:
    return b'{"eventId":"e%d","table":"tasks","id":"r%d","op":"insert","data":{"text":"%b"}}' % (
        number,
        number,
        b"\\u003cxxxxxxxxxxxx" * (size // 18),
    )


def page_of(*rows: bytes, more: bytes = b',"hasMore":true') -> bytes:
    return b'{"serverChanges":[%b],"conflicts":[],"syncedUntil":"2026-03-01T00:00:00Z"%b}' % (b",".join(rows), more)


LARGE = [row(number, 300_000) for number in range(10)]


def test_a_large_page_is_handed_over_in_parts_and_what_is_left_is_in_it(
    server: ScriptedServer, client: SyncClient
) -> None:
    server.answers(answer(page_of(*LARGE)), answer(page_of(*LARGE)))
    parts: list[Part] = []
    page = client.pull("todo", "tasks", SINCE, take=parts.append)
    whole = client.pull("todo", "tasks", SINCE)
    assert len(parts) > 2
    assert [part.first for part in parts] == [sum(len(one.raw) for one in parts[:at]) for at in range(len(parts))]
    assert [change for part in parts for change in part.raw] + page.raw == whole.raw
    assert page.keys == whole.keys == [change.key for change in prepare(map(jsontext.parse, LARGE))]
    assert (page.has_more, page.synced_until) == (True, "2026-03-01T00:00:00Z")


def test_a_small_page_is_not_handed_over(server: ScriptedServer, client: SyncClient) -> None:
    server.answers(answer(page_of(row(1, 60))))
    parts: list[Part] = []
    assert len(client.pull("todo", "tasks", SINCE, take=parts.append).raw) == 1
    assert parts == []


def test_a_large_page_that_breaks_off_begins_anew(server: ScriptedServer, client: SyncClient) -> None:
    whole = answer(page_of(*LARGE))

    def break_off(connection: socket.socket) -> bool:
        connection.sendall(whole[:-100_000])
        return False

    server.answers(break_off, whole)
    parts: list[Part] = []
    page = client.pull("todo", "tasks", SINCE, take=parts.append)
    begins = [at for at, part in enumerate(parts) if not part.first]
    assert len(begins) == 2
    assert len(page.keys) == len(LARGE)
    assert [key for part in parts[begins[1] :] for key in part.keys] == page.handed_over


@pytest.mark.parametrize("times", [1, 2])
def test_a_change_that_is_too_large_is_named_and_the_others_come(
    server: ScriptedServer, connect: Callable[..., Transport], times: int
) -> None:
    client = SyncClient(connect(server.url, change_bytes=1_000_000), StaticToken(jwt()), "reader")
    server.answers(answer(page_of(row(0, 60), row(1, 3_000_000), row(2, 600_000), *[row(3, 3_000_000)] * (times - 1))))
    parts: list[Part] = []
    page = client.pull("todo", "tasks", SINCE, take=parts.append)
    every: list[Part | Page] = [*parts, page]
    passed_over = [one for part in every for one in part.unreadable]
    assert [(one.id, one.collection) for one in passed_over] == [("r1", "tasks"), ("r3", "tasks")][:times]
    assert [change.id for part in every for change in part.raw] == ["r0", "r2"]
    assert len(set(page.keys)) == 2 + times


def test_of_large_changes_one_is_held_at_a_time(server: ScriptedServer, connect: Callable[..., Transport]) -> None:
    client = SyncClient(connect(server.url), StaticToken(jwt()), "reader")
    server.otherwise = answer(page_of(*[row(number, 2_000_000) for number in range(4)]))
    held, most = [0], [0]
    lock = threading.Lock()

    def take(part: Part) -> None:
        with lock:
            held[0] += len(part.raw)
            most[0] = max(most[0], held[0])
        with lock:
            held[0] -= len(part.raw)

    with ThreadPoolExecutor(4) as threads:
        pages = list(threads.map(lambda _: client.pull("todo", "tasks", SINCE, take=take), range(4)))
    assert [len(page.keys) for page in pages] == [4] * 4
    assert most == [1]


def test_whoever_fails_to_take_a_large_change_leaves_its_place(server: ScriptedServer, client: SyncClient) -> None:
    server.otherwise = answer(page_of(row(1, 3_000_000)))

    def fail(_: Part) -> None:
        raise OutputError("full")

    for _ in range(2):
        with pytest.raises(OutputError):
            client.pull("todo", "tasks", SINCE, take=fail)


def test_S1_a_page_of_endlessly_many_changes_is_stopped(
    server: ScriptedServer, connect: Callable[..., Transport]
) -> None:
    client = SyncClient(connect(server.url, stream_changes=100), StaticToken(jwt()), "reader")
    server.answers(answer(page_of(*[row(number, 60_000) for number in range(101)])))
    with pytest.raises(UnwieldyAnswerError, match="more than 100 changes"):
        client.pull("todo", "tasks", SINCE, take=lambda part: None)


def test_without_anybody_to_take_parts_a_page_has_its_limit(
    server: ScriptedServer, connect: Callable[..., Transport]
) -> None:
    client = SyncClient(connect(server.url, answer_bytes=2_500_000), StaticToken(jwt()), "reader")
    server.otherwise = answer(page_of(*[b'{"eventId":"%d","t":"%b"}' % (n, b"x" * 300_000) for n in range(10)]))
    with pytest.raises(UnwieldyAnswerError, match="larger than"):
        client.read_app("todo", SINCE)
    assert len(client.read_app("todo", SINCE, take=lambda part: None).keys) == 10


def test_without_anybody_to_take_parts_no_change_is_passed_over(
    server: ScriptedServer, connect: Callable[..., Transport]
) -> None:
    client = SyncClient(connect(server.url, change_bytes=1_000_000), StaticToken(jwt()), "reader")
    server.answers(answer(page_of(row(1, 3_000_000), row(2, 60))))
    with pytest.raises(UnwieldyAnswerError):
        client.read_app("todo", SINCE)


@pytest.mark.parametrize("end", [b"", b"]", b"]}}", b",{]}", b',{"a":1x}]}', b'],"syncedUntil":"x"}', b"]}"])
def test_S1_a_large_page_that_is_none_is_an_error_that_names_the_place(
    server: ScriptedServer, client: SyncClient, end: bytes
) -> None:
    server.answers(answer(b'{"serverChanges":[' + b",".join(LARGE) + end))
    with pytest.raises(MalformedAnswerError, match="todo/tasks"):
        client.pull("todo", "tasks", SINCE, take=lambda part: None)


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
