"""Calls into a driver that may never come back: a GPU that fell off the bus can hang NVML."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from network.agent.errors import GpuError

#: Seconds for one question to one GPU. A report takes about one.
CALL_TIMEOUT_S: Final = 30.0

Value = TypeVar("Value")


def within(seconds: float, call: Callable[[], Value], *, what: str) -> Value:
    """The result of ``call``, or its exception.

    A thread that does not come back cannot be ended; it is left behind and does not keep the
    process alive.

    Raises:
        GpuError: ``nvml_timeout``, naming ``what``.
    """
    results: list[Value] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  # raised again in the caller's thread
            faults.append(error)

    thread = threading.Thread(target=run, name=f"nvml {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not results:
        raise GpuError(
            "nvml_timeout",
            f"The driver did not answer for {what} within {seconds:.0f} s. Look for Xid errors in "
            "the kernel's log; the GPU may need a reset.",
        )
    return results[0]
