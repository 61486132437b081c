"""``folder``: everything that applies, each part as it is by itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from manabackup.conversion.options import ConvertOptions
from manabackup.operations.archives.readable import convert_to

from .archives import rows_of, write_archive


def test_every_part_is_what_it_is_by_itself(life: Path, tmp_path: Path) -> None:
    options = ConvertOptions(language="de", include_technical=True)
    convert_to(life, "folder", tmp_path / "out", options=options)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("Texte", "Kalender", "Kontakte.vcf", "Tabellen", "Orte.geojson", "Wege.gpx", "Lesezeichen.html"),
        *("Feeds.opml", "Mana.sqlite", "Mana.json", "README.html", "README.md"),
    }
    for name, part in (("vcf", "Kontakte.vcf"), ("gpx", "Wege.gpx"), ("geojson", "Orte.geojson")):
        convert_to(life, name, tmp_path / name, options=options)
        assert (tmp_path / name).read_bytes() == (tmp_path / "out" / part).read_bytes()
    for name, part in (("csv", "Tabellen"), ("ics", "Kalender"), ("markdown", "Texte")):
        convert_to(life, name, tmp_path / name, options=options)
        alone = {path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*")}
        assert alone == {path.relative_to(tmp_path / "out" / part) for path in (tmp_path / "out" / part).rglob("*")}
    assert (tmp_path / "csv" / "README.txt").read_bytes() == (tmp_path / "out" / "Tabellen" / "README.txt").read_bytes()
    with closing(sqlite3.connect(tmp_path / "out" / "Mana.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (len(rows_of(life)["notes"]),)
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "**Texte**" in readme
    assert "Felder, die noch verschlüsselt sind" in readme
    assert "keinen Platz" not in readme
    html = (tmp_path / "out" / "README.html").read_text("utf-8")
    assert "default-src 'none'" in html
    assert '<a href="Kontakte.vcf">' in html


def test_what_there_is_nothing_of_has_no_file(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "Beds"}]})
    made = convert_to(source, "folder", tmp_path / "out")
    assert not made.left_out.counts, "another part holds what one has no place for"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"Texts", "Tables", "Mana.sqlite", "Mana.json", "README.html", "README.md"}
    assert json.loads((tmp_path / "out" / "Mana.json").read_text("utf-8"))["tables"]["notes"]
    assert "Nothing is missing." in (tmp_path / "out" / "README.md").read_text("utf-8")
