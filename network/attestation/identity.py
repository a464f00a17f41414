"""Which physical device a certificate chain speaks of, before anything is verified.

The identity is the SHA-256 of certificate 1's public key (DER SubjectPublicKeyInfo): it stays the
same through firmware updates. Chains are public, so an identity read here says which device is
meant and nothing about who holds it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .caches import Caches
from .evidence import DeviceEvidence
from .links import ChainError


def device_identity(pem: bytes, *, caches: Caches | None = None) -> str | None:
    """The identity that a PEM chain names, 64 lowercase hex digits; None if it cannot be read."""
    try:
        chain = (caches or Caches()).chain(pem)
    except ChainError:
        return None
    return chain.identity_sha256


def device_identities(
    devices: Sequence[DeviceEvidence], *, caches: Caches | None = None
) -> tuple[str | None, ...]:
    """The identity of each device in its place, read as :func:`device_identity` does."""
    return tuple(device_identity(device.certificate_chain, caches=caches) for device in devices)
