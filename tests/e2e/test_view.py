"""``view``, ``verify PAGE`` and ``export --view``. What browsers make of the pages is in ``tests/viewer``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.archive.sources import BytesSource
from manabackup.crypto.seal import ByteSource
from manabackup.viewer.page import LINE_BYTES, ViewerPage, code
from manabackup.viewer.pagefile import PageArchive, read_page
from tests.support import schemas
from tests.support.homes import PASSPHRASE, Computer
from tests.support.processes import CommandLine
from tests.viewer import example

V1 = Path(__file__).parents[2] / "fixtures" / "v1" / "life.mana"


@pytest.fixture
def desk(tmp_path: Path) -> CommandLine:
    """A computer of nobody's, with an archive in its home folder, and the same sealed."""
    example.write(tmp_path / "plain.mana", example.example())
    example.write(tmp_path / "sealed.mana", example.example(), passphrase=example.PASSPHRASE)
    computer = CommandLine(tmp_path)
    computer.environ["MANABACKUP_PASSPHRASE"] = example.PASSPHRASE
    return computer


def carried(page: Path) -> bytes:
    """The archive inside a page."""
    source = BytesSource(page.read_bytes())
    archive = read_page(source).archive
    assert archive is not None
    return archive.read_at(0, archive.size)


@pytest.mark.parametrize("kind", ["plain", "sealed"])
def test_a_page_carries_the_archive_byte_for_byte_and_is_nobody_elses_to_read(
    desk: CommandLine, tmp_path: Path, kind: str
) -> None:
    done = desk("view", str(tmp_path / f"{kind}.mana"), "--json")
    assert done.code == 0, done.err
    schemas.check("view", done.record)
    page = tmp_path / f"{kind}.html"
    assert carried(page) == (tmp_path / f"{kind}.mana").read_bytes()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert ("not encrypted" in done.err) == (kind == "plain")
    verified = desk("verify", str(page), "--json")
    assert verified.code == 0, verified.err
    schemas.check("verify", verified.record)
    assert verified.record["page"]["version"] is not None
    assert verified.record["rows"] > 100


def test_a_page_that_exists_is_replaced_only_by_force(desk: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "plain.html").write_text("mine")
    assert desk("view", str(tmp_path / "plain.mana")).code == 17
    assert (tmp_path / "plain.html").read_text() == "mine"
    assert desk("view", str(tmp_path / "plain.mana"), "--force").code == 0


def test_an_archive_beyond_the_limit_stays_outside_and_that_is_said(desk: CommandLine, tmp_path: Path) -> None:
    page = str(tmp_path / "plain.html")
    for arguments in ((str(tmp_path / "plain.mana"), "--inline-limit", "0"), ("--empty", "-o", page)):
        done = desk("view", *arguments, "--force")
        assert done.code == 0, done.err
        assert ("larger than 0 MiB" in done.err) == ("--inline-limit" in arguments)
        assert read_page(BytesSource((tmp_path / "plain.html").read_bytes())).archive is None
        verified = desk("verify", "--json", page)
        assert (verified.code, verified.record["page"]["carries"]) == (0, False)


def test_what_no_page_would_open_is_put_into_none(desk: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "cut.mana").write_bytes((tmp_path / "plain.mana").read_bytes()[:-9])
    for path, exit_code in ((tmp_path / "cut.mana", 15), (V1, 2), (tmp_path / "nowhere.mana", 10)):
        done = desk("view", str(path), "-o", str(tmp_path / "page.html"))
        assert done.code == exit_code, done.err
        assert not (tmp_path / "page.html").exists()
    assert desk("view").code == 2


def test_A7_any_byte_that_is_altered_in_a_pages_code_is_found(desk: CommandLine, tmp_path: Path) -> None:
    assert desk("view", str(tmp_path / "sealed.mana")).code == 0
    page = tmp_path / "sealed.html"
    whole = page.read_bytes()
    for place in (b"needsPassphrase", b"default-src 'none'", b"</html>", b'"version":"', b'"name":"sealed'):
        at = whole.rindex(place) if place.startswith(b'"') else whole.index(place)
        page.write_bytes(whole[: at + 3] + b"X" + whole[at + 4 :])
        done = desk("verify", "--json", str(page))
        found = done.record
        schemas.check("verify", found)
        assert (done.code, found["ok"], found["problems"][0]["code"]) == (15, False, "page"), place
        assert found["rows"] > 100, "the archive inside is checked nevertheless"
        assert "type no passphrase into it" in done.err


def test_an_archive_that_is_damaged_inside_its_page_is_told_from_an_altered_page(
    desk: CommandLine, tmp_path: Path
) -> None:
    assert desk("view", str(tmp_path / "sealed.mana")).code == 0
    page = tmp_path / "sealed.html"
    whole = page.read_bytes()
    at = whole.index(b'id="archive">') + 2_000
    page.write_bytes(whole[:at] + (b"A" if whole[at : at + 1] != b"A" else b"B") + whole[at + 1 :])
    done = desk("verify", "--json", str(page))
    assert done.code == 15
    assert done.record["page"]["version"] is not None
    assert done.record["problems"][0]["code"] in ("crc", "sealedSha256")
    page.write_bytes(whole[:at])
    cut = desk("verify", "--json", str(page))
    assert (cut.code, cut.record["problems"][0]["code"]) == (15, "truncated")


def test_an_export_writes_its_page_beside_it(pulled: Computer) -> None:
    archive = pulled.home / "out" / "viewed.mana"
    refused = pulled("export", "--offline", "--view", "-o", "-")
    assert refused.code == 2
    done = pulled.export("--offline", "--view", "--seal", env={"MANABACKUP_PASSPHRASE": PASSPHRASE}, output=archive)
    assert done.code in (0, 3), done.err
    assert carried(archive.with_suffix(".html")) == archive.read_bytes()


@given(content=st.binary(max_size=4 * LINE_BYTES + 2), data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_stretch_of_what_a_page_carries_can_be_read(content: bytes, data: st.DataObject) -> None:
    page = b"".join(ViewerPage("a.mana").parts([content]))
    source: ByteSource = BytesSource(page)
    found = read_page(source)
    assert found.digest == code().digest()
    if not content:
        assert found.archive is None
        return
    assert isinstance(found.archive, PageArchive)
    assert found.archive.size == len(content)
    offset = data.draw(st.integers(0, len(content) + 1))
    count = data.draw(st.integers(0, len(content) + 1))
    assert found.archive.read_at(offset, count) == content[offset : offset + count]


@given(name=st.text(max_size=30))
@settings(max_examples=60)
def test_no_name_of_a_file_becomes_a_part_of_the_page(name: str) -> None:
    hostile = f"{name}</script><script>alert(1)</script><!--"
    page = b"".join(ViewerPage(hostile).parts([b"x"]))
    assert b"<script>alert" not in page
    assert read_page(BytesSource(page)).version is not None
