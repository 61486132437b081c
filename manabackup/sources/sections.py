"""One table of a profile's TOML, read key by key; whatever is wrong is told with the file and the key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ..errors import UsageError
from ..text.printable import one_line
from ..text.suggestions import did_you_mean

LONGEST_NAME = 255
"""Characters in a name of a table or column; PostgreSQL takes 63 bytes."""


class Section:
    """A TOML table. ``where`` is its path in the file, ``file`` how people know that."""

    def __init__(self, values: Mapping[str, Any], where: str, file: str) -> None:
        self._values = values
        self._where = where
        self._file = file
        self._asked: set[str] = set()

    def fail(self, key: str | None, problem: str, hint: str | None = None) -> NoReturn:
        """Raises the :class:`UsageError` about a key of it, or about itself."""
        path = self.path(key) if key is not None else self._where
        raise UsageError(
            f"{self._file}: {one_line(path)}: {problem}" if path else f"{self._file}: {problem}", hint=hint
        )

    def path(self, key: str) -> str:
        """Where a key stands in the file."""
        return f"{self._where}.{key}" if self._where else key

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._values

    def raw(self, key: str) -> Any:
        """A value of whatever type; it must be there."""
        if key not in self:
            self.fail(key, "is missing")
        return self._values[key]

    def text(self, key: str) -> str:
        """A text that is not empty, on one line."""
        value = self.raw(key)
        if not isinstance(value, str) or not value:
            self.fail(key, "is not a text")
        if any(ord(character) < 32 for character in value):
            self.fail(key, "holds control characters")
        return value

    def name(self, key: str) -> str:
        """A name of a column or of a table."""
        return self._as_name(key, self.raw(key))

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names, none twice; empty where it is not there."""
        if key not in self:
            return ()
        value = self.raw(key)
        if not isinstance(value, list):
            self.fail(key, "is not a list of names")
        found = tuple(self._as_name(key, each) for each in value)
        if len(set(found)) < len(found):
            self.fail(key, "has a name twice")
        return found

    def one_or_more(self, key: str) -> tuple[str, ...]:
        """A name, or a list of at least one."""
        found = self.names(key) if isinstance(self.raw(key), list) else (self.name(key),)
        if not found:
            self.fail(key, "is empty")
        return found

    def flag(self, key: str) -> bool:
        """True or false; false where it is not there."""
        if key not in self:
            return False
        value = self.raw(key)
        if not isinstance(value, bool):
            self.fail(key, "is neither true nor false")
        return value

    def word(self, key: str, words: frozenset[str], default: str | None = None) -> str:
        """One of some words."""
        if default is not None and key not in self:
            return default
        value = self.text(key)
        if value not in words:
            self.fail(key, f"is none of {', '.join(sorted(words))}", did_you_mean(value, words))
        return value

    def texts(self, key: str) -> dict[str, str]:
        """Names and texts; empty where it is not there."""
        if key not in self:
            return {}
        inner = self.section(key)
        return {self._as_name(key, name): inner.text(name) for name in inner.every_key()}

    def section(self, key: str) -> Section:
        """A table within it."""
        value = self.raw(key)
        if not isinstance(value, dict):
            self.fail(key, "is not a table")
        return Section(value, self.path(key), self._file)

    def sections(self, key: str) -> Iterator[tuple[str, Section]]:
        """The tables within a table, by name; at least one."""
        inner = self.section(key)
        if not inner.every_key():
            self.fail(key, "is empty")
        for name in inner.every_key():
            yield name, inner.section(name)

    def parts(self, key: str) -> Iterator[Section]:
        """A list of tables; at least one."""
        value = self.raw(key)
        if not isinstance(value, list) or not value:
            self.fail(key, "is not a list of tables")
        for number, each in enumerate(value):
            if not isinstance(each, dict):
                self.fail(key, "is not a list of tables")
            yield Section(each, f"{self.path(key)}[{number}]", self._file)

    def every_key(self) -> list[str]:
        """All keys that stand in it."""
        return list(self._values)

    def end(self) -> None:
        """Nothing that nobody asked for may be left over."""
        for key in self._values:
            if key not in self._asked:
                self.fail(key, "is no key of a profile", did_you_mean(key, self._asked))

    def _as_name(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            self.fail(key, "is not a name")
        if len(value) > LONGEST_NAME or "\0" in value:
            self.fail(key, "is no name that a database takes")
        return value
