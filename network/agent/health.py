"""A GPU's health and firmware as the driver reports it: claims beyond the signed report.

A value that a card does not offer is null; nothing is made up in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

Value = TypeVar("Value")


def health_json(nvml: ModuleType, handle: Any) -> dict[str, Any]:
    """Firmware versions, place on the bus, memory errors and retirement of one GPU.

    ``ecc_uncorrected`` and ``ecc_corrected`` count since the card was made (aggregate);
    ``rows_remapped`` are memory rows replaced after errors, ``row_remap_failed`` says that none
    was left to replace one: the card should leave service.
    """

    def ask(call: Callable[[], Value]) -> Value | None:
        return ask_or_none(nvml, call)

    def ecc(kind: int) -> int | None:
        return ask(lambda: nvml.nvmlDeviceGetTotalEccErrors(handle, kind, nvml.NVML_AGGREGATE_ECC))

    pci = ask(lambda: nvml.nvmlDeviceGetPciInfo(handle))
    remapped = ask(lambda: nvml.nvmlDeviceGetRemappedRows(handle))
    ecc_mode = ask(lambda: nvml.nvmlDeviceGetEccMode(handle))
    return {
        "pci_bus_id": None if pci is None else text_or_none(pci.busId),
        "gsp_version": text_or_none(ask(lambda: nvml.nvmlDeviceGetGspFirmwareVersion(handle))),
        "inforom_version": text_or_none(ask(lambda: nvml.nvmlDeviceGetInforomImageVersion(handle))),
        "ecc_enabled": None if ecc_mode is None else bool(ecc_mode[0]),
        "ecc_corrected": ecc(nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED),
        "ecc_uncorrected": ecc(nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED),
        "rows_remapped": None if remapped is None else int(remapped[0]) + int(remapped[1]),
        "row_remap_failed": None if remapped is None else bool(remapped[3]),
    }


def ask_or_none(nvml: ModuleType, call: Callable[[], Value]) -> Value | None:
    """The answer, or None where this GPU or driver does not know the question."""
    try:
        return call()
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return None


def text_or_none(value: Any) -> str | None:
    """Older bindings give bytes where newer ones give text."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
