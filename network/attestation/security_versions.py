"""The rule of least security versions: firmware with a known hole must not look like a mended one.

A manifest may name fields of the opaque data, by their raw ids, with the least security version
number (SVN) that each may have. The report's field must be there, be typed as a security version
and be no less: an absent field is no proof of a high version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .errors import Finding
from .opaque import Opaque
from .rim_payload import SvnFloor

#: Floors by opaque field, of each manifest by its source (``driver``, ``vbios``).
Floors = Mapping[str, Mapping[int, SvnFloor]]


def svn_conflicts(floors: Floors) -> list[Finding]:
    """Two manifests must not speak of one field, nor use one name for two."""
    fields = Counter(number for found in floors.values() for number in found)
    names = Counter(floor.name for found in floors.values() for floor in found.values())
    return [
        *(_conflict("field", number) for number, count in sorted(fields.items()) if count > 1),
        *(_conflict("name", name[:64]) for name, count in sorted(names.items()) if count > 1),
    ]


def _conflict(what: str, value: int | str) -> Finding:
    return Finding(
        "rim.index_conflict",
        f"A security version with the {what} {value} is asked for twice.",
        data={what: value},
    )


def svn_findings(floors: Floors, opaque: Opaque) -> list[Finding]:
    """Compare every floor with the report; all that are not met, with both values."""
    return [
        _too_low(source, number, floor, opaque)
        for source, found in floors.items()
        for number, floor in sorted(found.items())
        if (reported := opaque.svn(number)) is None or reported < floor.floor
    ]


def _too_low(source: str, number: int, floor: SvnFloor, opaque: Opaque) -> Finding:
    reported = opaque.svn(number)
    if reported is not None:
        what = f"is {reported}"
    elif number in opaque.fields:
        what = "is not given as one"
    else:
        what = "is not reported"
    return Finding(
        "meas.svn_too_low",
        f"The security version {floor.name[:64]} {what}; the {source} manifest asks for "
        f"{floor.floor} or more.",
        data={
            "field": number,
            "name": floor.name[:64],
            "source": source,
            "floor": floor.floor,
            "runtime": reported,
        },
    )
