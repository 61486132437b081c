"""The part of mana-api that keeps files: documents and songs in buckets, pictures handed on to the media service.

It answers as the real routes were recorded to answer (``fixtures/transcripts/media``, 20 to 27), and as they do it asks
nobody whose a key is.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import JSONTextError
from ..text import jsontext
from ..text.jsontext import JSON
from .accounts import Accounts
from .clock import iso
from .faults import FileFault
from .files_edge import Call, Reply, not_found, says
from .filestore import HEICError, Medium
from .media import MOST_FILE_BYTES, MediaService
from .multipart import FormError, Upload, read_form
from .signedlinks import Signer, escaped_path
from .sniffing import by_magic, by_name

FILES_BUCKET: Final = "storage-storage"
SONGS_BUCKET: Final = "music-storage"
_AVATARS_BUCKET: Final = "contacts-storage"
LIMIT: Final = 200
_WINDOW_MS: Final = 60_000
_DEAD_STORE: Final = "http://127.0.0.1:9"
_READ: Final = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "x-amz-checksum-mode": "ENABLED", "x-id": "GetObject"}
_WRITE: Final = {
    "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
    "x-amz-checksum-crc32": "AAAAAA==",
    "x-amz-sdk-checksum-algorithm": "CRC32",
    "x-id": "PutObject",
}
_MEBIBYTE: Final = 1 << 20


class APIService:
    """Routes over the media service and its store.

    ``store_url``: what links begin with; ``bucket_hosts``: the bucket stands before the host and not in the path.
    ``limit``: requests a minute that it answers a caller.
    """

    def __init__(
        self, media: MediaService, accounts: Accounts, signer: Signer, store_url: str = "", *, limit: int = LIMIT
    ) -> None:
        self._media = media
        self._files = media.files
        self._accounts = accounts
        self._signer = signer
        self._counts: dict[str, tuple[int, int]] = {}
        self.store_url = store_url
        self.bucket_hosts = False
        self._limit = limit

    async def answer(self, call: Call) -> Reply:
        """The answer to one call."""
        match call.segments:
            case ["health"]:
                told: JSON = {"status": "ok", "service": "mana-api", "runtime": "bun"}
                return says(200, {**told, "timestamp": iso(self._files.now()), "uptime": 1})
            case ["api", *rest]:
                allowed, limits = self._counted(call)
                reply = await self._guarded(call, rest) if allowed else says(429, {"error": "Too many requests"})
                return replace(reply, headers=(*reply.headers, *limits))
        return not_found()

    def _counted(self, call: Call) -> tuple[bool, tuple[tuple[str, str], ...]]:
        """Whether the caller may go on, and what headers say of its limit."""
        forwarded = call.headers.get("x-forwarded-for", "").partition(",")[0].strip()
        caller = forwarded or call.headers.get("x-real-ip", "")
        now = self._files.now()
        count, reset = self._counts.get(caller, (0, 0))
        if now >= reset:
            count, reset = 0, now + _WINDOW_MS
        count += 1
        self._counts[caller] = count, reset
        allowed = count <= self._limit and call.fault is not FileFault.TOO_MANY
        remaining = max(self._limit - count, 0) if allowed else 0
        told = {"Limit": self._limit, "Remaining": remaining, "Reset": -(-reset // 1_000)}
        return allowed, tuple((f"X-RateLimit-{name}", str(value)) for name, value in told.items())

    async def _guarded(self, call: Call, rest: Sequence[str]) -> Reply:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return says(401, {"error": "Missing authorization header", "status": 401})
        claims = None if call.fault is FileFault.EXPIRED else self._accounts.claims(token)
        if claims is None:
            return says(401, {"error": "Invalid or expired token", "status": 401})
        found = await self._routed(call, rest, str(claims.get("sub", "")))
        return says(404, {"error": "Not found", "status": 404}) if found is None else found

    async def _routed(self, call: Call, rest: Sequence[str], user_id: str) -> Reply | None:
        match ["GET" if call.method == "HEAD" else call.method, *rest]:
            case ["GET", "v1", "storage", "files", _, "download"]:
                return self._download(call)
            case ["POST", "v1", "storage", "files", "upload"]:
                return await self._upload(call, user_id)
            case ["GET", "v1", "music", "songs", _, "download-url"]:
                return self._song(call)
            case ["GET", "v1", "music", "songs", _, "cover-url"]:
                key = call.query.get("coverArtPath")
                return says(200, {"url": self._cover(call, key) if key else None})
            case ["POST", "v1", "music", "library", "cover-urls"]:
                return await self._covers(call)
            case ["POST", "v1", "music", "songs", "upload"]:
                return await self._new_song(call, user_id)
            case ["POST", "v1", *where]:
                return await self._picture(call, where, user_id)
        return None

    # --- links

    def _link(self, call: Call, bucket: str, key: str, method: str = "GET", more: Mapping[str, str] = _READ) -> str:
        base = _DEAD_STORE if call.fault is FileFault.LINK_DEAD else self.store_url
        scheme, _, host = base.partition("://")
        where = f"{scheme}://{bucket}.{host}" if self.bucket_hosts else f"{base}/{bucket}"
        at = datetime.fromtimestamp(self._files.now() // 1_000, UTC)
        if call.fault is FileFault.LINK_EXPIRED:
            at -= timedelta(seconds=2 * self._signer.seconds)
        return self._signer.link(method, f"{where}/{escaped_path(key)}", at, more)

    def _song(self, call: Call) -> Reply:
        key = call.query.get("storagePath")
        if not key:
            return says(400, {"error": "storagePath required"})
        if call.fault is FileFault.STORE_UNSET:
            return says(500, {"error": "Failed to generate download URL"})
        return says(200, {"url": self._link(call, SONGS_BUCKET, key)})

    def _cover(self, call: Call, key: str) -> JSON:
        return None if call.fault is FileFault.STORE_UNSET else self._link(call, SONGS_BUCKET, key)

    async def _covers(self, call: Call) -> Reply:
        body = await _object(call)
        paths = body.get("paths")
        keys = [one for one in paths if isinstance(one, str)][:50] if isinstance(paths, list) else []
        return says(200, {"urls": {key: self._cover(call, key) for key in keys}})

    async def _new_song(self, call: Call, user_id: str) -> Reply:
        body = await _object(call)
        name = body.get("filename")
        if not isinstance(name, str) or not name:
            return says(400, {"error": "filename required"})
        if call.fault is FileFault.STORE_UNSET:
            return says(500, {"error": "Failed to generate upload URL"})
        song = str(uuid.uuid4())
        key = f"users/{user_id}/songs/{song}/{name}"
        told: JSON = {"id": song, "title": name.rpartition(".")[0] or name, "storagePath": key}
        return says(200, {"song": told, "uploadUrl": self._link(call, SONGS_BUCKET, key, "PUT", _WRITE)})

    # --- files

    def _download(self, call: Call) -> Reply:
        key = call.query.get("storagePath")
        if not key:
            return says(400, {"error": "storagePath required"})
        failed = says(500, {"error": "Download failed"})
        if call.fault is FileFault.STORE_UNSET:
            return failed
        if call.query.get("url") == "true":
            return says(200, {"url": self._link(call, FILES_BUCKET, key)})
        found = self._files.stored(FILES_BUCKET, key)
        if found is None or call.fault is FileFault.STORE_AWAY:
            return failed
        name = key.rpartition("/")[2]
        headers = ("Content-Type", found.type), ("Content-Disposition", f'attachment; filename="{name}"')
        return Reply(200, headers, self._files.body(found.sha256), stored=True)

    async def _upload(self, call: Call, user_id: str) -> Reply:
        failed = says(500, {"error": "Upload failed"})
        try:
            form = read_form(call.headers.get("content-type", ""), await call.body())
        except FormError:
            return failed
        upload = form.files.get("file")
        if upload is None:
            return says(400, {"error": "No file"})
        if len(upload.body) > MOST_FILE_BYTES:
            return says(400, {"error": "Max 100MB"})
        if not upload.body or call.fault in (FileFault.STORE_UNSET, FileFault.STORE_AWAY):
            return failed
        kind = by_magic(upload.body) or by_name(upload.name) or "application/octet-stream"
        told: dict[str, JSON] = {"id": str(uuid.uuid4()), "name": upload.name}
        if kind.startswith("image/") and kind != "image/svg+xml":
            medium = self._kept(upload, "storage", user_id)
            if medium is None:
                return failed
            key, kind, more = medium.id, medium.type, {"mediaId": medium.id}
        else:
            key, more = f"users/{user_id}/{uuid.uuid4()}.{upload.name.rpartition('.')[2]}", {}
            self._files.put(FILES_BUCKET, key, upload.body, kind)
        folder = form.fields.get("folderId")
        place: dict[str, JSON] = {"storagePath": key, "storageKey": key, "mimeType": kind, "size": len(upload.body)}
        return says(201, {**told, **place, "parentFolderId": folder, **more})

    def _kept(self, upload: Upload, app: str, user_id: str) -> Medium | None:
        try:
            return self._files.upload(upload.body, upload.name, app=app, user_id=user_id)
        except HEICError:
            return None

    # --- pictures

    async def _picture(self, call: Call, where: Sequence[str], user_id: str) -> Reply | None:
        """Uploads of other apps, which the media service keeps, and what they say of it."""
        found = next(
            ((app, most, told) for path, app, most, told in _PICTURES if path.fullmatch("/".join(where))), None
        )
        if found is None:
            return None
        app, most, told = found
        try:
            upload = read_form(call.headers.get("content-type", ""), await call.body()).files.get("file")
        except FormError:
            upload = None
        if upload is None:
            return says(400, {"error": "No file"})
        if len(upload.body) > most * _MEBIBYTE:
            return says(400, {"error": f"Max {most}MB"})
        if by_name(upload.name) == "image/svg+xml" and app == "contacts":
            self._files.put(_AVATARS_BUCKET, f"users/{user_id}/{uuid.uuid4()}.svg", upload.body, "image/svg+xml")
            return says(201, {})
        medium = self._kept(upload, app, user_id)
        if medium is None:
            return says(500, {"error": "Upload failed"})
        shown = self._media.shown(medium)["urls"]
        assert isinstance(shown, dict)
        thumbnail = shown.get("thumbnail")
        return says(201, told(medium.id, str(shown["original"]), thumbnail if isinstance(thumbnail, str) else None))


Telling = Callable[[str, str, str | None], dict[str, JSON]]
"""From a medium's id, its address and its thumbnail's to an answer."""


def _described(media_id: str, url: str, thumbnail: str | None) -> dict[str, JSON]:
    told: dict[str, JSON] = {"mediaId": media_id, "storagePath": media_id, "publicUrl": url}
    return told if thumbnail is None else {**told, "thumbnailUrl": thumbnail}


def _avatar(name: str) -> Telling:
    return lambda media_id, url, thumbnail: {name: thumbnail or url, "mediaId": media_id}


def _cover_told(media_id: str, url: str, _thumbnail: str | None) -> dict[str, JSON]:
    return {"coverArtPath": media_id, "coverUrl": url, "mediaId": media_id}


_PICTURES: Final[tuple[tuple[re.Pattern[str], str, int, Telling], ...]] = (
    (re.compile("profile/me-images/upload"), "me", 10, _described),
    (re.compile("wardrobe/garments/upload"), "wardrobe", 10, _described),
    (re.compile("picture/upload"), "picture", 10, _described),
    (re.compile("food/photos/upload"), "food", 10, _described),
    (re.compile("plants/photos/upload"), "plants", 10, _described),
    (re.compile("contacts/[^/]+/avatar"), "contacts", 5, _avatar("avatarUrl")),
    (re.compile("storage/avatar/upload"), "profile", 5, _avatar("url")),
    (re.compile("music/cover/upload"), "music", 10, _cover_told),
)
"""Path, app, most mebibytes, and the answer."""


async def _object(call: Call) -> dict[str, JSON]:
    try:
        body = jsontext.parse(await call.body())
    except JSONTextError:
        return {}
    return body if isinstance(body, dict) else {}
