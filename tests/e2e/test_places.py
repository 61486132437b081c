"""An account's archive goes to a far place, and is looked at and compared there."""

from __future__ import annotations

from pathlib import Path

from tests.support.homes import Computer
from tests.support.webdav import PASSWORD, webdav


def test_an_export_into_a_webdav_folder_is_remembered_and_is_what_the_account_holds(
    here: Computer, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    here.environ["MANABACKUP_DAV_PASSWORD"] = PASSWORD
    with webdav(tmp_path / "served") as port:
        there = f"dav://anna@127.0.0.1:{port}/x.mana"
        exported = here("export", "-o", there, "--json")
        assert exported.code in (0, 3), exported.err
        assert exported.record["archive"] == there
        assert here("diff", there, "--live", "--offline").code == 0
        assert there in here().out
        again = here("export", "-o", there)
        assert (again.code, "exists already" in again.err) == (17, True)
        assert here("export", "-o", there, "--view", "--force").code == 2
        assert here("export", "-o", there, "--retain", "30d", "--force").code == 2


def test_what_lies_there_is_converted_rekeyed_and_restored_from_there(
    here: Computer, theirs: Computer, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    for computer in (here, theirs):
        computer.environ["MANABACKUP_DAV_PASSWORD"] = PASSWORD
    with webdav(tmp_path / "served") as port:
        there, other = (f"dav://anna@127.0.0.1:{port}/{name}.mana" for name in ("x", "y"))
        assert here("export", "-o", there).code in (0, 3)
        assert here("convert", there, "--to", "csv", "-o", str(tmp_path / "csv")).code in (0, 3)
        assert (tmp_path / "csv").is_dir()
        rekeyed = here("rekey", there, "-o", other)
        assert rekeyed.code in (0, 3), rekeyed.err
        assert here("verify", other).code == 0
        planned = theirs("restore", there, "--dry-run", "--json")
        assert planned.code in (0, 3), planned.err
        assert here("report", there, "-o", str(tmp_path / "report.html")).code == 0
        assert here("view", there, "-o", str(tmp_path / "page.html")).code == 0
        assert here("verify", str(tmp_path / "page.html")).code == 0
        assert here("find", there, "zzzz").code == 0
