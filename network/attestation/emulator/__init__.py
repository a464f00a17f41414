"""An emulated GPU with its own root, for demonstrations and tests. It proves no hardware.

It speaks the genuine formats (SPDM report, five-certificate chain, signed manifests), so that
everything from the node agent to the page is exercised as with real cards. Every certificate is
named ``ALTHING EMULATED``, every manifest id begins with ``EMULATED_``, and its roots count only
where a deployment adds them to its trust anchors. Key material is made per installation.
"""

from .authority import EmulatorAuthority
from .gpu import BLACKWELL, HOPPER, HOPPER_H200, Behaviour, EmulatedGpu, Firmware
from .installation import (
    EmulatorInstallationError,
    emulator_prepare,
    emulator_rims,
    emulator_trust,
)
from .manifests import driver_manifest, firmware_manifests, manifests_write, vbios_manifest

__all__ = [
    "BLACKWELL",
    "HOPPER",
    "HOPPER_H200",
    "Behaviour",
    "EmulatedGpu",
    "EmulatorAuthority",
    "EmulatorInstallationError",
    "Firmware",
    "driver_manifest",
    "emulator_prepare",
    "emulator_rims",
    "emulator_trust",
    "firmware_manifests",
    "manifests_write",
    "vbios_manifest",
]
