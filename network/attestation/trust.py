"""Trust anchors: whose signatures count. A root is pinned by the SHA-256 of its public key (SPKI).

The key is pinned and not the certificate because NVIDIA has published two root certificates with
one key. A certificate of a pinned key counts when it is one known by its digest, or when that key
signed it. The emulator's roots are separate, per installation, and count only where the deployment
adds them by :meth:`TrustAnchors.with_emulator`; everything verified through them says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: "NVIDIA Device Identity CA" and "NVIDIA CoRIM signing Root CA".
NVIDIA_DEVICE_ROOT_SPKI: Final = "a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4"
NVIDIA_RIM_ROOT_SPKI: Final = "dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3"
#: SHA-256 of the DER certificates of these keys that NVIDIA's wheels carry.
NVIDIA_DEVICE_ROOT_SHA256: Final = (
    "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"
)
NVIDIA_RIM_ROOT_SHA256: Final = "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"


@dataclass(frozen=True, slots=True)
class SubmittedRoot:
    """The last certificate of a chain as it was sent: digests (lowercase hex) of its key's SPKI and
    of its DER, and whether it names and verifies itself as its own issuer."""

    spki_sha256: str
    certificate_sha256: str
    self_signed: bool


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """One pinned root. ``emulated`` marks everything below it as not real hardware;
    ``certificate_sha256`` are its certificates that count without a signature of their own."""

    name: str
    spki_sha256: str
    emulated: bool = False
    certificate_sha256: frozenset[str] = frozenset()

    def accepts(self, root: SubmittedRoot) -> bool:
        """True when this very certificate of the pinned key is a root, byte for byte."""
        if root.spki_sha256 != self.spki_sha256:
            return False
        return root.self_signed or root.certificate_sha256 in self.certificate_sha256


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """The pinned roots of device chains and of reference manifests, by SPKI SHA-256 hex."""

    device: Mapping[str, TrustAnchor]
    rim: Mapping[str, TrustAnchor]

    @classmethod
    def nvidia(cls) -> TrustAnchors:
        """NVIDIA's two roots and nothing else: the only right choice for a real network."""
        device = TrustAnchor(
            "NVIDIA Device Identity CA",
            NVIDIA_DEVICE_ROOT_SPKI,
            certificate_sha256=frozenset({NVIDIA_DEVICE_ROOT_SHA256}),
        )
        rim = TrustAnchor(
            "NVIDIA CoRIM signing Root CA",
            NVIDIA_RIM_ROOT_SPKI,
            certificate_sha256=frozenset({NVIDIA_RIM_ROOT_SHA256}),
        )
        return cls({device.spki_sha256: device}, {rim.spki_sha256: rim})

    def with_emulator(self, *, device_spki_sha256: str, rim_spki_sha256: str) -> TrustAnchors:
        """A copy that trusts one installation's emulator too, for demonstrations and tests."""
        device = TrustAnchor("ALTHING EMULATED Device Root", device_spki_sha256, emulated=True)
        rim = TrustAnchor("ALTHING EMULATED RIM Root", rim_spki_sha256, emulated=True)
        return replace(
            self,
            device={**self.device, device.spki_sha256: device},
            rim={**self.rim, rim.spki_sha256: rim},
        )

    @property
    def emulator_trusted(self) -> bool:
        """True when any emulated root counts here."""
        anchors = [*self.device.values(), *self.rim.values()]
        return any(anchor.emulated for anchor in anchors)


def spki_sha256(key: PublicKeyTypes) -> str:
    """SHA-256 of the key's DER SubjectPublicKeyInfo, lowercase hex."""
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()
