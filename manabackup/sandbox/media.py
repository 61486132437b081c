"""The media service: pictures and other files, for everybody who knows an id.

It answers as the real mana-media was recorded to answer (``fixtures/transcripts/media``). Variants and transformed
pictures have the size and the format of the real ones, and are pictures of their own: nothing is scaled here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from ..text.jsontext import JSON
from .clock import iso
from .faults import FileFault
from .files_edge import Call, Gone, Reply, broken, not_found, says
from .filestore import SIDES, FileStore, HEICError, Medium
from .multipart import FormError, Upload, read_form
from .pictures import Recipe

MOST_FILE_BYTES: Final = 100 << 20
BASE: Final = "/api/v1"
_THUMBNAIL: Final = 200
_KEEP: Final = ("Cache-Control", "public, max-age=31536000")
_FITS: Final = ("inside", "cover", "contain", "fill", "outside")
_PAGE: Final = 50
_ID = re.compile(r"\{?([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\}?")


class MediaService:
    """Routes over a store.

    ``public_url`` is what the addresses in answers begin with, up to ``/api/v1``. ``most_bytes`` of a file are taken.
    """

    def __init__(self, files: FileStore, public_url: str = "", *, most_bytes: int = MOST_FILE_BYTES) -> None:
        self.files = files
        self.public_url = public_url
        self._most_bytes = most_bytes

    async def answer(self, call: Call) -> Reply:
        """The answer to one call."""
        match call.segments:
            case ["health"] if call.method in ("GET", "HEAD"):
                return says(200, {"status": "ok", "service": "mana-media", "timestamp": iso(self.files.now())})
            case ["api", "v1", "media", *rest] if "" not in rest:
                try:
                    reply = await self._routed(call, rest)
                except (FormError, ValueError, OverflowError):
                    return broken()
                routed = reply is not None and call.fault is FileFault.DATABASE_AWAY
                return broken() if routed else reply or not_found()
        return not_found()

    async def _routed(self, call: Call, rest: Sequence[str]) -> Reply | None:
        method = "GET" if call.method == "HEAD" else call.method
        match [method, *rest]:
            case ["GET"]:
                return says(200, self._plain_list(call.query))
            case ["POST", "upload"]:
                return await self._upload(call)
            case ["GET", "list", "all"]:
                return self._list(call.query)
            case ["GET", "hash", _]:
                medium = self.files.by_hash(call.value(4))
                return _missing() if medium is None else says(200, self.shown(medium))
            case ["GET", _]:
                return self._told(call)
            case ["DELETE", _]:
                away = call.fault is FileFault.DATABASE_AWAY
                return broken() if away else self._deleted(_uuid(call.value(3)))
            case ["GET", _, "file"]:
                return self._file(call, "")
            case ["GET", _, "file", _]:
                return self._file(call, call.value(5))
            case ["GET", _, "transform"]:
                return self._transformed(call)
        return None

    # --- one medium

    def shown(self, medium: Medium) -> dict[str, JSON]:
        """The JSON of a medium."""
        base = f"{self.public_url}/media/{medium.id}/file"
        names = {"thumb": "thumbnail", "medium": "medium", "large": "large"}
        urls: dict[str, JSON] = {"original": base, **{names[one]: f"{base}/{one}" for one in medium.variants}}
        told: dict[str, JSON] = {
            "id": medium.id,
            "status": medium.status,
            "originalName": medium.name,
            "mimeType": medium.type,
            "size": medium.size,
            "hash": medium.sha256,
            "urls": urls,
        }
        if medium.look is not None:
            told["metadata"] = medium.look.metadata
            if medium.look.exif:
                told["exif"] = medium.look.exif
        return {**told, "createdAt": iso(medium.created_at)}

    def _found(self, call: Call) -> Medium | None:
        return self.files.medium(_uuid(call.value(3)))

    def _told(self, call: Call) -> Reply:
        medium = self._found(call)
        return _missing() if medium is None else says(200, self.shown(medium))

    def _deleted(self, media_id: str) -> Reply:
        return says(200, {"success": True}) if self.files.delete(media_id) else _missing()

    def _file(self, call: Call, variant: str) -> Reply:
        medium = self._found(call)
        if medium is None:
            return _missing()
        made = variant in medium.variants
        if call.fault is FileFault.STORE_AWAY or (medium.lost and not made):
            return says(404, {"error": "File not found"})
        body = _variant(medium, variant) if made else self.files.body(medium.sha256)
        kind = "image/webp" if made else medium.type
        return Reply(200, (("Content-Type", kind), _KEEP), body, stored=True, streamed=True)

    def _transformed(self, call: Call) -> Reply:
        medium = self._found(call)
        if medium is None:
            return _missing()
        if not medium.type.startswith("image/"):
            return says(400, {"error": "Transform only supported for images"})
        query = call.query
        width, height, quality = (_number(query.get(name, "")) for name in ("w", "h", "q"))
        away = call.fault in (FileFault.STORE_AWAY, FileFault.SHORT, FileFault.CUT) or medium.lost
        wrong = min(width, height, quality) < 0 or quality > 100 or query.get("fit", "inside") not in _FITS
        if away or wrong or medium.look is None:
            return broken()
        kind, told = _format(query.get("format", "webp"), medium.look.format)
        cover = query.get("fit") in ("cover", "contain", "fill") and width and height
        size = (width, height) if cover else _inside(medium, width, height)
        recipe = Recipe(kind, int(medium.sha256[:8], 16), *size, alpha=medium.look.alpha)  # type: ignore[arg-type]
        return Reply(200, (("Content-Type", told), _KEEP), recipe.make())

    # --- many

    def _plain_list(self, query: dict[str, str]) -> JSON:
        app, user_id = query.get("app", ""), query.get("userId", "")
        found = self.files.referred(app=app, user_id=user_id) if app or user_id else self.files.media()
        limit = _number(query.get("limit", "")) or _PAGE
        return [self.shown(medium) for medium in (found[:limit] if limit > 0 else found)]

    def _list(self, query: dict[str, str]) -> Reply:
        user_id = query.get("userId", "")
        if not user_id:
            return says(400, {"error": "userId is required"})
        since, until = (_instant(query[name]) if query.get(name) else None for name in ("dateFrom", "dateTo"))
        apps = [app for app in query.get("apps", "").split(",") if app]
        found: dict[str, Medium] = {}
        for app in apps or [""]:
            found |= {medium.id: medium for medium in self.files.referred(app=app, user_id=user_id)}
        kinds = query.get("mimeType", "")
        chosen = [
            medium
            for medium in found.values()
            if medium.status == "ready"
            and (medium.type.startswith(kinds[:-1]) if kinds.endswith("*") else kinds in ("", medium.type))
            and (since is None or since <= _dated(medium))
            and (until is None or _dated(medium) <= until)
            and (query.get("hasLocation") != "true" or "gpsLatitude" in _exif(medium))
        ]
        chosen = _sorted(chosen, query.get("sortBy", "createdAt"), ascending=query.get("sortOrder") == "asc")
        limit, offset = _number(query.get("limit", "")) or _PAGE, max(_number(query.get("offset", "")), 0)
        page: list[JSON] = [self.shown(medium) for medium in chosen[offset : offset + limit]]
        return says(200, {"items": page, "total": len(chosen), "hasMore": offset + len(page) < len(chosen)})

    # --- uploads

    async def _upload(self, call: Call) -> Reply:
        form = read_form(call.headers.get("content-type", ""), await call.body())
        upload = form.files.get("file")
        if upload is None:
            return says(400, {"error": "No file provided"})
        if len(upload.body) > self._most_bytes:
            return says(400, {"error": "File too large (max 100MB)"})
        process = form.fields.get("skipProcessing") != "true"
        try:
            return self.stored(
                call, upload, app=form.fields.get("app", ""), user_id=form.fields.get("userId", ""), process=process
            )
        except HEICError as error:
            return says(500, {"error": "HEIC conversion failed", "detail": str(error)})

    def stored(self, call: Call, upload: Upload, *, app: str, user_id: str, process: bool) -> Reply:
        """Stores an upload, and answers with its JSON. Raises :class:`HEICError`."""
        if call.fault is FileFault.DATABASE_AWAY:
            return broken()
        if call.fault is FileFault.STORE_AWAY and not self.files.has(upload.body):
            return broken()
        medium = self.files.upload(upload.body, upload.name, app=app, user_id=user_id, process=process)
        if call.fault is FileFault.QUEUE_AWAY and process:
            raise Gone
        return says(201, self.shown(medium))


def _missing() -> Reply:
    return says(404, {"error": "Media not found"})


def _uuid(text: str) -> str:
    """As PostgreSQL reads it (8.12, UUID type). Raises :class:`ValueError`."""
    if not _ID.fullmatch(text) or text.startswith("{") != text.endswith("}"):
        raise ValueError(text)
    return str(uuid.UUID(text))


def _number(text: str) -> int:
    """As ``parseInt`` reads it; 0 for what is no number."""
    found = re.match(r"\s*[+-]?\d+", text, re.ASCII)
    return int(found[0]) if found else 0


def _variant(medium: Medium, variant: str) -> bytes:
    assert medium.look is not None
    size = (_THUMBNAIL, _THUMBNAIL) if variant == "thumb" else _inside(medium, SIDES[variant], SIDES[variant])
    return Recipe("webp", int(medium.sha256[:8], 16), *size, alpha=medium.look.alpha).make()


def _inside(medium: Medium, width: int, height: int) -> tuple[int, int]:
    """The picture's size, made smaller to fit into that; 0 sets no bound."""
    assert medium.look is not None
    wide, high = medium.look.width, medium.look.height
    scale = min((1.0, *(bound / side for bound, side in ((width, wide), (height, high)) if bound)))
    return max(1, round(wide * scale)), max(1, round(high * scale))


def _format(wanted: str, own: str) -> tuple[str, str]:
    """What is made, and what it is called. Raises :class:`ValueError` for what the sandbox cannot make."""
    if wanted in ("webp", "jpeg", "png"):
        return wanted, f"image/{wanted}"
    if wanted == "avif" or own not in ("jpeg", "png", "webp"):
        raise ValueError(wanted)
    return own, "application/octet-stream"


def _exif(medium: Medium) -> dict[str, JSON]:
    return {} if medium.look is None else medium.look.exif


def _taken(medium: Medium) -> str:
    taken = _exif(medium).get("dateTaken")
    return taken if isinstance(taken, str) else ""


def _dated(medium: Medium) -> str:
    return _taken(medium) or iso(medium.created_at)


def _instant(text: str) -> str:
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return iso(int(moment.timestamp() * 1_000))


def _sorted(media: list[Medium], by: str, *, ascending: bool) -> list[Medium]:
    """Those without a date are the latest, as in PostgreSQL."""
    found = sorted(media, key=lambda medium: medium.created_at, reverse=True)
    if by == "size":
        found.sort(key=lambda medium: medium.size, reverse=not ascending)
    elif by == "dateTaken":
        found.sort(key=lambda medium: (not _taken(medium), _taken(medium)), reverse=not ascending)
    elif ascending:
        found.reverse()
    return found
