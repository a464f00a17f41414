"""Allow-lists that the network votes for: which manifests and which drivers may be run at all.

On chain stands a Merkle root (``attest.rim_root``, ``attest.driver_digest_root``; zero for no
list); here the list behind it is given, already compared with that root. A vendor signs every
firmware it ever shipped, so a manifest alone does not say that a version is still wanted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import Finding
from .rim import Rim

#: Which of a device's manifests is its driver's.
DRIVER: Final = "driver"


@dataclass(frozen=True, slots=True)
class AllowList:
    """One list: the root in force (hex) and the digests behind it (SHA-256, lowercase hex).

    None for digests: nobody has given this service a list with that root.
    """

    root: str
    digests: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class AllowLists:
    """The lists in force; None where the network has voted none."""

    rims: AllowList | None = None
    drivers: AllowList | None = None


NO_LISTS: Final = AllowLists()


def driver_digest(rim: Rim) -> str:
    """What identifies a driver: SHA-256 over its golden measurements, lowercase hex.

    Per index in ascending order: the index (2 bytes, big-endian), the number of values (2), and
    each value with its length (2). The vendor's signature is renewed from time to time and with it
    the manifest's own digest; this one stays.
    """
    digest = hashlib.sha256()
    for index in sorted(rim.golden):
        values = rim.golden[index]
        digest.update(index.to_bytes(2, "big") + len(values).to_bytes(2, "big"))
        for value in values:
            digest.update(len(value).to_bytes(2, "big") + value)
    return digest.hexdigest()


def allow_list_findings(lists: AllowLists, rims: Mapping[str, Rim]) -> list[Finding]:
    """Judge the manifests that a device was compared with, by source (``driver``, ``vbios``...)."""
    findings = []
    if lists.rims is not None:
        findings += _manifest_findings(lists.rims, rims)
    if lists.drivers is not None:
        findings += _driver_findings(lists.drivers, rims.get(DRIVER))
    return findings


def _manifest_findings(allowed: AllowList, rims: Mapping[str, Rim]) -> list[Finding]:
    if allowed.digests is None:
        return [_not_evaluated("rim.not_evaluated", "manifests", allowed)]
    return [
        Finding(
            "rim.not_allowed",
            f"The {source} manifest is genuine, and not on the network's list.",
            data={"source": source, "sha256": rim.sha256, "root": allowed.root},
        )
        for source, rim in rims.items()
        if rim.sha256 not in allowed.digests
    ]


def _driver_findings(allowed: AllowList, rim: Rim | None) -> list[Finding]:
    if allowed.digests is None:
        return [_not_evaluated("driver.not_evaluated", "drivers", allowed)]
    if rim is None:
        return [
            Finding(
                "driver.not_evaluated",
                "Without its manifest it cannot be said whether the driver is on the network's "
                "list.",
                data={"reason": "manifest", "root": allowed.root},
            )
        ]
    digest = driver_digest(rim)
    if digest in allowed.digests:
        return []
    return [
        Finding(
            "driver.not_allowed",
            f"The driver {rim.version} is genuine, and not on the network's list.",
            data={"driver_digest": digest, "version": rim.version, "root": allowed.root},
        )
    ]


def _not_evaluated(code: str, what: str, allowed: AllowList) -> Finding:
    return Finding(
        code,
        f"The network has voted a list of {what}, and this service has no list with that root.",
        data={"reason": "list", "root": allowed.root},
    )
