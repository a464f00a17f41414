"""Which GPUs belong to a class of nodes: what is registered on chain against what is signed.

An H100's evidence proves an H100, whatever the node is registered and paid as. The chip stands in
the certificates and the opaque data; the SKU of the board, also signed, tells apart what shares a
chip, such as H100 and H200.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .errors import Finding, Severity

#: Chips that a class consists of. A class that is not named here (``cloud``, ``edge_iot``, or one
#: voted in later) may have any.
CLASS_CHIPS: Final[Mapping[str, frozenset[str]]] = {
    "consumer_24g": frozenset({"GA102", "AD102", "GB203"}),
    "workstation_48g": frozenset({"GA102", "AD102", "GB202"}),
    "a100_80g": frozenset({"GA100"}),
    "h100_80g": frozenset({"GH100"}),
    "h200_141g": frozenset({"GH100"}),
    "b200_192g": frozenset({"GB100"}),
}
#: The class of a board by chip and CHIP_SKU, which is the middle part of NVIDIA's GPU part number:
#: 2331-882 H100 PCIe, 2330-885 H100 SXM, 2335-895 H200 SXM, 2901-886 B200 SXM. Only boards whose
#: part number is known from a published report or listing of that product stand here.
SKU_CLASSES: Final[Mapping[tuple[str, str], str]] = {
    ("GH100", "882"): "h100_80g",
    ("GH100", "885"): "h100_80g",
    ("GH100", "895"): "h200_141g",
    ("GB100", "886"): "b200_192g",
}


def class_finding(*, gpu_class: str, chip: str, chip_sku: str | None) -> Finding | None:
    """Compare a device with the class of its node; None where nothing speaks against it.

    ``chip`` may end in X for a family (``GB20X``). ``device.class_mismatch`` is an error;
    ``class.sku_unknown`` is a warning, because new boards are no fault of a node.
    """
    allowed = CLASS_CHIPS.get(gpu_class)
    if allowed is None:
        return None
    data = {"gpu_class": gpu_class, "chip": chip, "chip_sku": chip_sku}
    if not any(_is_chip(chip, name) for name in allowed):
        return Finding(
            "device.class_mismatch",
            f"The node is registered as {gpu_class}; a {chip[:16]} is of another class.",
            data=data,
        )
    known = SKU_CLASSES.get((chip, chip_sku or ""))
    if known is None:
        sku = f"SKU {chip_sku[:16]}" if chip_sku else "no SKU"
        return Finding(
            "class.sku_unknown",
            f"Of a {chip[:16]} with {sku} it is not known here whether it is a {gpu_class}.",
            Severity.WARNING,
            data=data,
        )
    if known != gpu_class:
        return Finding(
            "device.class_mismatch",
            f"The node is registered as {gpu_class}; the device is a {known}.",
            data={**data, "device_class": known},
        )
    return None


def _is_chip(chip: str, name: str) -> bool:
    return name.startswith(chip[:-1]) if chip.endswith("X") else chip == name
