"""Xid errors are counted by GPU while the agent runs, and unknown where nobody watches."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import cast

import pynvml
import pytest

from network.agent.nvml import NvmlSource
from network.agent.xid import XidWatch
from tests.network.agent.fake_nvml import FakeNvml
from tests.network.attestation.samples import gpu

CARDS = [gpu("left"), gpu("right")]


def watch_of(fake: FakeNvml) -> XidWatch:
    return XidWatch(lambda: cast(ModuleType, fake))


def wait_until(condition: object) -> None:
    """Wait for a thread of ours; a test that never comes true fails by its own time limit."""
    pause = threading.Event()
    for _ in range(1000):
        if condition():  # type: ignore[operator]
            return
        pause.wait(0.01)
    pytest.fail("the watch did not come so far")


def test_xids_are_counted_by_gpu_and_number() -> None:
    fake = FakeNvml(CARDS)
    watch = watch_of(fake)
    watch.start()
    for xid in (79, 79, 48):
        fake.xids.put((1, xid))
    wait_until(lambda: sum((watch.claims(CARDS[1].uuid)["xid_counts"] or {}).values()) == 3)
    assert watch.claims(CARDS[1].uuid)["xid_counts"] == {"48": 1, "79": 2}
    assert watch.claims(CARDS[0].uuid)["xid_counts"] == {}
    assert watch.claims(CARDS[0].uuid)["xid_since_ms"] > 0
    watch.stop()
    assert fake.open_sessions == 0


@pytest.mark.parametrize(
    "fake",
    [
        FakeNvml(CARDS, unsupported=("events",)),
        FakeNvml(CARDS, init_error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND),
    ],
)
def test_where_nobody_can_watch_the_count_is_unknown_and_not_zero(fake: FakeNvml) -> None:
    watch = watch_of(fake)
    watch.start()
    watch.stop()
    assert watch.claims(CARDS[0].uuid) == {"xid_counts": None, "xid_since_ms": None}
    assert fake.open_sessions == 0


def test_the_inventory_holds_the_counts() -> None:
    fake = FakeNvml(CARDS)
    watch = watch_of(fake)
    source = NvmlSource(lambda: cast(ModuleType, fake), xid=watch)
    assert source.inventory()["gpus"][0]["xid_counts"] is None
    watch.start()
    fake.xids.put((0, 94))
    wait_until(lambda: watch.claims(CARDS[0].uuid)["xid_counts"])
    assert source.inventory()["gpus"][0]["xid_counts"] == {"94": 1}
    watch.stop()
