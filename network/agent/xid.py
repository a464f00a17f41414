"""Xid errors: what the driver writes when a GPU faults, counted while the agent runs.

NVML tells of an Xid only while somebody waits for it, so one thread waits for as long as the agent
runs. What happened before is not known, and the count says since when it is one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

logger = logging.getLogger(__name__)

#: How long one wait lasts: the time it takes to stop.
WAIT_MS: Final = 1000


@dataclass
class XidWatch:
    """Counts Xids by GPU. ``start`` returns at once; without a driver there is nothing to watch."""

    load: Callable[[], ModuleType]
    started_at_ms: int | None = None
    _counts: dict[str, Counter[int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to wait in a thread that does not keep the process alive."""
        self._thread = threading.Thread(target=self._run, name="xid-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the waiting; returns when it has ended, after one wait at most."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * WAIT_MS / 1000)

    def claims(self, uuid: str | None) -> dict[str, Any]:
        """The inventory's entry: counts by Xid, and since when; null if nobody watches."""
        with self._lock:
            if self.started_at_ms is None:
                return {"xid_counts": None, "xid_since_ms": None}
            counts = self._counts.get(uuid or "", Counter())
            return {
                "xid_counts": {str(xid): count for xid, count in sorted(counts.items())},
                "xid_since_ms": self.started_at_ms,
            }

    def _run(self) -> None:
        nvml = self.load()
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            logger.warning("Xid errors are not watched: %s", error)
            return
        try:
            self._watch(nvml)
        except nvml.NVMLError as error:
            logger.warning("Xid errors are watched no longer: %s", error)
            with self._lock:
                self.started_at_ms = None
        finally:
            nvml.nvmlShutdown()

    def _watch(self, nvml: ModuleType) -> None:
        events = nvml.nvmlEventSetCreate()
        try:
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                nvml.nvmlDeviceRegisterEvents(handle, nvml.nvmlEventTypeXidCriticalError, events)
            with self._lock:
                self.started_at_ms = time.time_ns() // 1_000_000
            while not self._ended.is_set():
                self._wait_once(nvml, events)
        finally:
            nvml.nvmlEventSetFree(events)

    def _wait_once(self, nvml: ModuleType, events: Any) -> None:
        try:
            event = nvml.nvmlEventSetWait_v2(events, WAIT_MS)
        except nvml.NVMLError_Timeout:
            return
        uuid = nvml.nvmlDeviceGetUUID(event.device)
        name = uuid.decode("ascii", "replace") if isinstance(uuid, bytes) else str(uuid)
        xid = int(event.eventData)
        logger.warning("GPU %s reports Xid %d", name, xid)
        with self._lock:
            self._counts.setdefault(name, Counter())[xid] += 1
