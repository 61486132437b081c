"""What all components of a calendar have: identity, times, words, tags, guests."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from icalendar import vCalAddress, vText

from ..model.values import first_text, moment
from ..text.jsontext import JSON
from . import prose
from .joined import Joined
from .reading import Reading, ReadRow

_MAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_UID: Final = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_ANSWERS: Final = {"yes": "ACCEPTED", "no": "DECLINED", "maybe": "TENTATIVE", "pending": "NEEDS-ACTION"}
_STATES: Final = {"draft": "TENTATIVE", "published": "CONFIRMED", "cancelled": "CANCELLED", "past": "CONFIRMED"}
_CLASSES: Final = {"private": "PRIVATE", "public": "PUBLIC"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Parts:
    """Puts them into components."""

    def __init__(self, reading: Reading, joined: Joined) -> None:
        self._reading = reading
        self._joined = joined

    def uid(self, table: str, identifier: str) -> str:
        """The same for a row in every export."""
        if _UID.fullmatch(identifier):
            return f"{table}-{identifier}@mana"
        return f"{table}-x{identifier.encode('utf-8', 'surrogatepass').hex()[:120]}@mana"

    def common(self, component: Any, table: str, row: ReadRow, told: ReadRow, *, tags: bool = True) -> None:
        """Identity and times of a row, and the tags and the openness of the row that people see."""
        component.add("uid", self.uid(table, row.id))
        component.add("dtstamp", self._instant(told.modified) or self._exported)
        for name, value in (("created", told.created), ("last-modified", told.modified)):
            found = self._instant(value)
            if found is not None:
                component.add(name, found)
        openness = _CLASSES.get(str(told.values.get("visibility")))
        if openness is not None:
            component.add("class", openness)
        model = self._model_of(told) if tags else None
        if model is not None:
            names = self._joined.tags(model, told.id, told.values)
            if names:
                component.add("categories", [prose.clean(name).replace("\n", " ") for name in names])

    def _model_of(self, row: ReadRow) -> Any:
        """The description that fits a row: events, gatherings and tasks alone have tags."""
        for name, mark in (("tasks", "isCompleted"), ("events", "calendarId"), ("timeBlocks", "sourceModule")):
            if mark in row.values:
                return self._reading.model(name)
        return None

    def text(self, component: Any, name: str, value: JSON) -> None:
        """A text, if there is one; line breaks are escaped by who writes it."""
        if isinstance(value, str) and value.strip():
            component.add(name, vText(prose.clean(value)))

    def gathering(self, event: Any, row: ReadRow) -> None:
        """Guests, place and state of a gathering. Who has no address of mail stands in the description."""
        without = []
        for guest in self._guests.get(row.id, ()):
            name = first_text(guest.values, "name")
            answer = _ANSWERS.get(first_text(guest.values, "rsvpStatus"), "NEEDS-ACTION")
            mail = first_text(guest.values, "email")
            if _MAIL.fullmatch(mail):
                attendee = vCalAddress(f"mailto:{mail}")
                attendee.params["CN"] = prose.clean(name or mail).replace("\n", " ").replace('"', "'")
                attendee.params["PARTSTAT"] = answer
                more = guest.values.get("plusOnes")
                if type(more) is int and more > 0:
                    attendee.params["X-NUM-GUESTS"] = str(more)
                event.add("attendee", attendee, encode=False)
            else:
                without.append(f"{name or '–'}: {answer.lower()}")
        if without:
            described = first_text(row.values, "description")
            if "DESCRIPTION" in event:
                del event["DESCRIPTION"]
            self.text(event, "description", "\n".join([*([described, ""] if described else []), *without]))
        state = _STATES.get(first_text(row.values, "status"))
        if state is not None:
            event.add("status", state)
        model = self._reading.model("socialEvents")
        place = model.place(row.values) if model is not None else None
        if place is not None:
            event.add("geo", (float(place[0]), float(place[1])))
        address = first_text(row.values, "locationUrl")
        if prose.is_safe(address) and address.isascii() and not re.search(r"\s", address):
            event.add("url", address)

    @cached_property
    def _guests(self) -> dict[str, list[ReadRow]]:
        found: dict[str, list[ReadRow]] = {}
        for row in self._reading.rows("eventGuests"):
            found.setdefault(first_text(row.values, "eventId"), []).append(row)
        return found

    @cached_property
    def _exported(self) -> datetime:
        return self._instant(self._reading.archive.manifest.exported_at) or _EPOCH

    @staticmethod
    def _instant(value: JSON) -> datetime | None:
        """An instant in UTC, whole seconds."""
        found = moment(value)
        if not isinstance(found, datetime) or found.tzinfo is None:
            return None
        return found.astimezone(UTC).replace(microsecond=0)
