"""One emulator installation on disk: the secret seed, the public roots, the manifests.

``emulator.seed``  secret; only emulated nodes need it
``roots.json``     the two root pins; what a service that trusts this emulator reads
``rims/``          signed manifests as ``<id>.swidtag``, for ``DirectoryRimStore``
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from network.attestation.errors import EvidenceError
from network.attestation.rim import DirectoryRimStore
from network.attestation.trust import TrustAnchors

from .authority import EmulatorAuthority
from .firmware import (
    BLACKWELL,
    BLACKWELL_TYPED,
    HOPPER,
    HOPPER_H200,
    LS10,
    WORKSTATION,
    Firmware,
    SwitchFirmware,
)
from .manifests import manifests_write

ROOTS_FILE: Final = "roots.json"
RIMS_DIRECTORY: Final = "rims"
DEFAULT_FIRMWARES: Final = (
    HOPPER,
    HOPPER_H200,
    BLACKWELL,
    BLACKWELL_TYPED,
    WORKSTATION,
    LS10,
)


class EmulatorInstallationError(EvidenceError):
    """The installation's directory cannot be used (code ``emulator.roots``)."""


def emulator_prepare(
    directory: Path, *, firmwares: Sequence[Firmware | SwitchFirmware] = DEFAULT_FIRMWARES
) -> EmulatorAuthority:
    """Make the installation in ``directory``, or complete one that exists. Safe to repeat."""
    authority = EmulatorAuthority.load_or_create(directory)
    manifests_write(authority, directory / RIMS_DIRECTORY, firmwares)
    roots = {
        "device_spki_sha256": authority.device_root_spki_sha256,
        "rim_spki_sha256": authority.rim_root_spki_sha256,
    }
    temporary = directory / f".{ROOTS_FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(roots, indent=2) + "\n", encoding="ascii")
    os.replace(temporary, directory / ROOTS_FILE)
    return authority


def emulator_trust(anchors: TrustAnchors, directory: Path) -> TrustAnchors:
    """``anchors`` with the roots of the installation in ``directory``. Needs no secret.

    Raises :class:`EmulatorInstallationError` where ``roots.json`` is missing or misshapen.
    """
    path = directory / ROOTS_FILE
    try:
        roots = json.loads(path.read_text(encoding="ascii"))
        device, rim = roots["device_spki_sha256"], roots["rim_spki_sha256"]
        if len(bytes.fromhex(device)) != 32 or len(bytes.fromhex(rim)) != 32:
            raise ValueError("a pin has 32 bytes")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmulatorInstallationError(
            "emulator.roots", f"The emulator's roots cannot be read from {path}: {error}"
        ) from error
    return anchors.with_emulator(device_spki_sha256=device, rim_spki_sha256=rim)


def emulator_rims(directory: Path) -> DirectoryRimStore:
    """The manifests of the installation in ``directory``."""
    return DirectoryRimStore(directory / RIMS_DIRECTORY)
