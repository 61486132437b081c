"""What is ciphertext in an archive is marked; text that begins like it is text, wherever it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher, is_encrypted
from manabackup.errors import FieldDecryptionError
from manabackup.mirror import Mirror
from manabackup.model import registry
from manabackup.operations import pull
from manabackup.operations.archives.reseal import seal, unseal
from manabackup.operations.archives.verify import verify
from manabackup.operations.compare.diff import Side, diff
from manabackup.operations.export import ExportResult, Source, export
from manabackup.operations.rekey import rekey
from manabackup.operations.restore.identity import TargetSpaces
from manabackup.operations.restore.restoring import restore
from manabackup.operations.restore.target_account import TargetAccount
from manabackup.remote.connection import connect
from manabackup.remote.session import StaticToken
from manabackup.remote.sync import SyncClient
from manabackup.rows.marks import Marks
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.archives import LIKE_CIPHERTEXT, lines, manifest, meta_of, opened, ours, rows, web

MINE, THEIRS, NOBODYS = (FieldCipher(bytes([number]) * 32) for number in (1, 2, 3))
THEIR_KEY = bytes([2]) * 32
LOST = NOBODYS.encrypt(b'"nobody reads this any more"')
CREATED = "2026-01-01T00:00:00.000Z"
PASSPHRASE = "correct horse battery staple"


class People:
    """Accounts on an embedded server."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.box = box
        self._folder = folder
        self._numbers = count()

    def newcomer(self) -> tuple[str, str]:
        """User id and personal space of somebody new."""
        email = f"{next(self._numbers)}@example.org"
        user = self.box.accounts.create_user(email, "password", "Neu", bootstrap=False).id
        return user, next(space.id for space, _ in self.box.accounts.spaces.of_user(user))

    def write(self, who: tuple[str, str], record: str, data: Mapping[str, Any]) -> None:
        """A note."""
        user, home = who
        whole = {"createdAt": CREATED, "spaceId": home, **data}
        change = {"table": "notes", "op": "insert", "id": record, "spaceId": home, "data": whole}
        self.box.log.append(user, "laptop", "notes", change)

    def place(self) -> Path:
        """A path where nothing is."""
        return self._folder / f"{next(self._numbers)}.mana"

    def exported(self, who: tuple[str, str], cipher: FieldCipher | None) -> tuple[Path, ExportResult]:
        """An archive of an account."""
        user, home = who
        path = self.place()
        with (
            connect(
                StaticToken(self.box.accounts.issue_token(user)), auth_url=self.box.url, sync_url=self.box.url
            ) as to,
            Mirror(path.with_suffix(".sqlite"), sync_url=self.box.url, user_id=user) as mirror,
        ):
            pull.run(mirror, SyncClient(to.sync, to.tokens, mirror.client_id), registry.load())
            with mirror.snapshot() as snapshot:
                source = Source(snapshot, registry.load(), user, cipher, space_types={home: "personal"})
                return path, export(source, path)

    def restored(self, path: Path, who: tuple[str, str], cipher: FieldCipher | None) -> dict[str, Any]:
        """What came of restoring an archive into an account, verified."""
        user, home = who
        with (
            open_archive(path) as archive,
            connect(
                StaticToken(self.box.accounts.issue_token(user)), auth_url=self.box.url, sync_url=self.box.url
            ) as to,
        ):
            target = TargetAccount(to, TargetSpaces(user, {home: "personal"}, home), cipher)
            result = restore(archive, target, path.with_suffix(".d"), confirm=lambda plan: True)
        assert (result.verification is not None) == (result.plan.planned > 0)
        assert result.verification is None or result.verification.ok, result.verification
        return result.to_json()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with Sandbox() as box:
        yield People(box, tmp_path)


def sealed(text: Any, cipher: FieldCipher = MINE) -> str:
    return cipher.encrypt(jsontext.dumps(text))


# --- the whole way ----------------------------------------------------------------------------------------------------


@given(
    texts=st.lists(st.one_of(LIKE_CIPHERTEXT, st.text(max_size=40)), min_size=1, max_size=10), by_rekey=st.booleans()
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives_export_rekey_restore_and_export(people: People, texts: list[str], by_rekey: bool) -> None:
    """In a registered field, in one that only a newer app encrypts, and in clear, where a server lets it be told."""
    one, other = people.newcomer(), people.newcomer()
    for number, text in enumerate(texts):
        data = {"title": sealed(text), "mood": sealed([text]), "tone": sealed(text)}
        # The web app never encrypts what begins so. Of what has the whole form nobody can tell what it is, and what
        # holds a NUL no server stores.
        data |= {} if is_encrypted(text) or "\0" in text else {"content": text, "color": text}
        people.write(one, f"n{number:03}", data)
    people.write(one, "lost", {"title": LOST, "content": sealed("found"), "mood": LOST})
    path, exported = people.exported(one, MINE)
    assert exported.completeness["losses"] == {"undecryptable": 2}
    before = rows(path, "notes")
    for number, text in enumerate(texts):
        row = before[f"n{number:03}"]
        assert (row["title"], row["mood"], row["tone"]) == (text, [text], text)
    marked = {line["id"]: line["ciphertext"] for line in lines(path, "meta/notes.jsonl") if "ciphertext" in line}
    assert marked == {"lost": ["mood", "title"]}
    assert [note for note in verify(path).notes if "still encrypted" in note] == [
        "fields that the writer could not open are still encrypted, in 1 row"
    ]
    if by_rekey:
        target = people.place()
        with open_archive(path) as archive:
            assert rekey(archive, target, THEIRS).losses == {"ciphertextLeftOut": 2}
        report = verify(target, cipher=THEIRS)
        assert (report.problems, report.opened) == ([], True)
        with open_archive(path) as first, open_archive(target) as second:
            found = diff(Side(first), Side(second, THEIRS))
        assert [row.id for row in found.tables["notes"].changed_rows] == ["lost"]
        path = target
    result = people.restored(path, other, THEIRS)
    assert result["leftOut"] == (0 if by_rekey else 2)
    for change in people.box.log.pull("notes", "notes", Asked(other[0], [other[1]], "", 0, 10_000)):
        data = jsontext.parse(change.wire()).get("data", {})
        assert all(is_encrypted(data[name]) for name in ("title", "content") if data.get(name) is not None)
    copy, again = people.exported(other, THEIRS)
    assert again.completeness["losses"] == {}
    after = rows(copy, "notes")
    for identifier in before.keys() - {"lost"}:
        wanted = {name: value for name, value in before[identifier].items() if name not in ("authorId", "spaceId")}
        assert {name: after[identifier].get(name) for name in wanted} == wanted
    assert "title" not in after["lost"]
    assert people.restored(path, other, THEIRS)["planned"] == 0, "what is there already is not written again"


def test_text_in_clear_stays_in_clear_where_it_cannot_be_mistaken(people: People) -> None:
    one, other = people.newcomer(), people.newcomer()
    people.write(one, "n", {"title": "enc:1: a note about it", "color": "enc:1: green"})
    path, result = people.exported(one, MINE)
    assert result.completeness["notices"] == {"likeCiphertext": 2, "plaintextField": 1}
    target = people.place()
    with open_archive(path) as archive:
        rekey(archive, target, THEIRS)
    row = rows(target, "notes")["n"]
    assert (opened(row["title"], THEIR_KEY), row["color"]) == (b'"enc:1: a note about it"', "enc:1: green")
    (line,) = lines(target, "meta/notes.jsonl")
    assert (line["ciphertext"], line["sealed"]) == (["title"], [])
    people.restored(target, other, THEIRS)
    copy, _ = people.exported(other, THEIRS)
    row = rows(copy, "notes")["n"]
    assert (row["title"], row["color"]) == ("enc:1: a note about it", "enc:1: green")


@pytest.mark.parametrize("cipher", [MINE, None])
def test_what_does_not_open_and_has_the_form_of_ciphertext_is_some(people: People, cipher: FieldCipher | None) -> None:
    one = people.newcomer()
    people.write(one, "n", {"title": LOST, "content": "enc:1:broken.off"})
    path, result = people.exported(one, cipher)
    assert result.completeness["losses"] == {"undecryptable": 1}
    assert lines(path, "meta/notes.jsonl")[0]["ciphertext"] == ["title"]


def test_an_archive_without_such_values_differs_by_one_key_of_its_manifest(people: People) -> None:
    one = people.newcomer()
    people.write(one, "n", {"title": sealed("x"), "mood": sealed("y")})
    path, _ = people.exported(one, MINE)
    assert manifest(path)["ciphertextMarked"] is True
    (line,) = lines(path, "meta/notes.jsonl")
    assert line.keys() == {"id", "space", "at", "actor", "origin", "fields", "sealed"}


# --- archives that mark, and archives that do not ---------------------------------------------------------------------

TEXT = MINE.encrypt(b'"a text that is ciphertext of the very key"')
ROW = {"id": "n", "title": TEXT, "content": LOST, "color": "enc:1: x"}


def marked(path: Path, *ciphertext: str, **more: Any) -> Path:
    told = meta_of(ROW, **({"ciphertext": list(ciphertext)} if ciphertext else {}))
    return ours(path, {"notes": [ROW]}, meta={"notes": [told]}, additions={"ciphertextMarked": True}, **more)


def test_what_is_marked_is_ciphertext_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "out.mana"
    with open_archive(marked(tmp_path / "a.mana", "content")) as archive:
        result = rekey(archive, out, THEIRS, opener=MINE)
    assert result.losses == {"ciphertextLeftOut": 1}
    assert jsontext.parse(opened(rows(out, "notes")["n"]["title"], THEIR_KEY)) == TEXT, "it is not opened twice"
    with open_archive(marked(tmp_path / "b.mana", "title")) as archive:
        result = rekey(archive, out, THEIRS, opener=MINE, force=True)
    assert result.losses == {}
    row = rows(out, "notes")["n"]
    assert opened(row["title"], THEIR_KEY) == b'"a text that is ciphertext of the very key"'
    assert jsontext.parse(opened(row["content"], THEIR_KEY)) == LOST


def test_where_nothing_is_marked_the_key_and_the_form_decide(tmp_path: Path) -> None:
    """Archives of the web app and of version 0.1.0."""
    for path in (ours(tmp_path / "a.mana", {"notes": [ROW]}), web(tmp_path / "w.mana", {"notes": [ROW]})):
        out = tmp_path / f"{path.name}.out"
        with open_archive(path) as archive:
            result = rekey(archive, out, THEIRS, opener=MINE)
        assert result.losses == {"ciphertextLeftOut": 1}
        row = rows(out, "notes")["n"]
        assert opened(row["title"], THEIR_KEY) == b'"a text that is ciphertext of the very key"'
        assert (row["color"], lines(out, "meta/notes.jsonl")[0]["omitted"]) == ("enc:1: x", ["content"])
        (found,) = manifest(out)["completeness"]["losses"]["ciphertextLeftOut"]["cases"]
        assert (found["id"], found["field"]) == ("n", "content")


def test_verify_counts_rows_that_hold_ciphertext(tmp_path: Path) -> None:
    def counted(path: Path) -> list[str]:
        report = verify(path)
        assert report.ok
        return [note.rpartition(", ")[2] for note in report.notes if "still encrypted" in note]

    assert counted(marked(tmp_path / "a.mana", "content")) == ["in 1 row"]
    assert counted(marked(tmp_path / "b.mana")) == []
    text = {"id": "t", "title": "enc:1: x", "nested": {"deep": LOST}}
    respelled = json.dumps({"id": "u", "title": LOST}).replace("enc", "\\u0065nc").encode()
    assert counted(ours(tmp_path / "c.mana", {"notes": [ROW, text, respelled]})) == ["in 2 rows"]
    assert counted(web(tmp_path / "d.mana", {"notes": [ROW, text]})) == ["in 1 row"]


def test_diff_opens_what_is_marked_alone(tmp_path: Path) -> None:
    plain = {"id": "n", "title": "a text that is ciphertext of the very key", "content": LOST, "color": "enc:1: x"}
    other = ours(tmp_path / "o.mana", {"notes": [plain]}, additions={"ciphertextMarked": True})
    for name, ciphertext, equal in (("a", "title", True), ("b", "content", False)):
        with open_archive(marked(tmp_path / f"{name}.mana", ciphertext)) as one, open_archive(other) as two:
            assert diff(Side(one, MINE), Side(two)).equal == equal


def test_marks_stay_when_an_archive_is_sealed_and_opened(tmp_path: Path) -> None:
    plain, shut, back = marked(tmp_path / "a.mana", "content"), tmp_path / "s.mana", tmp_path / "b.mana"
    seal(plain, shut, lambda: PASSPHRASE)
    assert "ciphertextMarked" not in manifest(shut), "it says something of the content"
    unseal(shut, back, lambda: PASSPHRASE)
    assert (manifest(back)["ciphertextMarked"], lines(back, "meta/notes.jsonl")) == (
        True,
        lines(plain, "meta/notes.jsonl"),
    )


def test_somebody_elses_archive_cannot_claim_marks_that_it_has_not(tmp_path: Path) -> None:
    foreign = web(tmp_path / "w.mana", {"notes": [ROW]}, ciphertextMarked=True)
    with open_archive(foreign) as archive:
        assert not Marks.of(archive).complete
    seal(foreign, tmp_path / "s.mana", lambda: PASSPHRASE)
    with open_archive(tmp_path / "s.mana", lambda: PASSPHRASE) as archive:
        assert not Marks.of(archive).complete


def test_the_private_fields_of_a_rekeyed_archive_are_told_from_text_beside_them(tmp_path: Path) -> None:
    good = THEIRS.encrypt(b'"x"')
    row = {"id": "n", "title": good, "content": "enc:1: in clear", "color": LOST}
    told = meta_of(row, ciphertext=["title"])
    path = ours(
        tmp_path / "a.mana",
        {"notes": [row]},
        meta={"notes": [told]},
        fields_plaintext=False,
        additions={"ciphertextMarked": True, "keyFingerprint": THEIRS.fingerprint},
    )
    for cipher in (None, THEIRS):
        report = verify(path, cipher=cipher)
        assert [problem.code for problem in report.problems] == ["notEncrypted"]
        assert report.encrypted_fields == 1


@pytest.mark.parametrize(
    ("complete", "plaintext", "listed", "expected"),
    [
        (True, True, ["title"], True),
        (True, True, ["mood"], False),
        (True, True, None, False),
        (True, False, ["title"], True),
        (True, False, [], False),
        (True, False, None, True),
        (False, True, None, None),
        (False, True, ["title"], None),
        (False, False, None, True),
    ],
)
def test_who_says_what_a_value_is(
    complete: bool, plaintext: bool, listed: list[str] | None, expected: bool | None
) -> None:
    marks = Marks(complete, plaintext)
    assert marks.is_ciphertext("title", listed) is expected
    if expected is False:
        assert marks.opened("title", TEXT, listed, MINE) is None
        return
    assert marks.opened("title", TEXT, listed, MINE) == b'"a text that is ciphertext of the very key"'
    for cipher, reason in ((None, "noKey"), (THEIRS, "key")):
        with pytest.raises(FieldDecryptionError) as caught:
            marks.opened("title", TEXT, listed, cipher)
        assert caught.value.reason == reason
    if expected is None:
        assert marks.opened("title", "enc:1: x", listed, MINE) is None
