"""The inventory of a report: what a node says it has. Signed by the node, vouched for by nobody.

Tier T1 means that a node has listed its GPUs under its own key, so a report that lists fewer than
are registered has not reached it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

#: What an inventory of emulated GPUs names as its source.
EMULATED_SOURCE: Final = "ALTHING EMULATED"
#: Characters; NVML's own buffer for a UUID holds 96.
MAX_UUID_CHARS: Final = 96


def inventory_gpu_count(inventory: Any) -> int:
    """How many GPUs an inventory (``{"gpus": [{"uuid": ...}, ...]}``) lists; 0 for none.

    A GPU counts once, by its UUID, whatever the letters' case; an entry without one names nothing.
    Never raises: ``inventory`` may be any JSON value.
    """
    gpus = inventory.get("gpus") if isinstance(inventory, Mapping) else None
    if not isinstance(gpus, list):
        return 0
    return len({uuid for uuid in map(_uuid, gpus) if uuid})


def inventory_gpu_ids(inventory: Any) -> tuple[str, ...]:
    """The UUIDs that an inventory lists, each once, in lower case and sorted. Never raises."""
    gpus = inventory.get("gpus") if isinstance(inventory, Mapping) else None
    return tuple(sorted({uuid for uuid in map(_uuid, gpus) if uuid})) if _is_list(gpus) else ()


def inventory_whole_gpus(inventory: Any) -> frozenset[str]:
    """The UUIDs of GPUs that an inventory says are whole: ``mig`` and ``vgpu`` both false. A GPU of
    which it does not say so, or says so only once of twice, is not among them. Never raises."""
    gpus = inventory.get("gpus") if isinstance(inventory, Mapping) else None
    entries = [gpu for gpu in gpus if isinstance(gpu, Mapping)] if _is_list(gpus) else []
    whole = {_uuid(gpu) for gpu in entries if _is_whole(gpu)}
    divided = {_uuid(gpu) for gpu in entries if not _is_whole(gpu)}
    return frozenset(uuid for uuid in whole - divided if uuid)


def inventory_emulated(inventory: Any) -> bool:
    """Whether an inventory says that its GPUs are emulated. Never raises."""
    return isinstance(inventory, Mapping) and inventory.get("source") == EMULATED_SOURCE


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_whole(gpu: Mapping[str, Any]) -> bool:
    return gpu.get("mig") is False and gpu.get("vgpu") is False


def _uuid(gpu: Any) -> str | None:
    value = gpu.get("uuid") if isinstance(gpu, Mapping) else None
    if not isinstance(value, str) or len(value) > MAX_UUID_CHARS:
        return None
    return value.strip().lower()
