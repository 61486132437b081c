"""Two ways lead to the lines of a record, and give the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.crypto.fields import FieldCipher
from manabackup.model import registry
from manabackup.model.detached import DetachedChange
from manabackup.model.projection import Numbering
from manabackup.operations.export.blocks import fold_block
from manabackup.operations.export.records import UsualRecords
from manabackup.operations.export.terms import ExportTerms, Stream
from manabackup.text import jsontext

CIPHER, OTHER = FieldCipher(bytes(32)), FieldCipher(bytes([1] * 32))
AS_STORED = "nobody opens anything"
AT = "2026-04-01T12:00:00.000Z"
times: Any = st.sampled_from([AT, AT, "2027-01-01T00:00:00.000Z", "", "soon", 7, None])
contents: Any = st.one_of(
    st.sampled_from([b'"text"', b"7", b'{"a":[1.5]}', b"no JSON", b'"\xff"', b"\n[ 1,\n2]"]).map(CIPHER.encrypt),
    st.just(b'"theirs"').map(OTHER.encrypt),
    st.sampled_from(["plain", "\ud800", "enc:1:0:28", "enc:1:0:1", "enc:2:x", 3, 1.5, 2**70, True, None]),
    st.just(["enc:1:0:28"]),
)
members: Any = st.one_of(contents, contents, st.lists(contents, max_size=2), st.dictionaries(st.just("in"), contents))
rows: Any = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["id", "title", "content", "color", "_updatedAtIndex", "__x", "x.y", "i"], members),
        **dict.fromkeys(["updatedAt", "createdAt", "deletedAt"], st.one_of(times, times, contents)),
        "spaceId": st.one_of(st.sampled_from(["s", "t", "_personal:u", "", None]), contents),
    },
)
fields: Any = rows.flatmap(
    lambda row: st.fixed_dictionaries(
        {name: st.fixed_dictionaries({"value": st.just(value)}, optional={"at": times}) for name, value in row.items()}
    )
)
envelopes: Any = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b", "c", "d", "", 3]), "table": st.sampled_from(["notes", "notes", "notes", ""])},
    optional={
        "spaceId": st.sampled_from(["s", "t", ""]),
        "actor": st.one_of(st.none(), st.dictionaries(st.just("displayName"), contents, max_size=1)),
        "origin": st.one_of(st.just("user"), contents),
        "schemaVersion": st.sampled_from([1, 1.5, True, "1"]),
        "storedAt": st.just(AT),
        "author": st.just("somebody"),
        "withoutTime": st.just(["color"]),
        "deletedAt": st.one_of(st.none(), st.just(AT), contents),
    },
)
inserts: Any = st.fixed_dictionaries({"op": st.just("insert"), "data": rows})
operations: Any = st.one_of(
    inserts,
    inserts,
    st.fixed_dictionaries({"op": st.just("update"), "fields": fields}),
    st.fixed_dictionaries({"op": st.sampled_from(["insert", "delete", "other"])}, optional={"data": members}),
)
logs: Any = st.lists(
    st.builds(lambda envelope, operation: {**envelope, **operation}, envelopes, operations), max_size=5
)


@given(
    changes=logs,
    cipher=st.sampled_from([CIPHER, CIPHER, None, AS_STORED]),
    include_deleted=st.booleans(),
    as_of=st.sampled_from([None, None, "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"]),
    table=st.sampled_from(["notes", "notes", "userSettings", None]),
)
def test_every_way_to_the_lines_of_an_archive_gives_the_same(
    changes: list[dict[str, Any]], cipher: FieldCipher | str | None, include_deleted: bool, as_of: str, table: str
) -> None:
    """The short one for usual records and the general one; with ciphertexts beside the changes, or in them."""
    key = cipher if isinstance(cipher, FieldCipher) else None
    terms = ExportTerms(key, {"t": "team"}, (), include_deleted, as_of, "2026-05-02", 1 << 20)
    terms = replace(terms, as_stored=cipher == AS_STORED)
    stream = Stream("notes", registry.load().by_name.get(table), "notes", ("notes",), 0, 0)
    changes = sorted([change for change in changes if type(change["id"]) is str], key=lambda change: change["id"])
    texts = [(change["id"], jsontext.dumps(jsontext.parse(json.dumps(change)))) for change in changes]
    detached = [(record, DetachedChange.of(text, least=0).stored) for record, text in texts]
    with patch.object(UsualRecords, "lines", lambda *_: None):
        expected = fold_block(terms, [stream], 0, texts)
        assert fold_block(terms, [stream], 0, detached) == expected
    assert fold_block(terms, [stream], 0, texts) == expected
    assert fold_block(terms, [stream], 0, detached) == expected


def test_a_usual_record_goes_the_short_way() -> None:
    table = registry.load().by_name["notes"]
    terms = ExportTerms(CIPHER, {}, (), False, None, "2026-05-02", 1_000)
    usual = UsualRecords(terms, table, Numbering(lambda _: 0, lambda _: 1))
    data = {"id": "a", "spaceId": "s", "title": CIPHER.encrypt(b'"one"'), "updatedAt": AT, "content": None}
    change = {"actor": {"kind": "user"}, "data": data, "eventId": "e", "id": "a", "op": "insert", "table": "notes"}
    lines = usual.lines(DetachedChange.of(jsontext.dumps(change), least=0).stored)
    assert lines == (
        b'{"id":"a","content":null,"spaceId":"s","title":"one","updatedAt":"%b"}' % AT.encode(),
        b'{"actor":0,"at":"%b","fields":{},"id":"a","origin":null,"sealed":[],"space":1}' % AT.encode(),
    )
    assert usual.lines(jsontext.dumps({**change, "deletedAt": AT})) is None
    for narrower in (replace(terms, as_of="2026-05-01T00:00:00Z"), replace(terms, spaces=["personal"])):
        assert UsualRecords(narrower, table, Numbering(lambda _: 0, lambda _: 1)).lines(jsontext.dumps(change)) is None


@pytest.mark.parametrize(
    ("space", "author", "actor", "kind"),
    [
        ("s", "ben", None, "foreignOrUndecryptable"),
        ("s", "ben", {"kind": "user", "principalId": "legacy:user"}, "foreignOrUndecryptable"),
        ("s", "ben", {"kind": "user", "principalId": "anna"}, "undecryptable"),
        ("s", "anna", {"kind": "user", "principalId": "ben"}, "foreignOrUndecryptable"),
        ("s", "anna", {"kind": "ai", "principalId": "agent"}, "undecryptable"),
        ("s", "anna", None, "undecryptable"),
        ("s", None, None, "foreignOrUndecryptable"),
        ("t", "ben", None, "foreignCiphertext"),
        ("p", "ben", None, "undecryptable"),
        ("_personal:anna", "ben", None, "undecryptable"),
        (None, "ben", None, "undecryptable"),
    ],
)
def test_a_field_that_does_not_open_is_lost_where_it_can_only_be_the_users_own(
    space: str | None, author: str | None, actor: dict[str, str] | None, kind: str
) -> None:
    terms = ExportTerms(CIPHER, {"t": "team", "p": "personal"}, (), False, None, "2026-05-02", 1 << 20, user_id="anna")
    data = {"title": OTHER.encrypt(b'"theirs"'), "spaceId": space, "authorId": author, "updatedAt": AT}
    change = {"id": "a", "op": "insert", "table": "notes", "data": data, **({"actor": actor} if actor else {})}
    stream = Stream("notes", registry.load().by_name["notes"], "notes", ("notes",), 0, 0)
    block = fold_block(terms, [stream], 0, [("a", jsontext.dumps(change))])
    assert [(case.kind, case.field, case.reason) for case in block.cases] == [(kind, "title", "key")]
