"""An emulated GPU with its own root, for demonstrations and tests. It proves no hardware.

It speaks the genuine formats (SPDM reports with either kind of opaque data, switches,
five-certificate chains, signed manifests), so that everything from the node agent to the page is
exercised as with real cards. Every certificate is named ``ALTHING EMULATED``, every manifest id
begins with ``EMULATED_``, and its roots count only where a deployment adds them to its trust
anchors. Key material is made per installation.
"""

from .authority import EmulatorAuthority
from .device import Behaviour, EmulatedDevice
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
from .gpu import EmulatedGpu
from .installation import (
    EmulatorInstallationError,
    emulator_prepare,
    emulator_rims,
    emulator_trust,
)
from .manifests import (
    driver_manifest,
    firmware_manifests,
    manifests_write,
    switch_manifest,
    vbios_manifest,
)
from .switch import EmulatedBoard, EmulatedSwitch, emulated_board

__all__ = [
    "BLACKWELL",
    "BLACKWELL_TYPED",
    "HOPPER",
    "HOPPER_H200",
    "LS10",
    "WORKSTATION",
    "Behaviour",
    "EmulatedBoard",
    "EmulatedDevice",
    "EmulatedGpu",
    "EmulatedSwitch",
    "EmulatorAuthority",
    "EmulatorInstallationError",
    "Firmware",
    "SwitchFirmware",
    "driver_manifest",
    "emulated_board",
    "emulator_prepare",
    "emulator_rims",
    "emulator_trust",
    "firmware_manifests",
    "manifests_write",
    "switch_manifest",
    "vbios_manifest",
]
