"""``vcf``: read by vobject."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import vobject
from hypothesis import given
from hypothesis import strategies as st

from manabackup.conversion.options import ConvertOptions
from manabackup.conversion.vcf import folded
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive

UUID = "7C1D6F0E-3b52-4c1a-9d0e-5a2b8c4f1e90"
ADA = {
    "id": UUID,
    "firstName": "Ada",
    "lastName": "Lovelace; King",
    "company": "Engines, Ltd.",
    "jobTitle": "Mathematician",
    "email": "ada@example.org",
    "phone": "+44 20/12 34",
    "mobile": "0151 234",
    "street": "Square 1\nTop",
    "city": "London",
    "postalCode": "W1",
    "country": "GB",
    "latitude": 51.5,
    "longitude": -0.125,
    "birthday": "1815-12-10",
    "notes": "Line one\r\nline two; with, marks \\",
    "website": "example.org/ada",
    "github": "ada",
    "tagIds": ["t"],
    "tags": ["old"],
    "isFavorite": True,
}
TABLES: Tables = {"contacts": [ADA], "globalTags": [{"id": "t", "name": "poets, mostly"}]}


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "vcf", target, options=ConvertOptions(**options))


def cards(path: Path) -> list[Any]:
    data = path.read_bytes()
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    return list(vobject.readComponents(data.decode()))


@pytest.mark.parametrize("version", ["3", "4"])
def test_a_contact_is_a_card_that_others_read(tmp_path: Path, version: str) -> None:
    convert(write_archive(tmp_path / "a.mana", TABLES), tmp_path / "a.vcf", vcard=version)
    (card,) = cards(tmp_path / "a.vcf")
    assert card.version.value == f"{version}.0"
    assert card.uid.value == f"urn:uuid:{UUID.lower()}"
    assert (card.fn.value, card.n.value.family, card.n.value.given) == ("Ada Lovelace; King", "Lovelace; King", "Ada")
    assert (card.org.value, card.title.value, card.email.value) == (
        ["Engines, Ltd."],
        "Mathematician",
        "ada@example.org",
    )
    assert {(tel.value, tel.type_param) for tel in card.tel_list} == {("+44 20/12 34", "voice"), ("0151 234", "cell")}
    address = card.adr.value
    assert (address.street, address.city, address.code, address.country) == ("Square 1\nTop", "London", "W1", "GB")
    assert card.note.value == "Line one\nline two; with, marks \\"
    assert card.bday.value == ("18151210" if version == "4" else "1815-12-10")
    assert card.geo.value == ("geo:51.5,-0.125" if version == "4" else "51.5;-0.125")
    assert card.url.value == "https://example.org/ada"
    assert card.categories.value == ["poets, mostly", "old"]
    assert card.rev.value == "20260201T100000Z"
    assert card.contents["x-mana-favorite"][0].value == "true"


def test_who_has_no_name_is_called_something(tmp_path: Path) -> None:
    contacts = [
        {"id": "a", "company": "Engines"},
        {"id": "b", "email": "b@example.org"},
        {"id": "c", "phone": "1"},
        {"id": "d", "address": 'Old "Square"\n1', "birthday": "1815-02-30"},
    ]
    source = write_archive(tmp_path / "a.mana", {"contacts": contacts})
    result = convert(source, tmp_path / "a.vcf", language="de")
    found = cards(tmp_path / "a.vcf")
    assert [card.fn.value for card in found] == ["Engines", "b@example.org", "1", "Ohne Namen"]
    assert found[3].adr.value.street == 'Old "Square"\n1'
    assert result.left_out.to_json() == {"oddTime": {"contacts": 1}}


def test_a_picture_in_the_row_is_in_the_card(tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(range(200))).decode()
    contacts = [
        {"id": "a", "firstName": "A", "photoUrl": f"data:image/png;base64,{picture}"},
        {"id": "b", "firstName": "B", "photoUrl": "https://media.example.org/x y"},
        {"id": "c", "firstName": "C", "photoUrl": "javascript:alert(1)"},
    ]
    source = write_archive(tmp_path / "a.mana", {"contacts": contacts})
    result = convert(source, tmp_path / "a.vcf", vcard="3")
    first, second, third = cards(tmp_path / "a.vcf")
    assert first.photo.value == bytes(range(200))
    assert second.photo.value == "https://media.example.org/x%20y"
    assert not hasattr(third, "photo")
    assert result.left_out.to_json() == {"notEmbedded": {"contacts": 2}}


@pytest.mark.parametrize("version", ["3", "4"])
def test_guests_and_clients_have_cards_unless_they_have_one_already(tmp_path: Path, version: str) -> None:
    guest = {"name": "Bo Grün", "email": "bo@example.org", "phone": "+49 221 1"}
    tables: Tables = {
        "contacts": [{"id": "c", "firstName": "Ida", "lastName": "Roth"}],
        "eventGuests": [
            {"id": "g1", "contactId": "c", "name": "Ida"},
            {"id": "g2", "contactId": "gone", **guest},
            {"id": "g3", **guest},
        ],
        "timeClients": [{"id": "t", "name": "Weber AG", "email": "weber@example.org", "notes": "late\npayer"}],
        "invoiceClients": [
            {"id": "i", "name": "Roth; Söhne", "address": "Gasse 1\nBern", "iban": "CH93", "vatNumber": "7"}
        ],
    }
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "a.vcf", vcard=version, language="de")
    found = {str(card.fn.value): card for card in cards(tmp_path / "a.vcf")}
    assert list(found) == ["Ida Roth", "Bo Grün", "Weber AG", "Roth; Söhne"]
    assert str(found["Bo Grün"].email.value) == "bo@example.org"
    assert str(found["Weber AG"].note.value) == "late\npayer"
    assert found["Weber AG"].categories.value == ["Kunden"]
    assert "Gasse 1" in str(found["Roth; Söhne"].adr.value.street)
    assert str(found["Roth; Söhne"].x_mana_iban.value) == "CH93"
    assert result.left_out.to_json() == {"sameCard": {"eventGuests": 2}}


def test_hostile_values_stay_values(tmp_path: Path) -> None:
    evil = "x\r\nEND:VCARD\r\nBEGIN:VCARD\nFN:evil\0\u2028\u202e \ud83d" + "👩‍👩‍👧" * 60
    contact = {name: evil for name, value in ADA.items() if isinstance(value, str)} | {"id": evil, "tags": [evil]}
    convert(write_archive(tmp_path / "a.mana", {"contacts": [contact]}), tmp_path / "a.vcf")
    (card,) = cards(tmp_path / "a.vcf")
    assert card.note.value.startswith("x\nEND:VCARD\nBEGIN:VCARD\nFN:evil")


def test_every_contact_of_an_account_has_its_card(life: Path, tmp_path: Path) -> None:
    result = convert(life, tmp_path / "a.vcf")
    rows = rows_of(life)
    others = sum(len(rows.get(table, {})) for table in ("eventGuests", "timeClients", "invoiceClients"))
    same = sum(result.left_out.to_json().get("sameCard", {}).values())
    assert len(cards(tmp_path / "a.vcf")) == len(rows["contacts"]) + others - same
    assert others > same
    convert(life, tmp_path / "b.vcf")
    assert (tmp_path / "a.vcf").read_bytes() == (tmp_path / "b.vcf").read_bytes()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=400))
def test_a_folded_line_is_the_line_again(text: str) -> None:
    data = folded(text)
    assert data.replace(b"\r\n ", b"").removesuffix(b"\r\n").decode() == text
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    for line in data.split(b"\r\n"):
        line.decode()
