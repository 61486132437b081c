"""Tasks as ``VTODO``, with their parts, their plan and their reminders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final

from icalendar import Alarm, Todo

from ..model.values import decimal, first_text, moment
from ..text.jsontext import JSON
from .ics_parts import Parts
from .joined import Joined
from .reading import Reading, ReadRow
from .series import Series
from .spans import Span, due_of

_PRIORITIES: Final = {"urgent": 1, "high": 3, "medium": 5, "low": 9}
_LONGEST_ESTIMATE: Final = 480
"""Minutes, the longest that people can choose; larger numbers are seconds."""
_LONGEST_REMINDER: Final = 60 * 24 * 400


class Tasks:
    """The tasks of an archive. First they are given their blocks."""

    def __init__(self, reading: Reading, joined: Joined, parts: Parts) -> None:
        self._reading = reading
        self._joined = joined
        self._parts = parts
        self._plans: dict[str, tuple[Span, Series | None]] = {}

    def takes(self, task: str, block: str, span: Span, series: Series | None) -> bool:
        """Whether a block is the plan of a task; it is told with the task then."""
        if self._scheduled.get(task) != block:
            return False
        self._plans[task] = span, series
        return True

    @cached_property
    def _scheduled(self) -> dict[str, str]:
        """Task → the block that it names."""
        rows = self._reading.rows("tasks")
        return {row.id: block for row in rows if (block := first_text(row.values, "scheduledBlockId"))}

    def components(self) -> Iterator[Todo]:
        """All tasks and their parts."""
        projects = self._joined.names("todoProjects")
        for row in self._reading.rows("tasks"):
            yield from self._task(row, projects)

    def _task(self, row: ReadRow, projects: dict[str, str]) -> Iterator[Todo]:
        values, todo = row.values, Todo()
        self._parts.common(todo, "tasks", row, row)
        self._parts.text(todo, "summary", values.get("title") or "–")
        self._parts.text(todo, "description", values.get("description"))
        self._parts.text(todo, "x-mana-project", projects.get(first_text(values, "projectId")))
        due = due_of(values.get("dueDate"), self._reading.zone)
        if due is None and values.get("dueDate"):
            self._reading.left_out.note("oddTime", "tasks")
        self._put_times(todo, due, self._plans.get(row.id))
        priority = _PRIORITIES.get(first_text(values, "priority"))
        if priority is not None:
            todo.add("priority", priority)
        _put_state(todo, values.get("isCompleted"), values.get("completedAt"))
        self._numbers(todo, values)
        for reminder in self._reminders.get(row.id, ()):
            self._remind(todo, reminder, due)
        yield todo
        parts = values.get("subtasks")
        for number, part in enumerate(parts if isinstance(parts, list) else []):
            if not isinstance(part, dict):
                continue
            child = Todo()
            identifier = first_text(part, "id") or str(number)
            made = ReadRow(f"{row.id}:{identifier}", part, b"", row.created, row.modified)
            self._parts.common(child, "subtasks", made, made, tags=False)
            self._parts.text(child, "summary", part.get("title") or "–")
            child.add("related-to", self._parts.uid("tasks", row.id))
            _put_state(child, part.get("isCompleted"), part.get("completedAt"))
            yield child

    @staticmethod
    def _put_times(todo: Todo, due: date | None, plan: tuple[Span, Series | None] | None) -> None:
        """Start and end: of one kind, and in this order (RFC 5545, 3.8.2.3)."""
        start: date | None = plan[0].start if plan is not None else None
        if isinstance(start, datetime) and due is not None and not isinstance(due, datetime):
            start = start.date()
        if isinstance(due, datetime) and start is not None and not isinstance(start, datetime):
            start = datetime.combine(start, datetime.min.time(), due.tzinfo)
        if start is not None and due is not None and start >= due:
            todo.add("x-mana-planned", start.isoformat())
            start = None
        series = plan[1] if plan is not None else None
        if start is not None:
            keeps_zone = series is not None or not isinstance(start, datetime)
            todo.add("dtstart", start if keeps_zone or not isinstance(start, datetime) else start.astimezone(UTC))
            if series is not None:
                series.put(todo)
        if due is not None:
            todo.add("due", due.astimezone(UTC) if isinstance(due, datetime) else due)

    @staticmethod
    def _numbers(todo: Todo, values: dict[str, JSON]) -> None:
        estimate = decimal(values.get("estimatedDuration"))
        if estimate is not None and 0 < estimate < 10**7:
            minutes = estimate if estimate <= _LONGEST_ESTIMATE else estimate / 60
            todo.add("x-mana-estimated-minutes", f"{minutes:.0f}")
        for name in ("storyPoints", "funRating"):
            found = first_text(values, f"metadata.{name}")
            if found.isdigit():
                todo.add(f"x-mana-{name.lower()}", found)

    @cached_property
    def _reminders(self) -> dict[str, list[ReadRow]]:
        found: dict[str, list[ReadRow]] = {}
        for row in self._reading.rows("reminders"):
            found.setdefault(first_text(row.values, "taskId"), []).append(row)
        return found

    def _remind(self, todo: Todo, reminder: ReadRow, due: date | None) -> None:
        minutes = reminder.values.get("minutesBefore")
        if due is None or type(minutes) is not int or not 0 <= minutes <= _LONGEST_REMINDER:
            self._reading.left_out.note("noTime", "reminders")
            return
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        self._parts.text(alarm, "description", str(todo["SUMMARY"]))
        alarm.add("trigger", timedelta(minutes=-minutes), parameters={"RELATED": "END"})
        todo.add_component(alarm)


def _put_state(todo: Todo, completed: JSON, at: JSON) -> None:
    todo.add("status", "COMPLETED" if completed is True else "NEEDS-ACTION")
    found = moment(at)
    if completed is True and isinstance(found, datetime) and found.tzinfo is not None:
        todo.add("completed", found.astimezone(UTC).replace(microsecond=0))
