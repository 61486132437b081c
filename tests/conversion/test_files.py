"""``files``: what an archive holds, by day, under safe names."""

from __future__ import annotations

import hashlib
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.blobs import BinaryAssets
from manabackup.archive.writer import ArchiveWriter
from manabackup.conversion.options import ConvertOptions
from manabackup.errors import UsageError
from manabackup.operations.archives.readable import Converted, convert_to
from manabackup.rows.blobs import IndexedFile, Referrer

from .archives import ABOUT, write_archive

TAKEN: dict[str, Any] = {"exif": {"dateTaken": "2025-06-01T23:59:30.000Z"}, "createdAt": "2026-11-30T01:08:40.207Z"}
PICTURE = Referrer("albumItems", "a", "mediaId")


def archive(path: Path, *files: tuple[bytes, IndexedFile]) -> Path:
    output = io.BytesIO()
    with ArchiveWriter(output, tables=["albumItems"], make_spool_file=tempfile.TemporaryFile) as writer:
        table = writer.table("albumItems")
        table.add(b'{"id":"a"}')
        table.close()
        index = writer.spool("meta/blobs.jsonl")
        for content, file in sorted(files, key=lambda one: one[1].sha256 or "~"):
            if file.sha256 is not None:
                writer.file(file.sha256, len(content), [content])
            index.add(file.text())
        index.close()
        writer.finish(ABOUT, {}, assets=BinaryAssets(len(files), 0))
    path.write_bytes(output.getvalue())
    return path


def file(content: bytes, name: str | None, kind: str = "image/jpeg", **told: object) -> tuple[bytes, IndexedFile]:
    digest = hashlib.sha256(content).hexdigest()
    return content, IndexedFile((PICTURE,), ("7c1d6f0e",), (), digest, len(content), kind, name, told)


def converted(path: Path, target: Path, **options: object) -> Converted:
    return convert_to(path, "files", target, options=ConvertOptions(language="en", **options))  # type: ignore[arg-type]


def found(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_lie_by_day_under_the_names_that_they_had(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"song").hexdigest()
    places, addresses = (Referrer("songs", "s", "storagePath"),), ("music:users/x/Lied 1 (Ä).mp3",)
    lost = IndexedFile((PICTURE,), ("8d2e",), lost="gone", reason="Media not found")
    path = archive(
        tmp_path / "x.mana",
        file(b"one", "IMG_1.JPG", **TAKEN),
        file(b"two", "img_1.jpg", **TAKEN),
        file(b"three", None, "image/png", createdAt="2026-11-30T12:00:00.000Z"),
        (b"song", IndexedFile(places, (), addresses, digest, 4, "audio/mpeg")),
        (b"", lost),
    )
    done = converted(path, tmp_path / "out")
    files = found(tmp_path / "out")
    assert sorted(files.values()) == sorted([b"one", b"two", b"three", b"song"])
    names = {content: name for name, content in files.items()}
    assert {"IMG_1.JPG", "img_1.jpg"} & {Path(names[b"one"]).name, Path(names[b"two"]).name}
    assert Path(names[b"one"]).parent == Path(names[b"two"]).parent == Path("2025/2025-06-01")
    assert names[b"one"].casefold() != names[b"two"].casefold()
    assert names[b"three"] == f"2026/2026-11-30/{hashlib.sha256(b'three').hexdigest()[:16]}.png"
    assert names[b"song"] == "without a date/Lied 1 (Ä).mp3"
    assert done.left_out.to_json()["notEmbedded"] == {"albumItems": 1}
    assert "file" not in done.left_out.to_json()


def test_tables_choose_files(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.mana", file(b"one", "a.jpg"))
    converted(path, tmp_path / "out", tables=("albumItems",))
    assert len(found(tmp_path / "out")) == 1
    with pytest.raises(UsageError, match="space"):
        converted(path, tmp_path / "more", spaces=("personal",))


def test_an_archive_without_files_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no files"):
        converted(write_archive(tmp_path / "x.mana", {"notes": [{"id": "n"}]}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_formats_arranged_have_the_files_too(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.mana", file(b"one", "a.jpg", **TAKEN))
    done = convert_to(path, "folder", tmp_path / "out", options=ConvertOptions(language="en"))
    assert "file" not in done.left_out.to_json()
    assert (tmp_path / "out" / "Pictures and files" / "2025" / "2025-06-01" / "a.jpg").read_bytes() == b"one"
    assert "Pictures and files" in (tmp_path / "out" / "README.md").read_text()
    of_spaces = convert_to(path, "folder", tmp_path / "mine", options=ConvertOptions(spaces=("personal",)))
    assert of_spaces.left_out.to_json()["file"] == {"albumItems": 1}, "whose rows are in no text"


@given(name=st.text() | st.sampled_from(("../../etc/passwd", "a\\b\\..\\c.png", "CON.png", ".", "x." + "y" * 300, "")))
def test_A1_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.mktemp("named")
    path = archive(root / "x.mana", file(b"one", name.encode("utf-8", "replace").decode()))
    converted(path, root / "out")
    (written,) = found(root / "out")
    assert written.startswith("without a date/")
    assert len(Path(written).parts) == 2
