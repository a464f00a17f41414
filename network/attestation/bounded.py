"""A cache that cannot grow without end: whoever is judged decides what is put into it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


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
        known = self.get(key)
        if known is not None:
            return known
        value = compute()
        self.put(key, value)
        return value

    def get(self, key: bytes) -> Value | None:
        """The value of ``key``, None where it is not known."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: bytes, value: Value) -> None:
        """Remember ``value``, which is not None, and forget what was used longest ago."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
