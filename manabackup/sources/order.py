"""In which order tables are filled: what is referred to before what refers to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def in_order(parents: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of names, each after all that it leads to; in a group are those that lead to each other in a circle.

    What leads to names that are not among them does not count. The order depends on the names alone.

    >>> in_order({"lines": ["orders"], "orders": ["people"], "people": ["orders"]})
    [['orders', 'people'], ['lines']]
    """
    above = {name: sorted({each for each in parents[name] if each in parents}) for name in sorted(parents)}
    # Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion.
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    groups: list[list[str]] = []
    for start in above:
        if start in number:
            continue
        work = [(start, iter(above[start]))]
        number[start] = lowest[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        while work:
            name, rest = work[-1]
            for parent in rest:
                if parent not in number:
                    number[parent] = lowest[parent] = len(number)
                    stack.append(parent)
                    on_stack.add(parent)
                    work.append((parent, iter(above[parent])))
                    break
                if parent in on_stack:
                    lowest[name] = min(lowest[name], number[parent])
            else:
                work.pop()
                if work:
                    below = work[-1][0]
                    lowest[below] = min(lowest[below], lowest[name])
                if lowest[name] == number[name]:
                    place = stack.index(name)
                    group = stack[place:]
                    del stack[place:]
                    on_stack.difference_update(group)
                    groups.append(sorted(group))
    return groups
