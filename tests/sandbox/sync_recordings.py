"""Recorded exchanges with the real sync server, and what is needed to play them again.

Recorded on 2026-11-20 from the running server. A recording names users and spaces by fixed ids, holds event ids and
clock values of its day, and cuts long texts; :class:`Replay` sends its requests and brings both answers into one form.
"""

from __future__ import annotations

import hashlib
import http.client
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from manabackup.sandbox import Sandbox
from manabackup.text import jsontext
from tests.support.patience import PATIENCE

FOLDER = Path(__file__).parents[2] / "fixtures" / "transcripts"


def load(number: str) -> dict[str, Any]:
    """The recording whose file name begins with ``number``."""
    (path,) = FOLDER.glob(f"{number}_*.json")
    recording: dict[str, Any] = jsontext.parse(path.read_bytes())
    return recording


def register(box: Sandbox, user_id: str, *spaces: str) -> None:
    """Registers a user, who founds the spaces that do not exist yet and joins the others."""
    box.accounts.create_user(f"{user_id}@example.org", "password", user_id, user_id=user_id)
    for space in spaces:
        if box.accounts.spaces.find(space) is None:
            box.accounts.create_space(user_id, space, "team", space_id=space)
        else:
            box.accounts.add_member(space, user_id)


_EVENT_ID = re.compile(r'"eventId":"([0-9a-f-]{36})"')
_RECORDED_CLOCK = re.compile(r'"(?:syncedUntil|timestamp)":"(2026-11-20T[0-9:.]+Z)')
_CLOCK = re.compile(
    r'"(?:syncedUntil|timestamp)":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{0,8}[1-9])?Z)'
)
_CUT = re.compile(r" \.\.\.\[[0-9]+ characters left out\]")
_UNCOMPARED = ("date", "content-length")


@dataclass
class Replay:
    """Sends recorded requests to ``url``. Keeps which of our ids and cursors stands for which recorded one."""

    url: str
    authorization: dict[str, str]
    """Recorded ``auth`` → header."""
    app_suffix: str = ""
    event_ids: dict[str, str] = field(default_factory=dict)
    recorded_ids: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)

    def differences(
        self, request: dict[str, Any], recorded: dict[str, Any], body: bytes, auth: str | None
    ) -> list[str]:
        """What of the server's answer is not as recorded."""
        status, headers, text = self._send(request, body, auth)
        if "transport_error" in recorded:
            return [] if status is None else [f"status {status} in place of a closed connection"]
        found = []
        if status != recorded["status"]:
            found.append(f"status {status}, recorded {recorded['status']}: {text[:200]}")
        expected_headers = {
            (name.lower(), value) for name, value in recorded["headers"] if name.lower() not in _UNCOMPARED
        }
        if headers != expected_headers:
            found.append(f"headers {sorted(headers ^ expected_headers)}")
        return found + self._body_differences(text, recorded["body"])

    def _send(
        self, request: dict[str, Any], body: bytes, auth: str | None
    ) -> tuple[int | None, set[tuple[str, str]], str]:
        target = urlsplit(self.url)
        assert target.hostname is not None
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=PATIENCE)
        try:
            connection.putrequest(request["method"], self._path(request["path"]), skip_accept_encoding=True)
            sent = {name.lower(): value for name, value in request["headers"].items()}
            for name, value in sent.items():
                if name not in ("host", "content-length"):
                    connection.putheader(name, value)
            if auth is not None:
                connection.putheader("Authorization", auth)
            if "content-length" in sent:
                connection.putheader("Content-Length", str(len(body)))
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # the server has enough and answers early; recorded too
                connection.endheaders(body or None)
            try:
                answer = connection.getresponse()
            except http.client.RemoteDisconnected:
                return None, set(), ""
            text = answer.read().decode()
            headers = {(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in _UNCOMPARED}
            if request["method"] != "HEAD" and "transfer-encoding" not in dict(headers) and answer.status != 204:
                assert answer.getheader("content-length") == str(len(text.encode()))
            return answer.status, headers, text
        finally:
            connection.close()

    def _path(self, path: str) -> str:
        for recorded, ours in self.cursors.items():
            path = path.replace(quote(recorded, safe=""), quote(ours, safe=""))
        return re.sub(r"^(/sync/[a-z0-9]+)(?=[/?]|$)", rf"\1{self.app_suffix}", path)

    def body(self, text: str) -> bytes:
        """A recorded request's body with our cursors."""
        for recorded, ours in self.cursors.items():
            text = text.replace(recorded, ours)
        return text.encode()

    def _body_differences(self, ours: str, recorded: dict[str, Any]) -> list[str]:
        head, tail = recorded.get("text", recorded.get("text_head", "")), recorded.get("text_tail")
        if cut := _CUT.search(head):
            head = head[: cut.start()]
            head = head[: max(head.rfind("},{"), head.find("[[[["))]
            slack = len("2026-11-20T11:35:09.405784766Z") - len("2026-11-20T11:35:09Z")
            if abs(len(ours) - recorded["length"]) > slack:
                return [f"{len(ours)} characters, recorded {recorded['length']}"]
            ours_tail = ours[-len(tail) :] if tail else ""
            ours = ours[: len(head)]
        else:
            ours_tail = ""
        found = [] if self._same(ours, head) else [f"body {ours!r}, recorded {head!r}"]
        if tail and not self._same(ours_tail[ours_tail.index("},{") :], tail[tail.index("},{") :]):
            found.append(f"end of body {ours_tail!r}, recorded {tail!r}")
        return found

    def _addresses(self) -> tuple[tuple[str, str], ...]:
        """The key set that could not be reached stood on a port of its own."""
        return ("http://127.0.0.1:9/none", f"{self.url}/api/auth/jwks"), (
            "127.0.0.1:9:",
            f"{urlsplit(self.url).netloc}:",
        )

    def _same(self, ours: str, recorded: str) -> bool:
        for here, there in zip(_EVENT_ID.findall(ours), _EVENT_ID.findall(recorded), strict=False):
            if self.event_ids.setdefault(there, here) != here or self.recorded_ids.setdefault(here, there) != there:
                return False
        for there, here in (*self.event_ids.items(), *self._addresses()):
            recorded = recorded.replace(there, here)
        clock, recorded_clock = _CLOCK.search(ours), _RECORDED_CLOCK.search(recorded)
        if clock and recorded_clock:
            self.cursors[recorded_clock[1]] = clock[1]
            recorded = recorded.replace(recorded_clock[1], clock[1])
        return ours == recorded


def request_body(request: dict[str, Any], rebuilt: bytes | None) -> str:
    """The text of a recorded request's body; ``rebuilt`` where the recording cut it, held against its hash."""
    body = request.get("body")
    if not body:
        return ""
    text = body["text"] if rebuilt is None else rebuilt.decode()
    assert hashlib.sha256(text.encode()).hexdigest() == body["sha256"]
    return text
