"""What the issuers of certificates say of them, and what is wrong with what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from cryptography import x509

from network.attestation.emulator.revocation import EmulatedResponder, RevokedEntry
from network.attestation.emulator.scene import Scene

#: Longer than an answer of the responder lives.
_LONG: Final = timedelta(days=30)


def _revoked(scene: Scene, reason: x509.ReasonFlags) -> Scene:
    """The GPU's own certificate is taken back."""
    entry = RevokedEntry(scene.now - timedelta(days=1), reason)
    serial = scene.device_certificate.serial_number
    return scene.answered(EmulatedResponder(scene.authority, {serial: entry}))


def _unknown(scene: Scene) -> Scene:
    serial = scene.device_certificate.serial_number
    return scene.answered(EmulatedResponder(scene.authority, unknown=frozenset({serial})))


FAULTS: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "revocation.good": lambda scene: scene,
    "revocation.hold": lambda scene: _revoked(scene, x509.ReasonFlags.certificate_hold),
    "revocation.malformed": lambda scene: replace(scene, answers=(b"no DER",)),
    "revocation.not_checked": lambda scene: replace(scene, answers=()),
    "revocation.revoked": lambda scene: _revoked(scene, x509.ReasonFlags.key_compromise),
    "revocation.stale": lambda scene: scene.answered(
        EmulatedResponder(scene.authority), at=scene.now - _LONG
    ),
    "revocation.unknown": _unknown,
}
