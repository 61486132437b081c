"""``formats/registry.json`` counts what is in it."""

from __future__ import annotations

import json
from typing import Any

from tests.support.schemas import FOLDER

RAW: dict[str, Any] = json.loads((FOLDER.parent / "registry.json").read_text(encoding="utf-8"))


def test_its_counts_are_those_of_its_tables() -> None:
    tables = [table for module in RAW["modules"] for table in module["tables"]]
    encrypted = [table["encryptedFields"] for table in tables if table.get("encryptedFields")]
    not_synced = list(RAW["encryptedButNotSynced"].values())
    references = [table["references"] for table in tables if table.get("references")]
    elsewhere = len(RAW["internalTables"]) + len(RAW["localOnlyTables"]) - len(RAW["registeredButMissingFromDexie"])
    assert RAW["counts"] == {
        "modules": len(RAW["modules"]),
        "tables": len(tables),
        "renamedTables": sum(table.get("syncName", table["name"]) != table["name"] for table in tables),
        "encryptedTablesTotal": len(encrypted) + len(not_synced),
        "encryptedTablesSynced": len(encrypted),
        "encryptedFieldsTotal": sum(map(len, [*encrypted, *not_synced])),
        "encryptedFieldsSynced": sum(map(len, encrypted)),
        "userScopedSyncedTables": sum(table["scope"] == "user" for table in tables),
        "spaceScopedSyncedTables": sum(table["scope"] == "space" for table in tables),
        "junctionTables": sum(table.get("junction", False) for table in tables),
        "tablesWithReferences": len(references),
        "references": sum(map(len, references)),
        "plaintextAllowlist": len(RAW["plaintextAllowlist"]),
        "dexieTables": len(tables) + elsewhere,
    }


def test_no_table_and_no_collection_of_an_app_is_there_twice() -> None:
    names = [table["name"] for module in RAW["modules"] for table in module["tables"]]
    places = [
        (module["appId"], table.get("syncName", table["name"]))
        for module in RAW["modules"]
        for table in module["tables"]
    ]
    assert len(set(names)) == len(names)
    assert len(set(places)) == len(places)
