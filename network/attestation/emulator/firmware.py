"""What runs on emulated devices, and what it measures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

#: Golden indices as on genuine Hopper parts.
DRIVER_INDICES: Final = (7, *range(21, 41))
VBIOS_INDICES: Final = (*range(0, 7), *range(8, 13))
#: Indices whose value is unique to a device and which no manifest names.
DEVICE_INDICES: Final = tuple(range(13, 21))
BLOCKS: Final = 64
#: A switch measures less, and its one manifest names all of it.
SWITCH_BLOCKS: Final = 31
VALUE_BYTES: Final = 48
_ARCHITECTURES: Final = {"GH100": "HOPPER", "GB100": "BLACKWELL", "GB202": "BLACKWELL"}
#: Chips whose certificates name only the family.
_FAMILIES: Final = {"GB202": "GB20X"}


@dataclass(frozen=True, slots=True)
class Firmware:
    """What runs on a GPU. ``chip`` is GH100 (Hopper), GB100 or GB202 (Blackwell).

    ``typed`` reports in the typed opaque format, and with it ``svn``, the boot firmware's security
    version; ``svn_floor`` is the least that the driver's manifest asks for, None for no such rule.
    """

    chip: str = "GH100"
    driver_version: str = "550.90.07"
    vbios_version: str = "96.00.9F.00.01"
    project: str = "1010"
    project_sku: str = "0200"
    chip_sku: str = "882"
    typed: bool = False
    svn: int = 1
    svn_floor: int | None = None

    def __post_init__(self) -> None:
        if self.chip not in _ARCHITECTURES:
            raise ValueError(f"the emulator knows {', '.join(_ARCHITECTURES)}, not {self.chip}")

    @property
    def architecture(self) -> str:
        """As attestation requests name it: HOPPER or BLACKWELL."""
        return _ARCHITECTURES[self.chip]

    @property
    def certified_chip(self) -> str:
        """As the certificates name it: the chip, or its family."""
        return _FAMILIES.get(self.chip, self.chip)

    @property
    def vbios_key(self) -> str:
        """What one VBIOS manifest stands for."""
        return f"{self.project}_{self.project_sku}_{self.chip_sku}_{self.vbios_version}"

    def golden(self, index: int) -> bytes | None:
        """The value that this firmware measures at a golden index; None for other indices."""
        if index in DRIVER_INDICES:
            text = f"driver {self.chip} {self.driver_version} {index}"
        elif index in VBIOS_INDICES:
            text = f"vbios {self.chip} {self.vbios_key} {index}"
        else:
            return None
        return hashlib.sha384(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class SwitchFirmware:
    """What runs on a switch (LS10)."""

    vbios_version: str = "96.10.73.00.01"

    def golden(self, index: int) -> bytes:
        """The value that this firmware measures at a golden index below ``SWITCH_BLOCKS``."""
        return hashlib.sha384(f"switch {self.vbios_version} {index}".encode()).digest()


HOPPER: Final = Firmware()
#: The same chip on an H200's board.
HOPPER_H200: Final = Firmware(project="G520", project_sku="0280", chip_sku="895")
BLACKWELL: Final = Firmware(
    chip="GB100",
    driver_version="580.95.05",
    vbios_version="97.00.82.00.01",
    project="G548",
    chip_sku="886",
)
#: The same board with later firmware, which types its fields.
BLACKWELL_TYPED: Final = Firmware(
    chip="GB100",
    driver_version="620.12",
    vbios_version="97.00.D9.00.0F",
    project="G548",
    chip_sku="886",
    typed=True,
    svn=2,
    svn_floor=2,
)
#: A workstation's board: the certificates name the family, the report the chip.
WORKSTATION: Final = Firmware(
    chip="GB202",
    driver_version="580.95.05",
    vbios_version="98.02.6D.00.02",
    project="G153",
    project_sku="0020",
    chip_sku="870",
)
LS10: Final = SwitchFirmware()
