"""The command line over ``fixtures/vectors/hostile``: the code of the index, one line, and nothing left behind."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from manabackup.limits import MIB
from manabackup.text import jsontext
from tests.support import schemas
from tests.support.in_process import Command
from tests.support.processes import CommandLine

from .hostile import FOLDER, cases, index

CASES: list[dict[str, Any]] = json.loads((FOLDER / "index.json").read_text())["archives"]
_OURS = ("container", "tampered", "sealedSha256")
_BOMBS = [case for case in CASES if "bomb" in case["file"] or case["code" if "code" in case else "file"] == "limit"]


def of(exit_code: int) -> list[Any]:
    """The cases of one outcome."""
    return [pytest.param(case, id=Path(case["file"]).stem) for case in CASES if case["exit"] == exit_code]


def files(folder: Path) -> set[Path]:
    """What there is."""
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_those_that_the_script_makes() -> None:
    made = cases()
    assert (FOLDER / "index.json").read_bytes() == index(made)
    assert {path.name for path in FOLDER.glob("*.mana")} == {f"{case.name}.mana" for case in made}
    for case in made:
        assert (FOLDER / f"{case.name}.mana").read_bytes() == case.content, case.name


def test_every_kind_of_problem_that_an_archive_can_have_has_a_file() -> None:
    on_the_page = {
        "notAnArchive", "truncated", "container", "entryName", "duplicateEntry", "limit", "size", "crc", "deflate",
        "manifest", "formatVersion", "schemaVersion", "seal", "kdf", "sealedSha256", "plaintextSha256", "tampered",
        "sums", "missing", "counts", "line", "order", "eventsSha256", "blobs",
    }  # fmt: skip
    assert {case["code"] for case in CASES if "code" in case} == on_the_page
    assert {case["threat"] for case in CASES} == {"A1", "A2", "A3", "A4", "A5", "A6", "S11"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2 * MIB


@pytest.mark.parametrize("case", of(15))
def test_A1_A2_A3_A4_A5_A6_a_file_that_is_wrong_is_15_under_its_code(
    manabackup: Command, tmp_path: Path, case: dict[str, Any]
) -> None:
    file, passphrase = FOLDER / case["file"], case.get("passphrase", "")
    verified = manabackup("verify", "--json", file, passphrase=passphrase)
    assert verified.code == 15
    record = jsontext.parse(verified.out)
    schemas.check("verify", record)
    first = record["problems"][0]
    assert (first["code"], first["where"]) == (case["code"], case.get("where", first["where"]))
    told = manabackup("verify", file).out.decode()
    assert f"[{case['code']}]" in told
    assert all(line.isprintable() for line in told.splitlines())
    # Nothing else that reads it takes the damage for a wrong passphrase, or breaks over it.
    assert manabackup("info", "--json", file).code in (0, 15)
    entry = case.get("where", "").partition(":")[0]
    version_1 = case["file"].startswith("v1")
    table = entry.removeprefix("data/").removesuffix(".jsonl") if entry.startswith("data/") else "notes"
    if not version_1:
        hits = entry == f"data/{table}.jsonl" and case["code"] not in ("missing", "order")
        assert manabackup("cat", file, table).code in ((15,) if hits else (0, 2, 15))
    out = tmp_path / "out.mana"
    if passphrase:
        unsealed = manabackup("unseal", file, "-o", out).code
        assert unsealed == 15 or case["code"] == "line"  # what is only wrong by its meaning is copied
        assert out.exists() == (unsealed == 0)
    elif version_1:
        assert manabackup("convert", file, "-o", out).code == 15
        assert not out.exists()
    assert files(tmp_path) <= {out}


@pytest.mark.parametrize("case", of(12))
def test_A3_A4_what_nobody_can_tell_from_a_wrong_passphrase_is_12(
    manabackup: Command, tmp_path: Path, case: dict[str, Any]
) -> None:
    file, out = FOLDER / case["file"], tmp_path / "out.mana"
    for arguments in (("verify", file), ("cat", file, "notes"), ("unseal", file, "-o", out), ("info", file)):
        ended = manabackup(*arguments, passphrase=case["passphrase"])
        assert (ended.code, ended.out) == (12, b"")
    assert files(tmp_path) == set()


@pytest.mark.parametrize("case", of(0))
def test_S11_A3_A4_A6_what_is_only_odd_opens(manabackup: Command, tmp_path: Path, case: dict[str, Any]) -> None:
    file, out, again = FOLDER / case["file"], tmp_path / "out.mana", tmp_path / "again.mana"
    verified = manabackup("verify", "--json", file, passphrase=case.get("passphrase", "a passphrase of ours"))
    assert verified.code == 0, verified
    record = jsontext.parse(verified.out)
    schemas.check("verify", record)
    told = manabackup("info", file).out.decode() + manabackup("verify", file).out.decode()
    assert all(line.isprintable() for line in told.splitlines())
    described = jsontext.parse(manabackup("info", "--json", file).out)
    if "completeness" not in described:  # there a stranger's manifest is shown as far as it makes sense
        schemas.check("info", described)
    if case["file"].startswith("v1"):
        assert manabackup("convert", file, "-o", out).code == 0
        return
    if "passphrase" in case:
        assert manabackup("unseal", file, "-o", out).code == 0
    else:
        assert manabackup("seal", file, "-o", again).code == 0
        assert manabackup("unseal", again, "-o", out).code == 0
    rewritten = jsontext.parse(manabackup("verify", "--json", out).out)
    assert (rewritten["ok"], rewritten["rows"], rewritten["tables"]) == (True, record["rows"], record["tables"])
    assert files(tmp_path) <= {out, again}


def _bounded() -> None:
    """Far less than what the bombs hold, and more than an honest reading needs."""
    resource.setrlimit(resource.RLIMIT_AS, (1_200 * MIB, 1_200 * MIB))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, 64 * 1024))


def test_A1_bombs_cost_neither_memory_nor_time_nor_disk(tmp_path: Path) -> None:
    """All of them in one process that the system would end."""
    program = CommandLine(tmp_path)
    bombs = [str(FOLDER / case["file"]) for case in _BOMBS]
    assert len(bombs) >= 9
    done = subprocess.run(
        [*program.program, "verify", "--json", *bombs],
        env=program.environ,
        capture_output=True,
        preexec_fn=_bounded,  # before anything of ours runs, and no thread does here
        check=False,
    )
    assert done.returncode == 15, done.stderr
    records = [jsontext.parse(line) for line in done.stdout.splitlines()]
    assert [record["problems"][0]["code"] for record in records] == [case["code"] for case in _BOMBS]


def test_A2_no_seal_outside_its_limits_costs_a_derivation(tmp_path: Path) -> None:
    """No passphrase is asked for: there is none to be had here, and the answer is 15."""
    program = CommandLine(tmp_path)
    weak = [str(FOLDER / case["file"]) for case in CASES if case["threat"] == "A2" and case["exit"] == 15]
    assert len(weak) > 30
    done = program("verify", "--json", *weak)
    assert (done.code, len(done.out.splitlines())) == (15, len(weak))


@pytest.mark.parametrize("name", ["sealed-wrong-passphrase", "sealed-damaged", "outer-user", "line-nan", "zip64-end"])
def test_A3_A4_the_program_itself_ends_as_the_index_says(tmp_path: Path, name: str) -> None:
    (case,) = (case for case in CASES if case["file"] == f"{name}.mana")
    done = CommandLine(tmp_path)(
        "verify", str(FOLDER / case["file"]), env={"MANABACKUP_PASSPHRASE": case.get("passphrase", "")}
    )
    assert done.code == case["exit"]
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == (case["exit"] != 0)
    assert list(tmp_path.iterdir()) == []
