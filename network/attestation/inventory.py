"""The inventory of a report: what a node says it has. Signed by the node, vouched for by nobody.

Tier T1 means that a node has listed its GPUs under its own key, so a report that lists fewer than
are registered has not reached it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

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


def _uuid(gpu: Any) -> str | None:
    value = gpu.get("uuid") if isinstance(gpu, Mapping) else None
    if not isinstance(value, str) or len(value) > MAX_UUID_CHARS:
        return None
    return value.strip().lower()
