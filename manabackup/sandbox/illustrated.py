"""Files of an invented account, and rows that refer to them: in every way in which rows of the web app do.

The rows come after those of a :class:`~manabackup.sandbox.plan.Plan`, which knows nothing of them. What each reference
leads to is told, so that another reading of the rows can be judged.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..model.registry import load
from ..text.jsontext import JSON
from .api import FILES_BUCKET, SONGS_BUCKET
from .changelog import ChangeLog, StoredChange
from .draft import Draft, Shape, microseconds, timestamp, uuid4
from .exif import Camera
from .filestore import FileStore
from .lifelike import lifelike_shapes
from .lives import Pen, Row, Writer, person
from .pictures import Kind, Recipe
from .plan import Plan
from .population import Account
from .prose import Prose

Fate = Literal["here", "gone", "lost", "data", "foreign", "unresolved", "nothing"]
"""What becomes of a reference: its file can be had; the medium is unknown to the service; it is known, and its bytes
are away; the reference is the file; the file is somebody else's; nobody can say where it is; it is no reference."""

WEB_MEDIA: Final = "https://media.mana.how"
_OLD_HOSTS: Final = ("http://localhost:3015", "https://old.example.net/files", "http://mana-media:3011", WEB_MEDIA)
_KINDS: Final[tuple[Kind, ...]] = ("jpeg", "jpeg", "jpeg", "png", "webp")
_ENDINGS: Final[Mapping[Kind, str]] = {"jpeg": "JPG", "png": "png", "webp": "webp"}
_SIDES: Final[tuple[tuple[int, int], ...]] = ((640, 480), (480, 640), (1_200, 900), (320, 320), (2_400, 1_800))
_ROOM: Final = 200_000
"""Bytes in which each of these has room."""
_LOOKS: Final = 8
"""So many different pictures there are; their Exif and what fills them up make them different files."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What files an account has."""

    seed: int = 1
    pictures: int = 24
    picture_bytes: int = 0
    """Of each, and at least 2,000; 0: as it comes, some ten kB. Small ones have fewer pixels."""
    gone: int = 2
    """Further pictures that somebody has deleted."""
    lost: int = 2
    """Further pictures whose bytes the store does not have."""
    documents: int = 3
    songs: int = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """One string in a row, and the one file that it leads to. A string with several files in it gives several."""

    table: str
    row_id: str
    path: str
    """Members and indexes, as ``props.images[0].url``."""
    text: str = field(repr=False)
    fate: Fate
    sha256: str | None = None
    """Of the file, where it is ``here`` or ``data``, and of the missing bytes where it is ``lost``."""


@dataclass(frozen=True, slots=True)
class Illustrations:
    """What was made."""

    media: Mapping[str, str]
    """Media id → SHA-256, of those that can be had."""
    references: tuple[Reference, ...]

    @property
    def files(self) -> frozenset[str]:
        """SHA-256 of every file that an export should hold."""
        return frozenset(one.sha256 for one in self.references if one.fate in ("here", "data") and one.sha256)


@dataclass(frozen=True, slots=True)
class _Ref:
    """A string in the values of a row that is still to be written."""

    text: str
    targets: tuple[_Target, ...]


@dataclass(frozen=True, slots=True)
class _Target:
    id: str
    fate: Fate
    sha256: str | None = None


_Value: TypeAlias = "JSON | _Ref | list[_Value] | dict[str, _Value]"
_Values: TypeAlias = dict[str, _Value]

_FOREIGN: Final = _Target("", "foreign")
_UNRESOLVED: Final = _Target("", "unresolved")


def illustrate(
    log: ChangeLog, files: FileStore, account: Account, plan: FilePlan | None = None, *, media_url: str = WEB_MEDIA
) -> Illustrations:
    """Puts files into the services and rows into the log of an account; the same arguments give the same ones.

    ``media_url``: what the media service calls itself in rows (``PUBLIC_URL``, without ``/api/v1``).
    """
    plan = FilePlan() if plan is None else plan
    maker = _Illustrator(files, account, plan, media_url)
    with files.transaction():
        maker.store()
    log.append_many(maker.changes())
    here = {one.id: one.sha256 for one in maker.media if one.fate == "here" and one.sha256 is not None}
    return Illustrations(here, tuple(maker.references))


class _Illustrator:
    def __init__(self, files: FileStore, account: Account, plan: FilePlan, media_url: str) -> None:
        self._rng = Random(f"files {plan.seed} {account.email}")  # noqa: S311 - test data, the same for the same seed
        self._seed = self._rng.getrandbits(32)  # other accounts have other files
        self._files = files
        self._account = account
        self._plan = plan
        self._base = f"{media_url}/api/v1"
        self._draft = Draft(self._rng, Prose(self._rng))
        self._pen = Pen(self._draft)
        self._begin = microseconds(Plan().end)
        self._writer = Writer(
            account.user_id,
            (uuid4(self._rng),),
            person(account.user_id, account.name),
            AESGCM(account.master_key),
        )
        self._next = 0
        self.media: list[_Target] = []
        self.documents: list[tuple[_Target, int]] = []
        self.songs: list[tuple[_Target, int]] = []
        self.references: list[Reference] = []

    # --- files

    def store(self) -> None:
        """All files, those among them that are gone and lost."""
        plan, fates = self._plan, ["here"] * self._plan.pictures
        fates += ["gone"] * plan.gone + ["lost"] * plan.lost
        for number, fate in enumerate(fates):
            medium = self._files.generate(
                self._recipe(number),
                f"IMG_{number:04d}.{_ENDINGS[_kind(number)]}",
                media_id=uuid4(self._rng),
                created_at=self._begin // 1_000 - 86_400_000 + number,
                references=[("picture", self._account.user_id)] if number % 2 else [],
            )
            if fate == "gone":
                self._files.delete(medium.id)
                self.media.append(_Target(medium.id, "gone"))
            elif fate == "lost":
                self._files.lose(medium.id)
                self.media.append(_Target(medium.id, "lost", medium.sha256))
            else:
                self.media.append(_Target(medium.id, "here", medium.sha256))
        for number in range(plan.documents):
            key = f"users/{self._account.user_id}/{uuid4(self._rng)}.pdf"
            self.documents.append(self._kept(FILES_BUCKET, key, Recipe("pdf", number, size=2_000 + 31 * number)))
        for number in range(plan.songs):
            key = f"users/{self._account.user_id}/songs/{uuid4(self._rng)}/Lied {number + 1} (Ä).mp3"
            self.songs.append(self._kept(SONGS_BUCKET, key, Recipe("mp3", number, size=40_000 + 417 * number)))

    def _kept(self, bucket: str, key: str, recipe: Recipe) -> tuple[_Target, int]:
        return _Target(key, "here", self._files.put(bucket, key, recipe).sha256), recipe.size

    def _recipe(self, number: int) -> Recipe:
        kind, size = _kind(number), self._plan.picture_bytes
        sides = _SIDES
        if size and size < _ROOM:
            sides = ((64, 48),)
        elif kind == "webp":
            sides = _SIDES[:-1]  # without compression they become large
        width, height = sides[number // 2 % len(sides)]
        camera = None
        if kind == "jpeg":
            taken = datetime(2025, 6, 1, 10, 20, 30) + timedelta(hours=7 * number)  # noqa: DTZ001 - a camera's clock
            place = (47.37 + number % 90 / 100, 8.54 - number % 70 / 10) if number % 3 else None
            camera = Camera("Fictoria", f"Model {number % 9}", taken, orientation=(1, 6, 3)[number % 3], place=place)
        seed = self._seed + number
        return Recipe(kind, seed, width, height, size, camera=camera, look=number % _LOOKS)

    # --- strings

    def _medium(self) -> _Target:
        """Another medium each time, until all have had their turn."""
        self._next += 1
        return self.media[self._next % len(self.media)]

    def _id(self, medium: _Target | None = None, *, capitals: bool = False) -> _Ref:
        medium = medium or self._medium()
        return _Ref(medium.id.upper() if capitals else medium.id, (medium,))

    def _url(self, medium: _Target | None = None, *, base: str | None = None, what: str = "file") -> _Ref:
        medium = medium or self._medium()
        return _Ref(f"{base or self._base}/media/{medium.id}/{what}", (medium,))

    def _web(self) -> _Ref:
        """As the web app writes it, under the address that it was built with."""
        return self._url(base=f"{self._draft.pick(_OLD_HOSTS)}/api/v1", what="file/large")

    def _foreign(self) -> _Ref:
        return _Ref(f"https://img.example.org/{self._draft.integer(1, 999)}/cover.jpg?w=300&q=ä", (_FOREIGN,))

    # --- rows

    def changes(self) -> Iterator[StoredChange]:
        """The rows, in the order in which they refer to each other; then an album with all pictures."""
        d = self._draft
        for number, (table, values) in enumerate(self._rows()):
            created = self._begin + 1_000 * (number + 1)
            d.now = created
            yield self._written(table, values, created)

    def _written(self, name: str, values: _Values, created: int) -> StoredChange:
        d, table = self._draft, load().by_name[name]
        identifier = values.pop("id", None)
        row_id = identifier if isinstance(identifier, str) else d.id()
        plain: dict[str, JSON] = {}
        for key, value in values.items():
            plain[key] = self._told(name, row_id, key, value)
        usual = lifelike_shapes()[name]
        shape = Shape(lambda draft: {**usual.make(draft), **plain}, usual.times)
        scope: dict[str, JSON] = {"userId": self._account.user_id}
        space = None
        if table.scope == "space":
            space = self._account.personal_space
            scope = {"spaceId": space, "authorId": self._account.user_id, "visibility": "space"}
        row = Row(table, table.collection, row_id, self._writer, shape, space)
        change = self._pen.insert(row, scope, sealed=True)
        return StoredChange(self._account.user_id, self._writer.clients[0], table.app, change, created, d.id())

    def _told(self, table: str, row_id: str, path: str, value: _Value) -> JSON:
        """The value without its marks, which are noted."""
        if isinstance(value, _Ref):
            for target in value.targets:
                self.references.append(Reference(table, row_id, path, value.text, target.fate, target.sha256))
            return value.text
        if isinstance(value, list):
            return [self._told(table, row_id, f"{path}[{at}]", one) for at, one in enumerate(value)]
        if isinstance(value, dict):
            return {name: self._told(table, row_id, f"{path}.{name}", one) for name, one in value.items()}
        return value

    def _rows(self) -> Iterator[tuple[str, _Values]]:
        yield from self._images()
        yield from self._of_ids()
        yield from self._of_addresses()
        yield from self._of_keys()
        album = self._draft.id()
        yield "albums", {"id": album, "coverMediaId": self._id(self.media[0])}
        for medium in self.media:
            yield "albumItems", {"albumId": album, "mediaId": self._id(medium)}

    def _images(self) -> Iterator[tuple[str, _Values]]:
        """Pictures of the app that makes them, and the rows that hold ids of such rows."""
        d = self._draft
        made, uploaded = self._medium(), self._medium()
        first, second = d.id(), d.id()
        yield "images", {"id": first, "storagePath": self._id(made), "publicUrl": self._url(made), **_NO_REFERENCES}
        thumb = self._url(uploaded, what="file/thumb")
        yield "images", {"id": second, "storagePath": self._url(uploaded), "publicUrl": thumb, **_NO_REFERENCES}
        away = _Ref("https://maker.example.org/v1/out-0.png", (_FOREIGN,))
        yield "images", {"storagePath": away, "publicUrl": away, "referenceImageIds": [self._id(), self._id()]}
        inline = _Ref("inline-1777412345678-0", (_Target("", "nothing"),))
        yield "images", {"storagePath": inline, "publicUrl": self._data(), **_NO_REFERENCES}
        old = f"users/{self._account.user_id}/{d.id()}.png"
        where = _Ref(f"https://minio.mana.how/picture-storage/{old}", (_UNRESOLVED,))
        yield "images", {"storagePath": _Ref(old, (_UNRESOLVED,)), "publicUrl": where, **_NO_REFERENCES}

        def row(identifier: str, medium: _Target) -> _Ref:
            return _Ref(identifier, (medium,))

        one, two = row(first, made), row(second, uploaded)
        yield "images", {"storagePath": self._id(), "publicUrl": None, "referenceImageIds": [one, self._id()]}
        yield "comicStories", {"panelImageIds": [one, two], "characterMediaIds": [self._id(), two]}
        yield (
            "comicCharacters",
            {
                "sourceFaceMediaId": self._id(),
                "sourceBodyMediaId": self._id(),
                "variantMediaIds": [two, one],
                "pinnedVariantId": two,
            },
        )
        yield "boardItems", {"imageId": one}
        yield "imageTags", {"imageId": two}
        yield "wardrobeOutfits", {"lastTryOn": {"imageUrl": self._url(made), "imageId": one, "createdAt": timestamp(0)}}

    def _data(self) -> _Ref:
        body = Recipe("png", self._plan.seed, 96, 64).make()
        target = _Target("", "data", hashlib.sha256(body).hexdigest())
        return _Ref(f"data:image/png;base64,{base64.b64encode(body).decode()}", (target,))

    def _of_ids(self) -> Iterator[tuple[str, _Values]]:
        mine, meal, plant = self._medium(), self._medium(), self._medium()
        yield (
            "meImages",
            {
                "mediaId": self._id(mine),
                "storagePath": self._id(mine),
                "publicUrl": self._url(mine),
                "thumbnailUrl": self._url(mine, what="file/thumb"),
            },
        )
        yield "contacts", {"photoUrl": self._url(mine)}
        thumb = self._url(meal, what="file/thumb")
        yield "meals", {"photoMediaId": self._id(meal), "photoUrl": self._url(meal), "photoThumbnailUrl": thumb}
        yield "plantPhotos", {"storagePath": self._id(plant), "publicUrl": self._url(plant)}
        yield "wardrobeGarments", {"mediaIds": [self._id(), self._id(capitals=True)]}
        yield "photoFavorites", {"mediaId": self._id()}
        yield "photoMediaTags", {"mediaId": self._id()}
        yield "invoiceSettings", {"logoMediaId": self._id()}
        paper = self._medium()
        source: _Values = {"type": "upload", "mediaId": self._id(paper), "url": self._url(paper)}
        yield "workbenchScenes", {"wallpaper": {"source": source}}
        yield "workbenchScenes", {"wallpaper": {"source": {"type": "gradient", "value": "sunset"}}}

    def _of_addresses(self) -> Iterator[tuple[str, _Values]]:
        """Addresses under any host, inside texts and documents, and those of others."""
        yield "websiteBlocks", {"type": "image", "props": {"url": self._web(), "alt": "Bild"}}
        pictures: list[_Value] = [{"url": self._web()}, {"url": self._foreign()}, {"url": self._web()}]
        yield "websiteBlocks", {"type": "gallery", "props": {"images": pictures}}
        yield "broadcastCampaigns", {"subject": "Rundbrief", "content": self._letter()}
        yield "broadcastTemplates", {"name": "Vorlage", "content": self._letter()}
        yield "slides", {"content": {"type": "image", "title": "Bild", "imageUrl": self._url(what="file/medium")}}
        yield "cities", {"imageUrl": self._foreign()}
        yield "ccLocations", {"imageUrl": self._url(what="transform?w=400&format=jpeg")}
        yield "libraryEntries", {"coverUrl": self._foreign(), "coverMediaId": None}
        yield "cities", {"imageUrl": _Ref("http://192.168.0.1/camera.jpg", (_FOREIGN,))}
        picture = self._foreign()
        html = _Ref(f'<p>Ä</p><img src="{picture.text.replace("&", "&amp;")}" alt="">', picture.targets)
        for table in ("newsArticles", "articles"):
            yield table, {"imageUrl": self._foreign(), "htmlContent": html, "content": "Ä"}
        one, two = self._web(), self._url()
        text = f"# Ausflug\n\n![Bild]({one.text}) und ![noch eins]({two.text})\n"
        yield "notes", {"title": "Ausflug", "content": _Ref(text, one.targets + two.targets)}

    def _letter(self) -> _Values:
        picture, other = self._web(), self._foreign()
        html = f'<p>Guten Tag</p><img src="{picture.text}" width="600"><img src="{other.text.replace("&", "&amp;")}">'
        node: _Values = {"type": "image", "attrs": {"src": picture, "alt": None, "title": None}}
        paragraph: _Values = {"type": "paragraph", "content": [{"type": "text", "text": "Guten Tag"}]}
        return {
            "html": _Ref(html, picture.targets + other.targets),
            "tiptap": {"type": "doc", "content": [paragraph, node]},
            "plainText": "Guten Tag",
        }

    def _of_keys(self) -> Iterator[tuple[str, _Values]]:
        picture = self._medium()
        size = 0 if picture.sha256 is None else len(self._files.body(picture.sha256))
        ways = [*self.documents, (picture, size), (_Target(self._dead("pdf"), "unresolved"), 4_711)]
        for target, length in ways:
            where = _Ref(target.id, (target,))
            yield "files", {"storagePath": where, "storageKey": where, "size": length, "thumbnailPath": None}
        for target, length in self.documents[:1]:
            old = _Ref(f"https://minio.mana.how/{FILES_BUCKET}/{target.id}", (target,))
            yield "files", {"storagePath": old, "storageKey": old, "size": length, "thumbnailPath": None}
        for number, (target, length) in enumerate(self.songs):
            cover: _Value = (None, self._id(), _Ref(self._dead("jpg"), (_UNRESOLVED,)))[number % 3]
            yield "songs", {"storagePath": _Ref(target.id, (target,)), "fileSize": length, "coverArtPath": cover}
        yield "mukkePlaylists", {"coverArtPath": self._id()}

    def _dead(self, ending: str) -> str:
        """A key that no bucket has."""
        return f"users/{self._account.user_id}/{self._draft.id()}.{ending}"


_NO_REFERENCES: Final[Mapping[str, JSON]] = {"referenceImageIds": None}


def _kind(number: int) -> Kind:
    return _KINDS[number % len(_KINDS)]
