"""Bounded caches for what depends on bytes alone: parsed certificate chains and manifests.

They hold nothing that depends on the time, on the trust anchors or on the policy; those are judged
on every use. Chains are found by the SHA-256 of their bytes, manifests by the bytes themselves: a
store hands out the same object again and again, so looking one up neither reads nor hashes it. A
verdict is never cached.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from .bounded import BoundedCache
from .certificates import DeviceChain, load_device_chain
from .links import Authorities
from .rim import Rim, load_rim

#: Entries of about 20 KiB: a fleet of some thousand GPUs stays warm in 80 MiB.
DEFAULT_CHAIN_ENTRIES: Final = 4096
#: Two manifests per driver and VBIOS version in use; a fleet has some dozen.
DEFAULT_RIM_ENTRIES: Final = 512


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of one process. Pass the same object to every ``verify_evidence`` call."""

    chains: BoundedCache[DeviceChain] = field(
        default_factory=lambda: BoundedCache(DEFAULT_CHAIN_ENTRIES)
    )
    authorities: Authorities = field(default_factory=Authorities)
    rims: BoundedCache[Rim] = field(default_factory=lambda: BoundedCache(DEFAULT_RIM_ENTRIES))

    def chain(self, pem: bytes) -> DeviceChain:
        """Read a PEM chain, or remember it. Raises ChainError for one that cannot be read."""
        return self.chains.get_or_compute(
            hashlib.sha256(pem).digest(),
            lambda: load_device_chain(pem, authorities=self.authorities),
        )

    def rim(self, xml: bytes) -> Rim:
        """Read and verify a manifest, or remember it. Raises RimError."""
        return self.rims.get_or_compute(xml, lambda: load_rim(xml, authorities=self.authorities))
