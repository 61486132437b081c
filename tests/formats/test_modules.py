"""``formats/modules.json`` is what its schema says, describes every table of the registry, and agrees with it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from manabackup.model import modules, registry
from tests.support.schemas import FOLDER, SCHEMAS, check

RAW: dict[str, Any] = json.loads((FOLDER.parent / "modules.json").read_text(encoding="utf-8"))
PAGE = (FOLDER.parent / "modules.md").read_text(encoding="utf-8")
SCOPE_COLUMNS = {"id", "createdAt", "updatedAt", "deletedAt", "spaceId", "authorId", "visibility", "userId"}


def test_it_fits_its_schema() -> None:
    check("modules", RAW)


def test_it_describes_the_tables_of_the_registry_in_their_order() -> None:
    tables = registry.load().tables
    assert list(RAW["tables"]) == [table.name for table in tables]
    for table in tables:
        told = RAW["tables"][table.name]
        assert (told["table"], told["appId"], told["scope"]) == (table.name, table.app, table.scope)
        assert told.get("references", {}) == dict(table.references)
        assert {name for name, field in told["fields"].items() if field.get("encrypted")} == table.encrypted
        assert (told["role"] == "junction") == table.junction
        assert table.name in RAW["apps"][table.app]["tables"]
        assert told["group"] == RAW["apps"][table.app]["group"]
    assert list(RAW["apps"]) == list(registry.load().apps)
    assert {app["group"] for app in RAW["apps"].values()} == set(RAW["groups"])


def test_every_path_begins_at_a_field() -> None:
    astray = {}
    for name, table in RAW["tables"].items():
        known = table["fields"].keys() | SCOPE_COLUMNS
        astray[name] = {path for path in paths_of(table) if re.split(r"[.\[]", path)[0] not in known}
        date, _, beyond = table.get("dateField", "").partition(">")
        if beyond:
            assert date in known
            assert beyond in RAW["tables"]["timeBlocks"]["fields"]
        elif date:
            assert date in table["dates"]
    assert not {name: paths for name, paths in astray.items() if paths}


def paths_of(table: dict[str, Any]) -> list[str]:
    return [
        *(
            path
            for key in ("titleFields", "titleFallback", "flags", "geoFields", "secrets")
            for path in table.get(key, ())
        ),
        *(path for key in ("dates", "enums", "units", "json", "references") for path in table.get(key, ())),
        *table.get("unverifiedReferences", ()),
        *(entry["field"] for key in ("textFields", "moneyFields", "binary") for entry in table.get(key, ())),
        *(path for key in ("ids", "names") for path in table.get("tags", {}).get(key, ())),
        *(table[key] for key in ("orderField", "parentField", "binField") if key in table),
    ]


def test_pairs_tie_tags_to_the_tables_that_say_so() -> None:
    tied = {junction for table in RAW["tables"].values() for junction in table.get("tags", {}).get("junctions", ())}
    # Photos have no table: their pairs hold ids of the media service.
    assert set(RAW["junctions"]) - tied == {"photoMediaTags"}
    for name, pair in RAW["junctions"].items():
        references = RAW["tables"][name]["references"]
        assert references[pair["tag"]] == pair["tagTable"]
        entity = references.get(pair["entity"])
        assert entity is None or name in RAW["tables"][entity]["tags"]["junctions"]


def test_every_key_is_on_the_page_and_no_other() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    told = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    schema = SCHEMAS["modules"]
    keys = set(schema["properties"]) | set(schema["$defs"]["table"]["properties"])
    assert told == keys - {"source", "appId", "table", "label_de", "label_en", "group", "scope"}


def test_every_table_is_read_as_it_is_described() -> None:
    known = modules.load()
    assert known.names == tuple(RAW["tables"])
    for name, raw in RAW["tables"].items():
        table = known.table(name)
        assert table is not None
        assert (table.label.de, table.label.en) == (raw["label_de"], raw["label_en"])
        assert {
            path: {value: list(label) for value, label in labels.items()} for path, labels in table.enums.items()
        } == {path: enum["labels"] for path, enum in raw.get("enums", {}).items()}
        assert [text.path for text in table.texts] == [text["field"] for text in raw.get("textFields", ())]
        assert table.secrets >= {"unlistedToken", *raw.get("secrets", ())}
        assert known.app_of(name) == known.apps[raw["appId"]]
    assert known.table("nobody's") is None
    assert known.app_of("nobody's") is None
    with pytest.raises(TypeError):
        known.table("tasks").fields["x"] = None  # type: ignore[union-attr, index]
