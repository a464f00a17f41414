"""What a node sends, decoded: per device a report and a certificate chain, and its context.

The JSON shape is the one common to NVIDIA's tools: ``{"arch", "evidence": base64 report,
"certificate": base64 of PEM text, "uuid"?, "vendor"?}``. What the node claims (``arch``, ``uuid``)
is kept as a claim and compared with what is signed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .certificates import MAX_CHAIN_BYTES
from .errors import EvidenceError
from .spdm import MAX_REPORT_BYTES

#: More entries than any ``attest.max_gpus_per_node`` can allow.
MAX_DEVICES: Final = 128
#: The vendor of a device that names none. Which others there are is said in ``vendor.py``.
NVIDIA: Final = "nvidia"
#: What a switch is offered as (``arch``). Everything else is offered as a GPU.
SWITCH_ARCHITECTURE: Final = "LS10"


class DeviceKind(StrEnum):
    """What a device is: a GPU, or an NVSwitch between GPUs, which proves no GPU."""

    GPU = "gpu"
    SWITCH = "switch"


class EvidenceFormatError(EvidenceError):
    """The request's device list is misshapen (``evidence.*``): a bad request, no verdict."""


@dataclass(frozen=True, slots=True)
class DeviceEvidence:
    """One device's evidence: SPDM report bytes and the PEM chain, leaf first. ``vendor`` says whose
    module judges it."""

    report: bytes
    certificate_chain: bytes
    claimed_architecture: str | None = None
    claimed_uuid: str | None = None
    vendor: str = NVIDIA

    @property
    def kind(self) -> DeviceKind:
        """What it is offered as. The certificates have to say the same."""
        claimed = (self.claimed_architecture or "").upper()
        return DeviceKind.SWITCH if claimed == SWITCH_ARCHITECTURE else DeviceKind.GPU


@dataclass(frozen=True, slots=True)
class NodeEvidence:
    """One attestation of one node.

    ``nonce`` is the 32-byte challenge that the service issued and consumed; ``inventory_signed``
    is True when the node key has signed an inventory that lists all registered GPUs; ``gpu_class``
    and ``gpu_count`` are the on-chain registration's.
    """

    nonce: bytes
    devices: tuple[DeviceEvidence, ...]
    inventory_signed: bool
    gpu_class: str
    gpu_count: int

    def offered(self, kind: DeviceKind) -> int:
        """How many devices are offered as this kind."""
        return sum(device.kind is kind for device in self.devices)


def devices_from_json(entries: Sequence[Mapping[str, Any]]) -> tuple[DeviceEvidence, ...]:
    """Decode the request's ``devices``. Raises :class:`EvidenceFormatError` naming the entry."""
    if len(entries) > MAX_DEVICES:
        raise EvidenceFormatError(
            "evidence.too_many", f"{len(entries)} devices were sent; {MAX_DEVICES} can be read."
        )
    return tuple(_device_from_json(entry, index) for index, entry in enumerate(entries))


def _device_from_json(entry: Mapping[str, Any], index: int) -> DeviceEvidence:
    if not isinstance(entry, Mapping):
        raise _invalid(index, "it is not an object")
    for name in ("arch", "uuid", "vendor"):
        value = entry.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= 64):
            raise _invalid(index, f"{name} is not a short string")
    return DeviceEvidence(
        report=_decode(entry.get("evidence"), index, "evidence", MAX_REPORT_BYTES),
        certificate_chain=_decode(entry.get("certificate"), index, "certificate", MAX_CHAIN_BYTES),
        claimed_architecture=entry.get("arch"),
        claimed_uuid=entry.get("uuid"),
        vendor=entry.get("vendor") or NVIDIA,
    )


def _decode(value: Any, index: int, name: str, limit: int) -> bytes:
    if not isinstance(value, str):
        raise _invalid(index, f"{name} is not a base64 string")
    if len(value) > 4 * (limit // 3 + 1):
        raise _invalid(index, f"{name} is longer than {limit} bytes")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(index, f"{name} is not base64") from error


def _invalid(index: int, what: str) -> EvidenceFormatError:
    return EvidenceFormatError(
        "evidence.invalid", f"Device {index} cannot be read: {what}.", {"device": index}
    )
