"""Writing at a path inside a row's plain objects (rule 5) without touching objects that belong to somebody else."""

from __future__ import annotations

from ...limits import DEFAULT_LIMITS
from ...text.jsontext import JSON


class NestedObjects:
    """The nested objects of one row, copied when they are first written to.

    What a change holds may be shared with its caller and with other fields. An object on the way to a written path is
    therefore copied once; from then on it is this row's own and written in place.
    """

    __slots__ = ("_own",)

    def __init__(self) -> None:
        # Holds the objects, not just their ids: the id of a freed one could come back as that of a stranger's.
        self._own: dict[int, dict[str, JSON]] = {}

    def write(self, row: dict[str, JSON], path: str, value: JSON) -> bool:
        """Put ``value`` at the dotted ``path``; parents that are missing or null become objects.

        ``False``, and nothing changed, when a parent is something else.
        """
        *parents, last = path.split(".")
        node = row
        for name in parents:
            child = node.get(name)
            if child is None:
                break
            if type(child) is not dict:
                return False
            node = child
        node = row
        for name in parents:
            child = node.get(name)
            if child is None or id(child) not in self._own:
                child = {} if child is None else dict(child)
                self._own[id(child)] = child
                node[name] = child
            node = child
        node[last] = value
        return True


def is_too_long(path: str) -> bool:
    """Whether a path would build objects deeper than any app does, and than readers of the archive accept."""
    return path.count(".") >= DEFAULT_LIMITS.path_names
