"""``gpx``: see :mod:`.geo`."""

from .geo import gpx as convert

__all__ = ["convert"]
