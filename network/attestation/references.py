"""Which reference manifests belong to a device: their ids and what they must say of themselves.

Everything is made from signed fields; the ids are the vendor's own (``NV_GPU_DRIVER_...``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .certificates import DeviceChain
from .errors import Finding
from .evidence import DeviceKind
from .opaque import Opaque, OpaqueField

#: Manifest ids of emulated devices carry this, so they can never stand in for genuine ones.
EMULATED_RIM_PREFIX: Final = "EMULATED_"
#: Board and SKU of the one switch that can attest, which its report does not name.
SWITCH_BOARD: Final = "5612_0002_890"
SWITCH_PRODUCT: Final = "LS10"
#: ``edition`` of a manifest, by the kind of device that it is for.
EDITIONS: Final = {DeviceKind.GPU: "GPU", DeviceKind.SWITCH: "SWITCH"}
#: Named by drivers' manifests where the report does not say which chip of the family it is.
FIRST_CHIPS: Final = {"BLACKWELL": "GB100"}
_BOARD: Final = (OpaqueField.PROJECT, OpaqueField.PROJECT_SKU, OpaqueField.CHIP_SKU)


@dataclass(frozen=True, slots=True)
class Reference:
    """One manifest that a device is compared with. ``rim_id`` and ``version`` are None where the
    report does not name the firmware; ``product`` and ``edition`` must be the manifest's."""

    source: str
    rim_id: str | None
    version: str | None
    product: str | None
    edition: str


def references(chain: DeviceChain, opaque: Opaque, *, emulated: bool) -> list[Reference]:
    """The manifests of a GPU (driver and VBIOS) or of a switch (VBIOS), in order of comparison."""
    prefix = EMULATED_RIM_PREFIX if emulated else ""
    if chain.is_switch:
        return [_switch(prefix, opaque.vbios_version)]
    return [_driver(prefix, chain, opaque), _vbios(prefix, chain, opaque)]


def chip_of(chain: DeviceChain, opaque: Opaque) -> str | None:
    """The chip. A certificate may name only its family (``GB20X``); the report then says which."""
    return opaque.text(OpaqueField.CHIP_INFO) or chain.chip


def rim_not_found(reference: Reference, reason: str) -> Finding:
    """What to say where a manifest is not at hand; ``reason`` says why."""
    return Finding(
        "rim.not_found",
        f"There is no {reference.source} manifest for this device ({reason}), so its measurements "
        "could not be compared.",
        data={"source": reference.source, "id": reference.rim_id, "reason": reason},
    )


def _switch(prefix: str, vbios: str | None) -> Reference:
    rim_id = vbios and f"{prefix}NV_SWITCH_BIOS_{SWITCH_BOARD}_{_compact(vbios)}"
    return Reference("vbios", rim_id, vbios, SWITCH_PRODUCT, EDITIONS[DeviceKind.SWITCH])


def _driver(prefix: str, chain: DeviceChain, opaque: Opaque) -> Reference:
    version = opaque.driver_version
    rim_id = None
    if version and chain.architecture == "HOPPER":
        rim_id = f"{prefix}NV_GPU_DRIVER_{chain.chip}_{version}"
    elif version and chain.architecture is not None:
        # Reports without the field are of the first chip of their architecture.
        first = FIRST_CHIPS.get(chain.architecture, chain.chip)
        chip = opaque.text(OpaqueField.CHIP_INFO) or first
        rim_id = f"{prefix}NV_GPU_CC_DRIVER_{chip}_{version}"
    return Reference("driver", rim_id, version, chip_of(chain, opaque), EDITIONS[DeviceKind.GPU])


def _vbios(prefix: str, chain: DeviceChain, opaque: Opaque) -> Reference:
    version = opaque.vbios_version
    board = [opaque.text(name) for name in _BOARD]
    rim_id = None
    if version and None not in board:
        parts = "_".join(part.upper() for part in board if part is not None)
        rim_id = f"{prefix}NV_GPU_VBIOS_{parts}_{_compact(version)}"
    return Reference("vbios", rim_id, version, chip_of(chain, opaque), EDITIONS[DeviceKind.GPU])


def _compact(version: str) -> str:
    return version.replace(".", "").upper()
