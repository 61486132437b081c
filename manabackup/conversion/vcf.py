"""``vcf``: vCard 4 (RFC 6350), or 3 (RFC 2426, which older phones want), one card for each contact.

Mana keeps one value a field. Who has no name is called after the company, the address of mail, the telephone. Guests of
gatherings and clients have cards, too, unless they are contacts already; a category tells what they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from typing import BinaryIO, Final

from ..model.tables import TableModel
from ..model.values import first_text, moment
from ..rows.archived import is_ours
from ..rows.blobs import IndexedFile, indexed_files
from ..text.jsontext import JSON
from . import prose
from .card_pictures import holds
from .joined import Joined
from .reading import Reading, ReadRow

_OTHERS: Final = ("eventGuests", "timeClients", "invoiceClients")
"""Further tables of people (``formats/modules.md``)."""
_HELD: Final = frozenset({"contacts", "contactTags", "globalTags", *_OTHERS})
_UUID: Final = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PICTURE: Final = re.compile(r"data:image/(jpeg|png|gif|webp);base64,([A-Za-z0-9+/=]+)")
_SERVICES: Final = {"linkedin": "LinkedIn", "twitter": "Twitter", "instagram": "Instagram", "github": "GitHub"}
_LINE: Final = 75
"""Bytes of a line, its end not counted (RFC 6350, 3.2)."""
_ESCAPED: Final = str.maketrans({"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n"})


def convert(reading: Reading, file: BinaryIO) -> None:
    """Write the file."""
    reading.leave_out_others(lambda name: name in _HELD)
    model = reading.model("contacts")
    assert model is not None
    cards = _Cards(reading, model)
    contacts = set()
    for row in reading.rows("contacts"):
        contacts.add(row.id)
        file.write(b"".join(map(folded, cards.lines(row))))
    seen: set[tuple[str, ...]] = set()
    for table in _OTHERS:
        for row in reading.rows(table):
            if first_text(row.values, "contactId") not in contacts and _is_new(row, seen):
                file.write(b"".join(map(folded, cards.other_lines(table, row))))
            else:
                reading.left_out.note("sameCard", table)


def _is_new(row: ReadRow, seen: set[tuple[str, ...]]) -> bool:
    """Whether nobody with this name, address and telephone has had a card: a guest may come more than once."""
    who = tuple(first_text(row.values, field) for field in ("name", "email", "phone", "address", "iban", "vatNumber"))
    if who in seen:
        return False
    seen.add(who)
    return True


class _Cards:
    def __init__(self, reading: Reading, model: TableModel) -> None:
        self._reading = reading
        self._model = model
        self._joined = Joined(reading)
        self._new = reading.options.vcard == "4"

    def lines(self, row: ReadRow) -> Iterator[str]:
        """The lines of a card, unfolded."""
        values = row.values
        yield "BEGIN:VCARD"
        yield "VERSION:4.0" if self._new else "VERSION:3.0"
        yield f"UID:{'urn:uuid:' + row.id.lower() if _UUID.fullmatch(row.id) else escaped(row.id)}"
        yield f"FN:{escaped(self._name(values))}"
        first, last = first_text(values, "firstName"), first_text(values, "lastName")
        if first or last or not self._new:
            yield f"N:{escaped(last)};{escaped(first)};;;"
        for name, field in (("ORG", "company"), ("TITLE", "jobTitle"), ("EMAIL", "email"), ("NOTE", "notes")):
            if text := first_text(values, field):
                yield f"{name}:{escaped(text)}"
        if text := first_text(values, "phone"):
            yield f"TEL;TYPE=voice:{escaped(text)}"
        if text := first_text(values, "mobile"):
            yield f"TEL;TYPE=cell:{escaped(text)}"
        yield from self._address(values)
        yield from self._day(values)
        yield from self._links(values)
        yield from self._picture(row.id, values)
        if tags := self._joined.tags(self._model, row.id, values):
            yield "CATEGORIES:" + ",".join(map(escaped, tags))
        for name, flag in (("X-MANA-FAVORITE", "isFavorite"), ("X-MANA-ARCHIVED", "isArchived")):
            if values.get(flag) is True:
                yield f"{name}:true"
        if row.id == "self-contact":
            yield "X-MANA-SELF:true"
        yield from self._revision(row)
        yield "END:VCARD"

    def other_lines(self, table: str, row: ReadRow) -> Iterator[str]:
        """The lines of the card of a guest or a client."""
        values = row.values
        name, mail = first_text(values, "name"), first_text(values, "email")
        called = name or mail or first_text(values, "phone") or self._nobody
        yield from ("BEGIN:VCARD", "VERSION:4.0" if self._new else "VERSION:3.0")
        yield f"UID:{escaped(f'{table}-{row.id}')}"
        yield f"FN:{escaped(called)}"
        if not self._new:
            yield f"N:{escaped(called)};;;;"
        for key, field in (("EMAIL", "email"), ("TEL;TYPE=voice", "phone")):
            if text := first_text(values, field):
                yield f"{key}:{escaped(text)}"
        yield from self._one_line_address(first_text(values, "address"))
        if notes := first_text(values, "notes") or first_text(values, "note"):
            yield f"NOTE:{escaped(notes)}"
        for key, field in (("X-MANA-VAT-NUMBER", "vatNumber"), ("X-MANA-IBAN", "iban")):
            if text := first_text(values, field):
                yield f"{key}:{escaped(text)}"
        model = self._reading.model(table)
        assert model is not None
        yield f"CATEGORIES:{escaped(model.label.of(self._reading.language))}"
        yield from self._revision(row)
        yield "END:VCARD"

    @property
    def _nobody(self) -> str:
        return "Ohne Namen" if self._reading.language == "de" else "No name"

    def _name(self, values: Mapping[str, JSON]) -> str:
        found = self._model.title(values) or first_text(values, "phone") or first_text(values, "mobile")
        return found or self._nobody

    @staticmethod
    def _revision(row: ReadRow) -> Iterator[str]:
        changed = moment(row.modified)
        if isinstance(changed, datetime) and changed.tzinfo is not None:
            yield f"REV:{changed.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    def _address(self, values: Mapping[str, JSON]) -> Iterator[str]:
        parts = [first_text(values, name) for name in ("street", "city", "postalCode", "country")]
        if any(parts):
            street, city, code, country = map(escaped, parts)
            yield f"ADR:;;{street};{city};;{code};{country}"
        else:
            yield from self._one_line_address(first_text(values, "address"))
        place = self._model.place(values)
        if place is not None:
            yield f"GEO:geo:{place[0]:f},{place[1]:f}" if self._new else f"GEO:{place[0]:f};{place[1]:f}"

    def _one_line_address(self, text: str) -> Iterator[str]:
        if text and self._new:
            yield f"ADR;LABEL={parameter(text)}:;;{escaped(text)};;;;"
        elif text:
            yield f"ADR:;;{escaped(text)};;;;"
            yield f"LABEL:{escaped(text)}"

    def _day(self, values: Mapping[str, JSON]) -> Iterator[str]:
        told = values.get("birthday")
        born = moment(told)
        if isinstance(born, date):
            yield f"BDAY:{born:%Y%m%d}" if self._new else f"BDAY:{born:%Y-%m-%d}"
        elif told:
            self._reading.left_out.note("oddTime", "contacts")

    def _links(self, values: Mapping[str, JSON]) -> Iterator[str]:
        website = first_text(values, "website")
        if website:
            yield f"URL:{uri(website if '://' in website else f'https://{website}')}"
        for field, service in _SERVICES.items():
            text = first_text(values, field)
            if text and self._new:
                yield f"SOCIALPROFILE;SERVICE-TYPE={service};VALUE=text:{escaped(text)}"
            elif text:
                yield f"X-SOCIALPROFILE;TYPE={field}:{escaped(text)}"

    def _picture(self, identifier: str, values: Mapping[str, JSON]) -> Iterator[str]:
        address = self._kept(identifier) or first_text(values, "photoUrl")
        picture = _PICTURE.fullmatch(address)
        if picture:
            kind = picture[1].upper()
            yield f"PHOTO:{address}" if self._new else f"PHOTO;ENCODING=b;TYPE={kind}:{picture[2]}"
        elif address:
            self._reading.left_out.note("notEmbedded", "contacts")
            if prose.is_safe(address):
                yield f"PHOTO:{uri(address)}" if self._new else f"PHOTO;VALUE=uri:{uri(address)}"

    def _kept(self, identifier: str) -> str | None:
        """A contact's picture that lies in the archive, as an address that is the picture itself."""
        found = self._pictures.get(identifier)
        if found is None:
            return None
        content = b"".join(self._reading.archive.file(found.sha256 or ""))
        return f"data:{found.type};base64,{base64.b64encode(content).decode()}"

    @cached_property
    def _pictures(self) -> dict[str, IndexedFile]:
        archive = self._reading.archive
        files = indexed_files(archive) if is_ours(archive) else ()
        return {row.id: file for file in files if holds(file) for row in file.rows}


def escaped(text: str) -> str:
    """A text as a value (RFC 6350, 3.4): on one line, whatever stands in it."""
    return prose.clean(text).replace("\t", " ").translate(_ESCAPED)


def parameter(text: str) -> str:
    """A text as the value of a parameter (RFC 6868)."""
    return '"' + prose.clean(text).replace("^", "^^").replace("\n", "^n").replace('"', "^'") + '"'


def uri(address: str) -> str:
    """An address on one line."""
    return re.sub(r"\s", lambda found: f"%{ord(found[0]):02X}", prose.clean(address.strip()))


def folded(line: str) -> bytes:
    """A line in pieces that are short enough, none of which ends within a character."""
    data = line.encode()
    if len(data) <= _LINE:
        return data + b"\r\n"
    pieces, at, room = [], 0, _LINE
    while at < len(data):
        end = min(at + room, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[at:end])
        at, room = end, _LINE - 1
    return b"\r\n ".join(pieces) + b"\r\n"
