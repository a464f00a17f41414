"""Which grid a region is on. The registry holds free text; only an exact name is believed."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType


def zone_of(region: str) -> str | None:
    """The zone (ISO 3166-1 alpha-3) of a node's region, or None where it names no single one.

    Known are country codes of two or three letters and the names in ``regions.csv``. ``eu-north``
    is several countries and so is none. A region is looked up, never used as a path.
    """
    return region_zones().get(region.casefold())


@cache
def region_zones() -> Mapping[str, str]:
    """Zones by the region's name in lower case."""
    zones = {row["region"]: row["zone"] for row in rows("regions.csv")}
    return MappingProxyType(zones | {zone.casefold(): zone for zone in set(zones.values())})


def rows(name: str) -> Iterator[dict[str, str]]:
    """The rows of a packaged table; lines that begin with # say where it comes from."""
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    yield from csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
