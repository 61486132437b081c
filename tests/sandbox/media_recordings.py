"""Recorded exchanges with the real services that keep files, and what is needed to play them again.

Recorded on 2026-11-30 from the running services. Of bodies a recording has kind, length and hash alone; here stands
another file of that kind and length for each. :class:`Replay` sends a recorded request and compares the answers, while
each id, key, hash and link stands for one of ours throughout.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import re
import struct
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from PIL import Image

from manabackup.sandbox.exif import Camera
from manabackup.sandbox.pictures import Recipe
from manabackup.text import jsontext
from tests.support.patience import PATIENCE

FOLDER = Path(__file__).parents[2] / "fixtures" / "transcripts" / "media"
PUBLIC = "https://media.example.org/api/v1"
PUBLIC_2 = "https://media2.example.net/api/v1"
_BUCKETS = ("/storage-storage/", "/music-storage/")
_BOUNDARY = "----rec8f3a61c0d2"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ODD_UUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}|(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_LINK = re.compile(r"https?://[^/\"]+(/[^\"?]*)\?(X-Amz-[^\"]*)")
_DRAWN = re.compile(r"(X-Amz-(?:Date|Signature)=)[0-9A-Za-z]+|(X-Amz-Credential=)[^%&\"]+%2F\d{8}")
_UNCOMPARED = frozenset(
    (
        *("date", "content-length", "etag", "last-modified", "x-ratelimit-reset", "x-amz-request-id"),
        *("seaweed-x-amz-etag", "seaweed-x-amz-owner", "x-amz-checksum-crc32", "connection"),
    )
)
"""Headers of the moment, or of the one store that was asked."""
CAMERA = Camera(
    "Fictoria",
    "Model Nine",
    datetime(2025, 6, 1, 10, 20, 30),  # noqa: DTZ001 - a camera's clock has no zone
    orientation=6,
    place=(10.5, -20.26),
)


def load(number: str) -> list[dict[str, Any]]:
    """The exchanges of the recording whose file name begins with ``number``."""
    (path,) = FOLDER.glob(f"{number}-*.json")
    found: list[dict[str, Any]] = jsontext.parse(path.read_bytes())["exchanges"]
    return found


# --- bodies -----------------------------------------------------------------------------------------------------------


def _boxed(brand: bytes, *more: bytes) -> bytes:
    boxes = [brand.ljust(4) + bytes(4) + brand, *more]
    return b"".join(struct.pack(">I", len(box) + 4) + box for box in (b"ftyp" + boxes[0], *boxes[1:]))


def _heic(seed: int, length: int) -> bytes:
    """640 by 480, turned by a quarter; of a HEIC the boxes alone that say so. 76 bytes: not even those."""
    size = b"ispe" + bytes(4) + struct.pack(">II", 640, 480), b"irot\1"
    return _filled(_boxed(b"heic", *(size if length > 76 else ())), seed, length)


def _by_pillow(form: str, size: tuple[int, int], **more: Any) -> Callable[[int, int], bytes]:
    def make(seed: int, length: int) -> bytes:
        picture = io.BytesIO()
        images = [Image.new("RGB", size, (seed >> 16 & 255, seed >> 8 & 255, at)) for at in (0, 255)]
        frames = {"save_all": True, "append_images": images[1:]} if form == "GIF" else {}
        images[0].save(picture, form, **frames, **more)
        return _filled(picture.getvalue(), seed, length)

    return make


def _filled(head: bytes, seed: int, length: int) -> bytes:
    """``head``, then bytes that readers of such files pass over."""
    assert len(head) <= length
    return head + hashlib.shake_128(b"%d" % seed).digest(length - len(head))


def _text(head: str = "", tail: str = "") -> Callable[[int, int], bytes]:
    def make(seed: int, length: int) -> bytes:
        salt = hashlib.shake_128(b"%d" % seed).hexdigest(max(length, 1))
        return (head + salt[: length - len(head) - len(tail)] + tail).encode()

    return make


def _pictured(**values: Any) -> Callable[[int, int], bytes]:
    return lambda seed, length: Recipe(seed=seed, size=length, **values).make()


_SVG = ('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><!--', '--><rect width="9" height="9"/></svg>')
_MAKERS: Mapping[str, Callable[[int, int], bytes]] = {
    "jpg": _pictured(kind="jpeg", width=2400, height=1800, camera=CAMERA),
    "png": _pictured(kind="png", width=2400, height=1600),
    "webp": _pictured(kind="webp", width=300, height=200),
    "gif": _by_pillow("GIF", (120, 80)),
    "avif": _by_pillow("AVIF", (640, 480)),
    "bmp": _by_pillow("BMP", (200, 100)),
    "tif": _by_pillow("TIFF", (900, 100)),
    "heic": _heic,
    "svg": _text(*_SVG),
    "pdf": lambda seed, length: _filled(b"%PDF-1.4\n", seed, length),
    "mp4": lambda seed, length: _filled(_boxed(b"isom"), seed, length),
    "broken": lambda seed, length: _filled(b"\x89PNG\r\n\x1a\nnot really", seed, length),
}
"""By the kind that the recording's body has."""
_KNOWN: Mapping[int, Callable[[int, int], bytes]] = {
    208: _MAKERS["broken"],
    1878: _pictured(kind="png", width=64, height=48, alpha=True),
    5048: _MAKERS["mp4"],
    61285: _pictured(kind="jpeg", width=480, height=640),
    **dict.fromkeys((10_485_761, 20_971_520), lambda seed, length: bytes(length)),
    **dict.fromkeys(range(21937, 21947), _pictured(kind="png", width=1000, height=700)),
    573000: _MAKERS["pdf"],
}
"""Bodies that came under several names, by their length."""


@dataclass
class Bodies:
    """Ours for each recorded one. ``salt`` makes others than those of another run."""

    salt: str = ""
    ours: dict[str, bytes] = field(default_factory=dict)
    """Recorded hash → body."""

    def body(self, part: Mapping[str, Any]) -> bytes:
        """In place of a recorded part's."""
        recorded, length = part["sha256"], part["length"]
        if recorded not in self.ours:
            seed = int(hashlib.sha256((self.salt + recorded).encode()).hexdigest()[:8], 16)
            ending = (part["filename"] or "").rpartition(".")[2].lower()
            plain = length == 0 or length in (13, 15, 16, 26)
            make = _text() if plain else _KNOWN.get(length) or _MAKERS.get(ending, _text())
            self.ours[recorded] = make(seed, length)
        assert len(self.ours[recorded]) == length
        return self.ours[recorded]


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a server said; without a status it said nothing."""

    status: int | None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = True

    @property
    def named(self) -> dict[str, str]:
        return dict(self.headers)


def send(
    url: str, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", length: int = 0
) -> Answer:
    """One request with just these headers. ``length`` announces a body that is not sent."""
    host = urlsplit(url)
    assert host.hostname is not None
    with closing(http.client.HTTPConnection(host.hostname, host.port, timeout=PATIENCE)) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or length:
            connection.putheader("Content-Length", str(length or len(body)))
        connection.endheaders(body or None)
        try:
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return Answer(None)
        got = [(name.lower(), value) for name, value in response.getheaders()]
        try:
            return Answer(response.status, got, response.read())
        except http.client.IncompleteRead as error:
            return Answer(response.status, got, error.partial, whole=False)


def form(parts: list[dict[str, Any]], bodies: Bodies, ours: Callable[[str], str]) -> bytes:
    """A recorded form with our bodies and values."""
    lines = []
    for part in parts:
        disposition = f'Content-Disposition: form-data; name="{part["name"]}"'
        if part.get("filename") is not None:
            disposition += f'; filename="{part["filename"]}"'
        kind = f"\r\nContent-Type: {part['contentType']}" if part.get("contentType") is not None else ""
        content = bodies.body(part) if "sha256" in part else ours(part["value"]).encode()
        lines.append(f"--{_BOUNDARY}\r\n{disposition}{kind}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(lines) + f"--{_BOUNDARY}--\r\n".encode()


@dataclass
class Replay:
    """Sends recorded requests. Keeps which of our ids, hashes and links stands for which recorded one."""

    url: str
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Recorded ``Authorization`` → ours."""
    store_url: str = ""
    public: Mapping[str, str] = field(default_factory=dict)
    """Recorded beginnings of addresses → ours."""
    bodies: Bodies = field(default_factory=Bodies)
    known: dict[str, str] = field(default_factory=dict)
    """Recorded id, key or hash → ours."""
    links: dict[str, str] = field(default_factory=dict)
    """Path and query of a recorded link → ours."""
    uncompared: frozenset[str] = _UNCOMPARED
    """Headers."""
    last: Answer = Answer(None)

    def ask(self, request: Mapping[str, Any], url: str | None = None) -> Answer:
        """Our server's answer to a recorded request."""
        headers = {name: value for name, value in (request.get("headers") or {}).items() if name != "Host"}
        if (login := headers.get("Authorization")) in self.tokens:
            headers["Authorization"] = self.tokens[str(login)]
        recorded = request.get("body") or {}
        if "multipart" in recorded:
            body = form(recorded["multipart"], self.bodies, self._ours)
            for part in recorded["multipart"]:
                if "sha256" in part:
                    self.known[part["sha256"]] = hashlib.sha256(self.bodies.body(part)).hexdigest()
        elif "text" in recorded:
            body = self._ours(recorded["text"]).encode()
        else:
            body = bytes(recorded.get("bodyLength", 0))
        target = request["path"]
        if target.startswith(_BUCKETS):
            url, target = self.store_url, self.links.get(target, target)
        return send(url or self.url, request["method"], self._ours(target), headers, body)

    def differences(self, request: Mapping[str, Any], recorded: Mapping[str, Any], url: str | None = None) -> list[str]:
        """What of our server's answer is not as recorded."""
        answer = self.last = self.ask(request, url)
        if answer.status != recorded.get("status"):
            return [f"status {answer.status}, recorded {recorded.get('status')}: {answer.body[:200]!r}"]
        theirs = {(n.lower(), v) for n, v in recorded.get("headers", ()) if n.lower() not in self.uncompared}
        ours = {(n, v) for n, v in answer.headers if n not in self.uncompared}
        theirs = {(name, self._ours(value)) for name, value in theirs}
        found = [f"headers {sorted(ours ^ theirs)}"] if ours != theirs else []
        framed = {n.lower() for n, _ in recorded.get("headers", ())} & {"content-length", "transfer-encoding"}
        if framed != answer.named.keys() & {"content-length", "transfer-encoding"}:
            found.append(f"framed by {answer.named}, recorded {framed}")
        return found + self._body(request, answer, recorded)

    def _body(self, request: Mapping[str, Any], answer: Answer, recorded: Mapping[str, Any]) -> list[str]:
        if "json" in recorded or recorded.get("text", "").startswith("{"):
            theirs = recorded.get("text") or jsontext.dumps_in_order(recorded["json"]).decode()
            return self._texts(answer.body.decode(), theirs)
        if recorded.get("text", "").startswith("<?xml"):
            ours, theirs = (_without_request(text) for text in (answer.body.decode(), recorded["text"]))
            return [] if ours == self._ours(theirs) else [f"body {ours!r}, recorded {theirs!r}"]
        if (sha256 := recorded.get("bodySha256")) in self.known:
            same = hashlib.sha256(answer.body).hexdigest() == self.known[str(sha256)]
            return [] if same else [f"other bytes, {len(answer.body)} of {recorded['bodyLength']}"]
        if "image" in recorded and "/file/" not in request["path"] and "transform" not in request["path"]:
            same = len(answer.body) == recorded["bodyLength"]  # not as a whole, or made by the server
            return [] if same or recorded["image"]["width"] == 480 else [f"{len(answer.body)} bytes"]
        if "image" in recorded:
            return _pictures(answer.body, recorded["image"])
        if recorded.get("bodyFirst16", "").startswith("5b7b22"):
            return []  # a list of everything that the recorded server held on its day
        if "bodyFirst16" in recorded and recorded["bodyLength"] > 500:
            return [] if len(answer.body) == recorded["bodyLength"] else [f"{len(answer.body)} bytes"]
        if "text" in recorded and recorded["text"] not in ("404 Not Found", "Internal Server Error"):
            return [] if len(answer.body) == recorded["bodyLength"] else [f"{len(answer.body)} bytes"]
        expected = recorded.get("text", "").encode() or bytes(recorded.get("bodyLength", 0))
        same = answer.body == expected or ("bodyFirst16" in recorded and len(answer.body) == len(expected))
        return [] if same else [f"body {answer.body[:99]!r}, recorded {expected[:99]!r}"]

    def _texts(self, ours: str, theirs: str) -> list[str]:
        """JSON, in which whatever a server draws stands for what the other has drawn."""
        for here, there in zip(_LINK.finditer(ours), _LINK.finditer(theirs), strict=False):
            self.links[f"{there[1]}?{there[2]}"] = f"{here[1]}?{here[2]}"
        for pattern in (_UUID, _HASH):
            pairs = (pattern.findall(unquote(_DRAWN.sub("", text))) for text in (ours, theirs))
            for here, there in zip(*pairs, strict=False):
                if self.known.setdefault(there, here) != here:
                    return [f"{here} stands for {there}, and so does {self.known[there]}"]
        theirs = self._ours(theirs)
        sides = [_TIME.sub("", _DRAWN.sub(r"\1\2", _LINK.sub(r"\1?\2", text))) for text in (ours, theirs)]
        for number, shown in (("size", r'"size":\d+'), ("uptime", r'"uptime":\d+')):
            if number == "uptime" or '"originalName":"IMG_0002.jpg"' in ours:  # made of a HEIC, by each in its own way
                sides = [re.sub(shown, "", text) for text in sides]
        return [] if sides[0] == sides[1] else [f"body {sides[0]!r}, recorded {sides[1]!r}"]

    def _ours(self, text: str) -> str:
        for there, here in self.public.items():
            text = text.replace(there, here)
        for pattern in (_UUID, _HASH, _ODD_UUID):
            text = pattern.sub(self._stands_for, text)
        return text

    def _stands_for(self, found: re.Match[str]) -> str:
        """Ours for an id or a hash, in its form: in capitals, or without hyphens."""
        text = found[0]
        hexadecimal = text.replace("-", "").lower()
        usual = text if len(hexadecimal) == 64 else str(uuid.UUID(hexadecimal))
        ours = self.known.get(usual)
        if ours is None or text == usual:
            return ours or text
        return ours.upper() if text.isupper() else ours.replace("-", "")


def _without_request(text: str) -> str:
    return re.sub(r"<RequestId>.*?</RequestId>", "", text)


def _pictures(body: bytes, recorded: Mapping[str, Any]) -> list[str]:
    with Image.open(io.BytesIO(body)) as picture:
        picture.load()
        ours = {"format": picture.format, "width": picture.width, "height": picture.height, "mode": picture.mode}
        tags = len(picture.getexif())
    expected = {name: recorded[name] for name in ours}
    if expected["format"] == "WEBP":
        expected["mode"] = ours["mode"]  # of a picture with a palette; ours has its alpha all over
    found = [] if ours == expected else [f"picture {ours}, recorded {expected}"]
    return found if bool(tags) == bool(recorded.get("exifTags")) else [*found, f"{tags} tags of Exif"]
