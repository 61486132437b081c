"""``geojson``: see :mod:`.geo`."""

from .geo import geojson as convert

__all__ = ["convert"]
