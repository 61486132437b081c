"""Recorded exchanges with the real account service, and what is needed to play them again.

Recorded on 2026-11-20 from the running service. Secrets were replaced by numbered placeholders such as
``<session-token#2 32 chars [A-Za-z0-9]>``, which say what stood there; ids, times and keys are of their day.
:class:`Replay` sends a recorded request and compares the answers, while each placeholder, id and time stands for one
value of ours throughout.
"""

from __future__ import annotations

import http.client
import re
import sqlite3
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from manabackup.sandbox import ChangeLog, Sandbox
from manabackup.sandbox.accounts import BOOTSTRAP_CLIENT, Accounts
from manabackup.sandbox.auth import auth_app
from manabackup.sandbox.server import HTTPServer
from manabackup.text import jsontext
from tests.support.patience import PATIENCE

FOLDER = Path(__file__).parents[2] / "fixtures" / "transcripts" / "auth"
ISSUER = "http://127.0.0.1:3011"


def load(name: str) -> list[dict[str, Any]]:
    """The exchanges of a recording. It may end in a line that says how many more there were."""
    exchanges = jsontext.parse((FOLDER / f"{name}.json").read_bytes())["exchanges"]
    if isinstance(exchanges[-1], str):
        assert re.fullmatch(r"\.\.\. \d+ more left out", exchanges.pop())
    found: list[dict[str, Any]] = exchanges
    return found


class StandingClock:
    """Stands at one second, in which the recording fits, but for a little with each look at it."""

    def __init__(self, seconds: int) -> None:
        self.nanoseconds = seconds * 1_000_000_000

    def __call__(self) -> int:
        self.nanoseconds += 10_000
        return self.nanoseconds


@dataclass
class Service:
    """An account service over a socket, with its database open to SQL, as the recorded one's was."""

    port: int
    accounts: Accounts
    database: Path
    log: ChangeLog | None = None
    """What the sync server beside it serves, where there is one."""
    written: list[dict[str, Any]] = field(default_factory=list)
    """What the service wrote into the change log, in the columns of the real one."""

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            return connection.execute(statement, parameters).fetchall()

    def watch_bootstrap(self) -> None:
        """Keeps a copy of what the service writes into the change log."""
        store = self.accounts.on_bootstrap

        def bootstrap(user_id: str, app: str, change: dict[str, Any]) -> None:
            row = {
                "app_id": app,
                "table_name": change["table"],
                "record_id": change["id"],
                "user_id": user_id,
                "op": change["op"],
                "data": change["data"],
                "field_meta": change["fieldMeta"],
                "client_id": BOOTSTRAP_CLIENT,
                "schema_version": change["schemaVersion"],
                "actor": change["actor"],
                "origin": change["origin"],
                "space_id": change.get("spaceId"),
            }
            self.written.append(row)
            if store is not None:
                store(user_id, app, change)

        self.accounts.on_bootstrap = bootstrap


@contextmanager
def running(folder: Path, seconds: int = 0, *, production: bool = False, alone: bool = False) -> Iterator[Service]:
    """The service at a time in seconds since 1970, under the base URL of the recordings.

    Alone it has all paths; else the sync server is beside it, on the same port.
    """
    clock = StandingClock(seconds)
    if alone:
        accounts = Accounts(folder / "accounts.sqlite3", issuer=ISSUER, clock=clock, production=production)
        server = HTTPServer(auth_app(accounts), port=0, on_stop=lambda: None)
        server.start()
        try:
            yield Service(server.port, accounts, folder / "accounts.sqlite3")
        finally:
            server.close()
            accounts.close()
        return
    with Sandbox(folder=folder, clock=clock, production=production) as box:
        box.accounts.issuer = ISSUER
        port = urlsplit(box.url).port
        assert port is not None
        service = Service(port, box.accounts, folder / "accounts.sqlite3", box.log)
        service.watch_bootstrap()
        yield service


# --- sending ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return jsontext.parse(self.body)


def send(
    port: int, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", *, length: int = 0
) -> Answer:
    """One request with just these headers. ``length`` announces a body that is not sent."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.putrequest(method, path, skip_host="host" in _lower(headers), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or length:
            connection.putheader("Content-Length", str(length or len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Answer(response.status, [(n.lower(), v) for n, v in response.getheaders()], response.read())


def post(port: int, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
    """A JSON body to one of the service's routes."""
    return send(port, "POST", path, {"Content-Type": "application/json", **(headers or {})}, jsontext.dumps(body))


def _lower(headers: dict[str, str] | None) -> set[str]:
    return {name.lower() for name in headers or {}}


# --- comparing --------------------------------------------------------------------------------------------------------

_PLACEHOLDER = re.compile(r"<((?:jwt|cookie-value|session-token)#\d+)([^>]*)>")
_SHAPES = {
    "jwt": r"[\w-]+\.[\w-]+\.[\w-]+",
    "cookie-value": r"[^;\"]+",
    "session-token": r"[A-Za-z0-9]{32}",
}
_TIME = re.compile(r"2026-11-2\dT\d\d:\d\d:\d\d\.(?:\d{3}|\d{5,9})Z")
_OURS = re.compile(r"2026-11-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_IDS = (
    re.compile(r"[A-Za-z0-9]{32}"),
    re.compile(r"[A-Za-z0-9_-]{21}"),
    re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
)
_DRAWN = {
    "masterKey": re.compile(r"[A-Za-z0-9+/]{43}="),
    "x": re.compile(r"[\w-]{43}"),
    "totpURI": re.compile(
        r"otpauth://totp/Mana:tova-551656%40example\.invalid\?secret=[A-Z2-7]{52}&issuer=Mana&digits=6&period=30"
    ),
    "backupCodes": re.compile(r"[A-Za-z0-9]{5}-[A-Za-z0-9]{5}"),
}
"""Members whose values the service draws -> what they look like."""
_UNCOMPARED = ("date", "content-length", "x-request-id")


@dataclass
class Replay:
    """One recording against one service."""

    service: Service
    known: dict[str, str] = field(default_factory=dict)
    """Placeholder or recorded value -> ours."""
    cookies: dict[str, str] = field(default_factory=dict)
    """What a client that sent the last request holds after its answer."""

    def ours(self, recorded: str) -> str:
        """A recorded text with our values in it."""
        text = _PLACEHOLDER.sub(lambda match: self.known[match[1]], recorded)
        for value, mine in self.known.items():
            text = text.replace(value, mine) if "#" not in value else text
        return text

    def differences(self, request: dict[str, Any], recorded: dict[str, Any], *, unsent: int = 0) -> list[str]:
        """What is not as recorded when the request is sent. ``unsent``: announce a body of that size, send none."""
        body = b"" if unsent else self._body(request)
        headers = {n: self.ours(v) for n, v in request["headers"].items() if n.lower() != "content-length"}
        path = self.ours(request["path"])
        answer = send(self.service.port, request["method"], path, headers, body, length=unsent)
        self.cookies = _cookies_left(headers.get("Cookie", ""), answer)
        found = [] if answer.status == recorded["status"] else [f"status {answer.status}: {answer.body[:200]!r}"]
        found += self._headers(answer, recorded, headers)
        if isinstance(recorded["body"], str):
            text = answer.body.decode()
            return found + ([] if text == recorded["body"] else [f"body {text[:200]!r}"])
        return found + list(self.compare(answer.json(), recorded["body"]))

    def compare(self, mine: Any, recorded: Any, where: str = "") -> Iterator[str]:
        """Where two JSON values differ, apart from values that stand for one another."""
        key = where.rpartition(".")[2].partition("[")[0]
        if isinstance(recorded, dict) and isinstance(mine, dict):
            keys = [self.ours(name) for name in recorded]
            if sorted(keys) != sorted(mine):
                yield f"{where}: members {sorted(mine)}"
                return
            for name, value in recorded.items():
                yield from self.compare(mine[self.ours(name)], value, f"{where}.{name}")
        elif isinstance(recorded, list) and isinstance(mine, list):
            if len(mine) != len(recorded):
                yield f"{where}: {len(mine)} items"
            for at, (left, right) in enumerate(zip(mine, recorded, strict=False)):
                yield from self.compare(left, right, f"{where}[{at}]")
        elif isinstance(recorded, str) and isinstance(mine, str):
            if not self._stands_for(mine, recorded, key):
                yield f"{where}: {mine!r} for {recorded!r}"
        elif mine != recorded or type(mine) is not type(recorded):
            yield f"{where}: {mine!r} for {recorded!r}"

    def _stands_for(self, mine: str, recorded: str, key: str) -> bool:
        if _PLACEHOLDER.search(recorded):
            return self._fits_placeholders(mine, recorded)
        if _TIME.fullmatch(recorded):
            return _OURS.fullmatch(mine) is not None and self.known.setdefault(f"#{key} {recorded}", mine) == mine
        if recorded in self.known:
            return self.known[recorded] == mine
        shapes = [_DRAWN[key]] if key in _DRAWN else [shape for shape in _IDS if shape.fullmatch(recorded)]
        if not shapes or key == "name":
            return mine == recorded
        return shapes[0].fullmatch(mine) is not None and self.known.setdefault(recorded, mine) == mine

    def _fits_placeholders(self, mine: str, recorded: str) -> bool:
        pattern, at, names = "", 0, []
        for match in _PLACEHOLDER.finditer(recorded):
            pattern += re.escape(recorded[at : match.start()]) + f"({_SHAPES[match[1].partition('#')[0]]})"
            names.append((match[1], match[2]))
            at = match.end()
        found = re.fullmatch(pattern + re.escape(recorded[at:]), mine)
        if found is None:
            return False
        return all(
            self.known.setdefault(name, value) == value and _is_as_described(name, value, description)
            for (name, description), value in zip(names, found.groups(), strict=True)
        )

    def _headers(self, answer: Answer, recorded: dict[str, Any], sent: dict[str, str]) -> list[str]:
        expected = [(name.lower(), value) for name, value in recorded["headers"]]
        mine = [pair for pair in answer.headers if pair[0] not in _UNCOMPARED]
        theirs = [pair for pair in expected if pair[0] not in _UNCOMPARED]
        # The order of Set-Cookie counts; that of other headers does not.
        mine.sort(key=lambda pair: pair[0])
        theirs.sort(key=lambda pair: pair[0])
        if [name for name, _ in mine] != [name for name, _ in theirs]:
            return [f"headers {mine}"]
        found = [
            f"header {name}: {value!r} for {other!r}"
            for (name, value), (_, other) in zip(mine, theirs, strict=True)
            if not self._stands_for(value, other, f"header {name}")
        ]
        if recorded["body"] == "" and "content-length" in dict(expected):
            found += [] if dict(answer.headers).get("content-length") == "0" else ["content-length of an empty body"]
        if "x-request-id" in dict(expected):
            wanted = sent.get("X-Request-Id", r"[0-9a-f]{8}")
            if re.fullmatch(wanted, dict(answer.headers).get("x-request-id", "")) is None:
                found.append("x-request-id")
        return found

    def _body(self, request: dict[str, Any]) -> bytes:
        if "body" not in request:
            return b""
        body = request["body"]
        if not isinstance(body, str):
            return self.ours(jsontext.dumps(body).decode()).encode()
        return _whole(body, int(request["headers"]["Content-Length"])).encode()


_CUT = re.compile(r"(.) \.\.\.\[(\d+) characters left out\]$")


def _whole(body: str, length: int) -> str:
    """A body that the recording cut within a run of one letter; what follows the run closes the JSON."""
    match = _CUT.search(body)
    if match is None:
        return body
    start, tail = body[: match.start() + 1], '"}' if body.startswith("{") else ""
    return start + match[1] * (length - len(start) - len(tail)) + tail


def whole_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers with values that the recording cut made whole."""
    found = {name: (value, _CUT.search(value)) for name, value in headers.items()}
    return {
        name: value if cut is None else value[: cut.start() + 1] + cut[1] * int(cut[2])
        for name, (value, cut) in found.items()
    }


def _cookies_left(sent: str, answer: Answer) -> dict[str, str]:
    set_by_answer = (value.partition(";") for name, value in answer.headers if name == "set-cookie")
    cookies = dict(pair.strip().split("=", 1) for pair in sent.split(";") if pair)
    for pair, _, attributes in set_by_answer:
        name, _, value = pair.partition("=")
        if "Max-Age=0;" in attributes:
            cookies.pop(name, None)
        else:
            cookies[name] = value
    return cookies


def _is_as_described(name: str, value: str, description: str) -> bool:
    """Whether ``value`` is as long as a placeholder says."""
    if name.startswith("jwt"):
        described = re.match(r" (\d+) chars", description)
        return described is not None and len(value) == int(described[1])
    if name.startswith("cookie-value"):
        described = re.search(r"decodes to (\d+) chars \+ dot \+ 44-char base64 HMAC", description)
        signed, _, signature = unquote(value).rpartition(".")
        return described is not None and len(signed) == int(described[1]) and len(b64decode(signature)) == 32
    return True
