"""The JSON Schemas say what the code does: real archives and real outputs fit them, and what the code refuses does not.

Archives and outputs come from the command line itself, run on the embedded server with an account that holds every
oddity the generator knows.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from manabackup.archive.manifest import parse_manifest
from manabackup.archive.reader import open_archive
from manabackup.archive.v1 import open_events
from manabackup.archive.writer import Seal
from manabackup.errors import DamagedArchiveError
from manabackup.model.projection import accept
from manabackup.operations.archives.inspect import info
from manabackup.operations.archives.reseal import seal
from manabackup.operations.archives.verify import verify
from manabackup.sandbox import Sandbox
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import populate
from manabackup.text import jsontext
from tests.support import v1_exports
from tests.support.exports import FIXTURES, PASSPHRASE, VECTORS, write_export
from tests.support.processes import CommandLine
from tests.support.schemas import SCHEMAS, VALIDATORS, check, fits

CASES = [case for case in json.loads((VECTORS / "index.json").read_text())["archives"] if "file" in case]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the commands print with --json, by command; and the archives that they wrote."""
    home = tmp_path_factory.mktemp("home")
    run = CommandLine(home)
    with Sandbox() as box:
        account = populate(box.log, box.accounts, Plan(seed=7, rows=250, oddities=True))
        run.environ |= {
            "MANABACKUP_AUTH_URL": box.auth_url,
            "MANABACKUP_SYNC_URL": box.sync_url,
            "MANABACKUP_PASSWORD": account.password,
            "MANABACKUP_RECOVERY_CODE": account.recovery_code or "",
            "MANABACKUP_PASSPHRASE": PASSPHRASE,
        }
        plain, sealed = str(home / "plain.mana"), str(home / "sealed.mana")

        def record(*arguments: str) -> Any:
            done = run("--json", *arguments)
            assert done.code == 0, done.err
            return done.record

        yield {
            "status signed out": run("--json", "status").record,
            "login": record("login", "--email", account.email),
            "pull": record("pull"),
            "export": record("export", "-o", plain),
            "export sealed": record("export", "--seal", "-o", sealed),
            "export of deleted rows": record("export", "--include-deleted", "-o", str(home / "deleted.mana")),
            "verify": record("verify", sealed),
            "info": record("info", plain),
            "seal": record("seal", plain, "-o", str(home / "resealed.mana")),
            "status": record("status"),
            "logout": record("logout"),
            "archives": {"plain": Path(plain), "sealed": Path(sealed)},
        }


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_one_and_is_called_as_its_file(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"] == f"{name}.schema.json"
    assert SCHEMAS[name]["title"]


# --- what the commands print ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["login", "pull", "export", "verify", "info", "seal", "status", "logout"])
def test_the_output_of_a_command_fits_its_schema_and_holds_no_less(name: str, session: dict[str, Any]) -> None:
    for command, output in session.items():
        if command.split()[0] == name:
            check(name, output)
    assert_requires(name, session[name])


def test_every_problem_of_a_damaged_archive_has_a_word_and_a_place(tmp_path: Path) -> None:
    path = tmp_path / "a.mana"
    write_export(path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 0x10
    path.write_bytes(damaged)
    report = verify(path).to_json()
    check("verify", report)
    assert not report["ok"]


def test_info_of_the_web_apps_archives_fits_its_schema() -> None:
    opened = refused = 0
    for case in CASES:
        if case.get("ok") and "passphrase" not in case:
            try:
                told = info(VECTORS / case["file"]).to_json()
            except DamagedArchiveError:
                refused += 1  # by both, or by us alone: tests/archive/test_vectors.py
                continue
            check("info", json.loads(jsontext.dumps(told)))
            opened += 1
    assert opened > 3 * refused > 0


# --- what stands in an archive ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_every_line_and_manifest_of_an_archive_fits_its_schema(kind: str, session: dict[str, Any]) -> None:
    path = session["archives"][kind]
    with zipfile.ZipFile(path) as container:
        outer = json.loads(container.read("manifest.json"))
    check("manifest-plain" if kind == "plain" else "manifest-outer", outer)
    seen = {"row": 0, "meta-line": 0, "actor-line": 0, "space-line": 0, "problem-line": 0}
    with open_archive(path, lambda: PASSPHRASE) as archive:
        if kind == "sealed":
            entry = archive.reader.container.entries["manifest.json"]
            inner = json.loads(archive.reader.container.read(entry, entry.size))
            check("manifest-inner", inner)
            assert_requires("manifest-inner", inner)
        for name in archive.reader.container.entries:
            folder, _, file = name.partition("/")
            if folder not in ("data", "meta"):
                continue
            special = {"actors.jsonl": "actor-line", "spaces.jsonl": "space-line", "problems.jsonl": "problem-line"}
            schema = "row" if folder == "data" else special.get(file, "meta-line")
            for line in b"".join(archive.reader.chunks(name)).splitlines():
                check(schema, json.loads(line))
                seen[schema] += 1
        row = next(row for table in archive.tables for row in archive.rows(table))
        assert not fits("row", {**row.values(), "__fieldMeta": {}})
    assert all(seen.values()), seen


def test_the_three_manifests_are_told_apart(session: dict[str, Any]) -> None:
    with zipfile.ZipFile(session["archives"]["plain"]) as container:
        plain = json.loads(container.read("manifest.json"))
    with zipfile.ZipFile(session["archives"]["sealed"]) as container:
        outer = json.loads(container.read("manifest.json"))
    assert not fits("manifest-outer", plain)
    assert not fits("manifest-plain", outer)
    assert not fits("manifest-inner", plain)
    # What would tell, or confirm, what the content is, must never stand outside.
    for key in ("dataSha256", "completeness", "filter"):
        assert not fits("manifest-outer", {**outer, key: plain.get(key, {})})
    assert_requires("manifest-plain", plain)
    assert_requires("manifest-outer", outer)


def test_a_private_outer_manifest_and_a_rewritten_one_fit_too(tmp_path: Path) -> None:
    write_export(tmp_path / "private.mana", seal=Seal(PASSPHRASE, private=True))
    seal(VECTORS / "archives" / "plain-small.mana", tmp_path / "rewritten.mana", lambda: PASSPHRASE)
    for name in ("private.mana", "rewritten.mana"):
        with zipfile.ZipFile(tmp_path / name) as container:
            check("manifest-outer", json.loads(container.read("manifest.json")))
        with open_archive(tmp_path / name, lambda: PASSPHRASE) as archive:
            entry = archive.reader.container.entries["manifest.json"]
            check("manifest-inner", json.loads(archive.reader.container.read(entry, entry.size)))


def test_the_manifest_schema_takes_what_the_reader_takes() -> None:
    judged = {True: 0, False: 0}
    for case in CASES:
        try:
            with zipfile.ZipFile(VECTORS / case["file"]) as container:
                content = container.read("manifest.json")
            manifest = json.loads(content.removeprefix(b"\xef\xbb\xbf").decode())
        except (zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError):
            continue
        try:
            parse_manifest(content)
            taken = True
        except DamagedArchiveError:
            taken = False
        # A passphrase that is no object is refused later, when the seal is looked at.
        if type(manifest) is dict and type(manifest.get("passphrase", {})) is dict:
            assert fits("manifest", manifest) == taken, case["name"]
            judged[taken] += 1
    assert judged[True] > 50
    assert judged[False] > 10


def test_the_older_archives_fit_their_schemas() -> None:
    with zipfile.ZipFile(v1_exports.FOLDER / "life.mana") as container:
        check("manifest-v1", json.loads(container.read("manifest.json")))
        for line in container.read("events.jsonl").splitlines():
            check("event-v1", json.loads(line))
    with zipfile.ZipFile(v1_exports.FOLDER / "newer-schema.mana") as container:
        assert not fits("manifest-v1", json.loads(container.read("manifest.json")))


# --- what the server sends --------------------------------------------------------------------------------------------


def test_recorded_changes_fit_where_they_are_accepted() -> None:
    accepted = 0
    for folder in ("projection", "transcripts"):
        for path in sorted((FIXTURES / folder).glob("*.json")):
            for change in changes_in(jsontext.parse(path.read_bytes())):
                assert fits("change", change) == (accept(change) is None), path.name
                accepted += accept(change) is None
    assert accepted > 100
    with open_events(v1_exports.FOLDER / "life.mana") as archive:
        for event in archive.events():
            check("change", json.loads(jsontext.dumps(event.change)))


_MEMBER = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from(["", "x", "insert", "update", "delete"]),
    st.just([]),
    st.dictionaries(st.sampled_from(["a", "value", "at"]), st.sampled_from([None, 1, "x"]), max_size=2),
    st.dictionaries(st.just("f"), st.fixed_dictionaries({"value": st.none()}, optional={"at": st.just("x")})),
)
_GOOD = {"table": st.just("t"), "id": st.just("i"), "op": st.sampled_from(["insert", "update", "delete"])}
_OTHERS = ("table", "id", "op", "fields", "data", "deletedAt", "eventId", "origin", "schemaVersion", "actor", "spaceId")


@settings(max_examples=400, deadline=None)
@given(
    st.builds(
        lambda good, odd: {**good, **odd},
        st.fixed_dictionaries(_GOOD),
        st.dictionaries(st.sampled_from(_OTHERS), _MEMBER, max_size=3),
    )
)
def test_the_change_schema_is_the_acceptance_test(change: dict[str, Any]) -> None:
    assert fits("change", change) == (accept(change) is None)


def changes_in(value: Any) -> Iterator[Any]:
    """Everything in a recording that looks like a pulled change."""
    pending = [value]
    while pending:
        item = pending.pop()
        if type(item) is list:
            pending += item
        elif type(item) is dict:
            if {"table", "id", "op"} <= item.keys():
                plain = json.loads(jsontext.dumps(item)) if depth_of(item) < 50 else None
                if plain is not None:
                    yield plain
            else:
                pending += item.values()


def depth_of(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            member
            for item in level
            if type(item) in (dict, list)
            for member in (item.values() if type(item) is dict else item)
        ]
    return depth


def assert_requires(name: str, output: dict[str, Any]) -> None:
    """No required key can be left out."""
    required = SCHEMAS[name]["required"]
    assert required
    for key in required:
        less = {other: value for other, value in output.items() if other != key}
        assert not VALIDATORS[name].is_valid(less), key
