"""``formats/mana-v2.md`` and ``vectors.json`` say what the code does: examples, words and limits are compared."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import pytest

from manabackup.archive import names, sums
from manabackup.archive.reader import open_archive
from manabackup.archive.v1 import open_events
from manabackup.crypto import keys
from manabackup.crypto.fields import FieldCipher, is_encrypted
from manabackup.crypto.recovery import format_recovery_code, parse_recovery_code, unwrap_master_key
from manabackup.crypto.seal import SealParameters, derive_key
from manabackup.errors import DamagedArchiveError, TamperedArchiveError, WrongPassphraseError
from manabackup.limits import DEFAULT_LIMITS
from manabackup.mirror import LossKind
from manabackup.model.projection import MalformedReason, OddityKind
from manabackup.rows.archived import row_line
from manabackup.rows.completeness import LOSSES
from manabackup.text import jsontext
from tests.support.schemas import SCHEMAS

ROOT = Path(__file__).parents[2]
V2 = (ROOT / "formats" / "mana-v2.md").read_text(encoding="utf-8")
V1 = (ROOT / "formats" / "mana-v1.md").read_text(encoding="utf-8")
BLOCKS: dict[str, str] = dict(re.findall(r"^```\w+ vector ([a-z0-9-]+)\n(.*?)^```$", V2, re.MULTILINE | re.DOTALL))
VECTORS = json.loads((ROOT / "formats" / "vectors.json").read_text())


def example(name: str) -> Any:
    return json.loads(BLOCKS[name])


def section(title: str, text: str = V2) -> str:
    """The text under a heading, up to the next of the same or a higher rank."""
    marks, rest = re.split(rf"^(#+) {re.escape(title)}$", text, maxsplit=1, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    """The code words in the first column of the tables in a text."""
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


# --- worked examples --------------------------------------------------------------------------------------------------


def test_collections_outside_the_registry_are_named_as_the_page_says() -> None:
    for case in example("names"):
        assert names.entry("data", names.unknown_table(case["app"], case["collection"])) == case["entry"]
        assert names.kind(case["entry"]) == "data"
    long = names.unknown_table("app", "x" * 300)
    assert len(long) == 200
    assert re.fullmatch(r"app\.x{163}-[0-9a-f]{32}", long)


def test_rows_are_written_as_the_page_says() -> None:
    for case in example("text"):
        assert row_line(jsontext.parse(case["from"])).decode() == case["to"]


def test_sums_are_computed_as_the_page_says() -> None:
    case = example("sums")
    hashes = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in case["entries"].items()}
    assert sums.write_sums(hashes).decode() == case["SHA256SUMS"]
    assert sums.data_sha256(hashes) == case["dataSha256"]


def test_keys_and_values_are_what_the_page_says() -> None:
    case = example("encrypted-value")
    cipher = FieldCipher(base64.b64decode(case["masterKeyBase64"]))
    assert cipher.decrypt(case["value"]) == case["plaintext"].encode()
    for case in example("ciphertext-or-text"):
        assert is_encrypted(case["value"]) == case["form"], case
    case = example("fingerprint")
    assert keys.fingerprint(base64.b64decode(case["masterKeyBase64"])) == case["keyFingerprint"]


def test_a_recovery_code_opens_what_the_page_says() -> None:
    case = example("recovery-code")
    secret = parse_recovery_code(case["code"])
    assert format_recovery_code(secret) == case["code"]
    master_key = unwrap_master_key(secret, case["recoveryWrappedMk"], case["recoveryIv"])
    assert base64.b64encode(master_key).decode() == case["masterKeyBase64"]


def test_a_wrap_key_is_derived_as_rfc_5869_has_it() -> None:
    """By HMAC alone, so that the page is checked and not the library that the tool uses."""
    case = example("recovery-code")
    extracted = hmac.digest(bytes(32), parse_recovery_code(case["code"]), "sha256")
    assert hmac.digest(extracted, b"mana-recovery-v1\x01", "sha256").hex() == case["wrapKeyHex"]


def test_a_passphrase_becomes_the_key_that_the_page_says() -> None:
    case = example("key-derivation")
    salt = base64.urlsafe_b64decode(case["kdfSaltBase64"] + "==")
    parameters = SealParameters(salt=salt, iv=bytes(12), iterations=case["kdfIterations"])
    assert derive_key(case["passphrase"], parameters).hex() == case["keyHex"]


def test_the_sealed_archive_on_the_page_opens_and_holds_what_the_page_says(tmp_path: Path) -> None:
    path = tmp_path / "page.mana"
    path.write_bytes(base64.b64decode(BLOCKS["sealed-archive"]))
    with open_archive(path, lambda: "Überraschung") as archive:
        rows = b"".join(row.line + b"\n" for row in archive.rows("notes")).decode()
        assert archive.tables == ["notes"]
        assert list(archive.reader.container.entries)[-1] == ".nonce"
    assert rows == example("sums")["entries"]["data/notes.jsonl"]
    with pytest.raises(WrongPassphraseError):
        open_archive(path, lambda: "U\u0308berraschung")
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as container:
        assert container.namelist() == ["manifest.json", "data.sealed", "README.md"]


def test_every_example_is_known_to_the_index_and_to_a_test() -> None:
    (document,) = VECTORS["documents"]
    assert sorted(BLOCKS) == sorted(document["names"])
    source = Path(__file__).read_text()
    for name in BLOCKS:
        assert f'example("{name}")' in source or f'BLOCKS["{name}"]' in source


# --- the index of vectors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["archives"], ids=lambda case: Path(case["file"]).stem)
def test_an_archive_has_the_outcome_that_the_index_says(case: dict[str, Any]) -> None:
    reader: Callable[[dict[str, Any]], dict[str, Any]] = read_v1 if case.get("formatVersion") == 1 else read_v2
    try:
        found = {"outcome": "opens", **reader(case)}
    except TamperedArchiveError as error:
        found = {"outcome": "tampered", "code": error.code}
    except DamagedArchiveError as error:
        found = {"outcome": "damaged", "code": error.code}
    except WrongPassphraseError:
        found = {"outcome": "wrongPassphrase"}
    assert found == {key: case[key] for key in case if key not in ("file", "passphrase", "formatVersion")}


def read_v1(case: dict[str, Any]) -> dict[str, Any]:
    with open_events(ROOT / case["file"]) as archive:
        return {"events": sum(1 for _ in archive.events())}


def read_v2(case: dict[str, Any]) -> dict[str, Any]:
    with open_archive(ROOT / case["file"], lambda: case.get("passphrase", "")) as archive:
        rows = sum(1 for table in archive.tables for _ in archive.rows(table))
        for name in archive.reader.container.entries:
            for _ in archive.reader.chunks(name):
                pass
        return {"tables": len(archive.tables), "rows": rows}


def test_the_index_names_files_and_sections_that_exist() -> None:
    for file in VECTORS["files"]:
        assert (ROOT / file["file"]).exists(), file
        assert "section" not in file or section(file["section"])


# --- words ------------------------------------------------------------------------------------------------------------


def test_the_sections_that_the_code_refers_to_exist() -> None:
    referred = set()
    for path in sources():
        joined = " ".join(path.read_text(encoding="utf-8").split())
        for page, title in re.findall(r"formats/(mana-v\d\.md)``?\)?,? \"([A-Z][^\"]+)\"", joined):
            assert section(title, V2 if page == "mana-v2.md" else V1), (path, title)
            referred.add(title)
    assert {
        "Text",
        "Manifest",
        "Encrypted values",
        "Recovery codes",
        "Sealing",
        "Reading safely",
        "Problems",
    } <= referred


def test_every_word_for_a_problem_is_on_the_page_and_no_other() -> None:
    words = set()
    for path in sources():
        for call in calls(path):
            name = called(call)
            if name in ("damaged", "_damaged", "DamagedArchiveError", "TamperedArchiveError", "Problem"):
                words |= {found for word in call.keywords if word.arg == "code" for found in constants(word.value)}
            if name == "Problem":
                words.update(constants(*call.args[:1]))
            if name == "damaged":
                words.update(constants(*call.args[1:2]))
    words |= {"manifest", "container", "tampered"}  # what the code falls back on
    assert words == first_column(section("Problems"))


def test_every_kind_of_loss_and_notice_is_on_the_page_and_no_other() -> None:
    noted = set()
    for path in sources():
        for call in calls(path):
            if called(call) == "Case":
                noted.update(constants(*call.args[:1]))
            if called(call) == "append" and call.args and "notices" in ast.dump(call.func):
                pair = call.args[0]
                if isinstance(pair, ast.Tuple):
                    noted.update(constants(*pair.elts[:1]))
    kinds = noted | LOSSES | set(get_args(OddityKind)) | {kind.value for kind in LossKind}
    kinds |= {"foreignCiphertext", "foreignOrUndecryptable", "fileForeign"}
    before, losses, notices = re.split(r"^A \*(?:loss|notice)\*", section("Completeness"), flags=re.MULTILINE)
    assert first_column(losses) == LOSSES
    assert first_column(notices) == kinds - LOSSES
    assert first_column(before) == set(SCHEMAS["manifest-plain"]["properties"]["completeness"]["properties"])
    reasons = set(re.findall(r"`(\w+)`", losses))
    assert set(get_args(MalformedReason)) <= reasons
    assert {"malformed", "key", "json", "noKey"} <= reasons


def test_the_limits_on_the_page_are_the_ones_that_hold() -> None:
    stated = dict(re.findall(r"^\| `(\w+)` \| ([0-9,]+) \|", section("Reading safely"), re.MULTILINE))
    assert {name: int(value.replace(",", "")) for name, value in stated.items()} == {
        name: value for name, value in asdict(DEFAULT_LIMITS).items() if name in stated
    }
    archive_limits = {
        "entries",
        "blobs",
        "entry_name",
        "entry_bytes",
        "total_bytes",
        "ratio",
        "manifest_bytes",
        "line_bytes",
    }
    assert archive_limits | {"nesting", "kdf_iterations_min", "kdf_iterations_max", "sealed_body_bytes"} == set(stated)


def test_the_manifest_keys_on_the_page_are_those_of_the_schemas() -> None:
    keys_of = {
        key
        for name in ("manifest", "manifest-plain", "manifest-outer", "manifest-inner")
        for key in SCHEMAS[name]["properties"]
    }
    assert first_column(section("Manifest")) == keys_of
    assert first_column(section("Sealing")) == set(SCHEMAS["manifest-outer"]["properties"]["passphrase"]["properties"])
    assert first_column(section("`manifest.json`", V1)) == set(SCHEMAS["manifest-v1"]["properties"])
    assert first_column(section("`events.jsonl`", V1)) == set(SCHEMAS["event-v1"]["properties"])


def sources() -> Iterator[Path]:
    return (ROOT / "manabackup").rglob("*.py")


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def constants(*nodes: ast.expr) -> list[str]:
    """Those that are strings as they stand."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
