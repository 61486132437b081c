"""What is to be written, decided before anything is: the streams in their order, the terms, what is known to lack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...archive.manifest import AS_STORED
from ...archive.writer import About
from ...errors import UsageError
from ...host.processes import WORTH_PROCESSES
from ...limits import Limits
from ...mirror import Loss
from ...model.spaces import PERSONAL, SENTINEL
from ...rows.completeness import Case
from ...text.jsontext import JSON
from ...text.printable import printable
from ...text.suggestions import did_you_mean
from ...text.timestamps import SECOND, format_timestamp, parse_timestamp
from ..account.source import Source
from ..account.spaces import spaces_named
from .selection import Selection, streams_of, with_room
from .terms import ExportTerms, FileTerms, Stream


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is to be written."""

    source: Source
    selection: Selection
    streams: Sequence[Stream]
    """In the order in which they are written."""
    set_aside: Sequence[Stream]
    """What an archive has no place for."""

    @classmethod
    def of(cls, source: Source, selection: Selection, limits: Limits) -> ExportPlan:
        """What a selection amounts to. Raises :class:`UsageError` for tables that do not exist."""
        wanted = streams_of(source.mirror.collections(), source.registry, selection)
        streams, set_aside = with_room(wanted, limits.entries - len(source.account))
        if sum(stream.bytes for stream in streams) >= WORTH_PROCESSES:
            # While a table is gathered, all others have that before it to do: a small one does not keep them waiting.
            streams.sort(key=lambda stream: stream.bytes)
        return cls(source, selection, streams, set_aside)

    @property
    def bytes(self) -> int:
        """The size of all changes as text."""
        return sum(stream.bytes for stream in self.streams)

    @property
    def changes(self) -> int:
        """How many there are to be read."""
        return sum(stream.changes for stream in self.streams)

    def terms(self, now: datetime, limits: Limits, files: FileTerms = FileTerms.COUNT) -> ExportTerms:
        """By what rows are chosen and written, at the time of the export."""
        return ExportTerms(
            cipher=self.source.cipher,
            space_types=self.source.space_types,
            spaces=self.selection.spaces,
            include_deleted=self.selection.include_deleted,
            as_of=self.selection.as_of,
            tomorrow=_tomorrow(self.source.pulled_at, now),
            line_bytes=limits.line_bytes,
            user_id=self.source.user_id,
            files=files,
            as_stored=self.source.as_stored,
        )

    def cases(self) -> Iterator[Case]:
        """What there is to say about completeness that no row tells."""
        for stream in self.streams:
            if stream.table is None:
                yield Case("unknownCollection", stream.name, reason=f"{stream.app}/{stream.collections[0]}")
        for stream in self.set_aside:
            yield Case("tableSetAside", stream.name, reason=f"{stream.app}/{stream.collections[0]}")
        apps = {stream.app for stream in self.streams}
        for loss in self.source.mirror.losses():
            if loss.app in apps or not loss.app:
                yield from _cases(loss)
        for kind, reason in self.source.notices:
            yield Case(kind, "account", reason=reason)

    def require_spaces(self, seen: Set[str]) -> None:
        """Raises :class:`UsageError` for a space of the selection that neither a row nor the account service names."""
        source = self.source
        known = {PERSONAL, f"{SENTINEL}{source.user_id}", *seen, *source.space_types, *(source.memberships or ())}
        for space in self.selection.spaces:
            if space not in known:
                ids = {name for name in known if name != PERSONAL and not name.startswith(SENTINEL)}
                hint = did_you_mean(space, known) or spaces_named("besides `personal` there are", ids)
                raise UsageError(f"the account has no space {printable(space)}, and no row in it", hint=hint)

    def about(self, dated: datetime) -> About:
        """The manifest's keys that the web app knows."""
        return About(
            user_id=self.source.user_id,
            exported_at=_iso(dated),
            scope=self._scope(),
            fields_plaintext=not self.source.as_stored,
        )

    def additions(self) -> dict[str, JSON]:
        """The manifest's keys that only this tool knows, but for ``completeness``."""
        stated = self.selection.filter()
        return {
            "registryVersion": self.source.registry.version,
            "ciphertextMarked": True,
            **({"filter": stated} if stated else {}),
            **({AS_STORED: True} if self.source.as_stored else {}),
            **self.source.stated,
        }

    def _scope(self) -> dict[str, JSON]:
        if self.selection.apps:
            return {"type": "filtered", "appIds": list(dict.fromkeys(self.selection.apps))}
        if self.selection.tables:
            apps, known = {stream.app for stream in self.streams}, self.source.registry.apps
            # In the registry's order, whichever of the tables came first.
            return {"type": "filtered", "appIds": [*filter(apps.__contains__, known), *sorted(apps.difference(known))]}
        return {"type": "full"}


def _cases(loss: Loss) -> Iterator[Case]:
    kind, place = (
        loss.kind.value,
        (loss.app or "mirror") if loss.collection is None else f"{loss.app}/{loss.collection}",
    )
    for event, record in zip(loss.events, loss.records, strict=False):
        yield Case(kind, place, record, reason=event)
    nameless = loss.count - len(loss.records)
    if nameless > 0:
        yield Case(kind, place, reason=_stretch(loss), count=nameless)


def _stretch(loss: Loss) -> str | None:
    """The stretch of time of an unreadable tie or page."""
    if loss.until is None:
        return None
    until = format_timestamp(loss.until)
    return until if loss.since is None else f"{format_timestamp(loss.since)} to {until}"


def _tomorrow(pulled_at: str | None, now: datetime) -> str:
    """What is later lay in the future when the server was read: by its clock where that is known, else by this one."""
    seen = now
    if pulled_at is not None:
        with suppress(ValueError):
            seen = min(now, datetime.fromtimestamp(parse_timestamp(pulled_at) / SECOND, UTC))
    return _iso(seen + timedelta(days=1))


def _iso(moment: datetime) -> str:
    """A time as the web app writes it: UTC, milliseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
