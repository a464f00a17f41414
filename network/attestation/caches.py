"""Bounded caches for what depends on bytes alone: parsed certificate chains and manifests.

They hold nothing that depends on the time, on the trust anchors or on the policy; those are judged
on every use. Chains are found by the SHA-256 of their bytes, manifests by the bytes themselves: a
store hands out the same object again and again, so looking one up neither reads nor hashes it. A
verdict is never cached.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from .certificates import DeviceChain
from .rim import Rim

Value = TypeVar("Value")

#: Entries of about 20 KiB: a fleet of some thousand GPUs stays warm in 80 MiB.
DEFAULT_CHAIN_ENTRIES: Final = 4096
#: Two manifests per driver and VBIOS version in use; a fleet has some dozen.
DEFAULT_RIM_ENTRIES: Final = 512


class BoundedCache(Generic[Value]):
    """A thread-safe map that forgets what was used longest ago. Errors are not kept."""

    def __init__(self, max_entries: int) -> None:
        if max_entries < 1:
            raise ValueError("max_entries must be at least 1")
        self._max_entries = max_entries
        self._entries: OrderedDict[bytes, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_compute(self, key: bytes, compute: Callable[[], Value]) -> Value:
        """Return the value of ``key``. Two threads may compute it at once; both results agree."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        value = compute()
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of one process. Pass the same object to every ``verify_evidence`` call."""

    chains: BoundedCache[DeviceChain] = field(
        default_factory=lambda: BoundedCache(DEFAULT_CHAIN_ENTRIES)
    )
    rims: BoundedCache[Rim] = field(default_factory=lambda: BoundedCache(DEFAULT_RIM_ENTRIES))
