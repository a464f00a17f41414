"""Which physical device a certificate chain speaks of, before anything is verified.

The identity is the SHA-256 of certificate 1's public key (DER SubjectPublicKeyInfo): it stays the
same through firmware updates. Chains are public, so an identity read here says which device is
meant and nothing about who holds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .caches import Caches
from .certificates import ChainError, load_device_chain
from .evidence import DeviceEvidence


def device_identity(pem: bytes, *, caches: Caches | None = None) -> str | None:
    """The identity that a PEM chain names, 64 lowercase hex digits; None if it cannot be read."""
    chains = (caches or Caches()).chains
    try:
        chain = chains.get_or_compute(hashlib.sha256(pem).digest(), lambda: load_device_chain(pem))
    except ChainError:
        return None
    return chain.identity_sha256


def device_identities(
    devices: Sequence[DeviceEvidence], *, caches: Caches | None = None
) -> tuple[str | None, ...]:
    """The identity of each device in its place, read as :func:`device_identity` does."""
    return tuple(device_identity(device.certificate_chain, caches=caches) for device in devices)
