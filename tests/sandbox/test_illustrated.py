"""Files of an invented account: what rows say of them is what is there."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from manabackup.crypto.fields import FieldCipher, is_encrypted
from manabackup.model.registry import load
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.changelog import Asked, ChangeLog
from manabackup.sandbox.filestore import FileStore
from manabackup.sandbox.illustrated import FilePlan, Illustrations, Reference, illustrate
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import Account, populate
from manabackup.text import jsontext

FIELDS = """
images.storagePath images.publicUrl images.referenceImageIds[] meImages.mediaId meImages.storagePath meImages.publicUrl
meImages.thumbnailUrl contacts.photoUrl meals.photoMediaId meals.photoUrl meals.photoThumbnailUrl
plantPhotos.storagePath plantPhotos.publicUrl wardrobeGarments.mediaIds[] wardrobeOutfits.lastTryOn.imageUrl
wardrobeOutfits.lastTryOn.imageId comicStories.panelImageIds[] comicStories.characterMediaIds[]
comicCharacters.sourceFaceMediaId comicCharacters.sourceBodyMediaId comicCharacters.variantMediaIds[]
comicCharacters.pinnedVariantId boardItems.imageId imageTags.imageId albums.coverMediaId albumItems.mediaId
photoFavorites.mediaId photoMediaTags.mediaId invoiceSettings.logoMediaId workbenchScenes.wallpaper.source.mediaId
workbenchScenes.wallpaper.source.url websiteBlocks.props.url websiteBlocks.props.images[].url
broadcastCampaigns.content.html broadcastCampaigns.content.tiptap.content[].attrs.src broadcastTemplates.content.html
broadcastTemplates.content.tiptap.content[].attrs.src slides.content.imageUrl cities.imageUrl ccLocations.imageUrl
libraryEntries.coverUrl files.storagePath files.storageKey songs.storagePath songs.coverArtPath
mukkePlaylists.coverArtPath newsArticles.imageUrl newsArticles.htmlContent articles.imageUrl articles.htmlContent
notes.content
"""
"""Every field in which the web app's rows refer to files, and a text in which they may."""


class Services:
    def __init__(self, log: ChangeLog, files: FileStore, account: Account) -> None:
        self.log = log
        self.files = files
        self.account = account

    def rows(self, table: str) -> dict[str, dict[str, Any]]:
        """Id → values as the account's user sees them, of rows that came with the files."""
        known, cipher = load().by_name[table], FieldCipher(self.account.master_key)
        found = {}
        for stored in self.log.pull(known.app, known.collection, Asked(self.account.user_id, (), "", -1, 10**6)):
            change = jsontext.parse(stored.wire())
            opened = {
                name: jsontext.parse(cipher.decrypt(value)) if is_encrypted(value) else value
                for name, value in change["data"].items()
            }
            found[change["id"]] = opened
        return found


@contextmanager
def illustrated(plan: FilePlan | None = None) -> Iterator[tuple[Services, Illustrations]]:
    log, accounts, files = ChangeLog(), Accounts(), FileStore()
    try:
        account = populate(log, accounts, Plan(rows=0))
        made = illustrate(log, files, account, plan)
        yield Services(log, files, account), made
    finally:
        log.close()
        accounts.close()
        files.close()


@pytest.fixture(scope="module")
def usual() -> Iterator[tuple[Services, Illustrations]]:
    with illustrated() as served:
        yield served


def _at(values: Any, path: str) -> Any:
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        values = values[int(index)] if index else values[name]
    return values


def _pattern(one: Reference) -> str:
    return f"{one.table}.{re.sub(r'[0-9]+(?=])', '', one.path)}"


def test_every_field_refers_to_something(usual: tuple[Services, Illustrations]) -> None:
    assert {_pattern(one) for one in usual[1].references} == set(FIELDS.split())
    assert {one.fate for one in usual[1].references} == {
        *("here", "gone", "lost", "data", "foreign", "unresolved", "nothing"),
    }


def test_rows_hold_what_is_told_of_them(usual: tuple[Services, Illustrations]) -> None:
    services, made = usual
    for table in {one.table for one in made.references}:
        rows = services.rows(table)
        for one in made.references:
            if one.table == table:
                assert _at(rows[one.row_id], one.path) == one.text


def test_private_fields_are_encrypted_on_the_server(usual: tuple[Services, Illustrations]) -> None:
    services, _ = usual
    known = load().by_name["broadcastCampaigns"]
    stored = services.log.pull(known.app, known.collection, Asked(services.account.user_id, (), "", -1, 10))
    assert [is_encrypted(jsontext.parse(row.wire())["data"]["content"]) for row in stored] == [True]


def test_files_are_where_references_lead(usual: tuple[Services, Illustrations]) -> None:
    services, made = usual
    images = services.rows("images")
    for one in made.references:
        if one.fate == "data":
            body = base64.b64decode(one.text.partition(",")[2])
            assert hashlib.sha256(body).hexdigest() == one.sha256
        if one.fate in ("here", "lost") and one.text not in images:
            assert _followed(services.files, one) == (one.sha256, one.fate == "lost")
        if one.fate == "gone" and one.text not in images:
            assert _followed(services.files, one) is None
        if one.text in images:
            target = images[one.text]["storagePath"]
            assert any(other.text == target and other.sha256 == one.sha256 for other in made.references)


def _followed(files: FileStore, one: Reference) -> tuple[str, bool] | None:
    """Hash of the bytes that a reference leads to, and whether they are away."""
    key = one.text.removeprefix("https://minio.mana.how/storage-storage/")
    if key.startswith("users/"):
        stored = files.stored("music-storage" if "/songs/" in key else "storage-storage", key)
        assert stored is not None
        return hashlib.sha256(files.body(stored.sha256)).hexdigest(), False
    found = [files.medium(name.lower()) for name in re.findall(r"[0-9A-Fa-f-]{36}", one.text)]
    media = [medium for medium in found if medium is not None and one.sha256 in (None, medium.sha256)]
    if not media:
        return None
    return hashlib.sha256(files.body(media[0].sha256)).hexdigest(), media[0].lost


def test_an_account_holds_as_many_files_as_were_asked_for() -> None:
    plan = FilePlan(pictures=7, gone=1, lost=3, documents=2, songs=1, picture_bytes=2_000)
    with illustrated(plan) as (services, made):
        assert len(made.media) == 7
        assert len(made.files) == 7 + 2 + 1 + 1  # and one that stands in its row
        kept = services.files.media()
        assert [medium.lost for medium in kept].count(True) == 3
        assert {medium.size for medium in kept} == {2_000}


def test_two_accounts_share_no_file_but_where_they_should() -> None:
    with illustrated(FilePlan(pictures=3, picture_bytes=2_000)) as (services, made):
        log, accounts = ChangeLog(), Accounts()
        with closing(log), closing(accounts):
            other = populate(log, accounts, Plan(rows=0), email="beat@example.org")
            more = illustrate(log, services.files, other, FilePlan(pictures=9, picture_bytes=2_000))
        assert not made.media.keys() & more.media.keys()
        media = [services.files.medium(name) for name in (*made.media, *more.media)]
        assert [medium is not None and not medium.lost for medium in media] == [True] * 12


def test_the_same_plan_gives_the_same_files_and_rows() -> None:
    plan = FilePlan(seed=3, pictures=4, picture_bytes=2_000)
    made, logs = [], []
    for _ in range(2):
        with illustrated(plan) as (services, illustrations):
            made.append(illustrations)
            logs.append([sorted(services.rows(table).items()) for table in ("images", "notes", "albumItems")])
    assert made[0] == made[1]
    assert logs[0] == logs[1]
