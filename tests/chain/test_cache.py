"""The cache while its server is away: each process's own memory, and no waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chain import cache as cache_module
from chain.cache import ResilientCache
from config.embedded.valkey import ValkeyServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    made = ValkeyServer(tmp_path / "valkey")
    made.start()
    yield made
    made.stop()


def test_it_goes_on_without_its_server_and_comes_back(
    server: ValkeyServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "AWAY_S", 0.2)
    one, two = (ResilientCache(server.url(), {}) for _ in range(2))
    one.set("kept", 1)
    assert two.get("kept") == 1
    port = server.port
    server.stop()
    assert one.get("kept") is None
    assert one.add("counter", 5)
    assert not two.add("counter", 6), "the process's memory is one, whoever asks"
    assert (two.incr("counter"), one.get_many(["counter", "kept"])) == (6, {"counter": 6})
    with pytest.raises(ValueError, match="not found"):
        one.incr("nobody")
    server._start_once(port)
    time.sleep(0.3)
    assert one.get("counter") is None, "what was counted meanwhile is forgotten"
    one.set("counter", 9)
    assert two.get("counter") == 9
    told = [record.getMessage() for record in caplog.records if record.name == "chain.cache"]
    assert len(told) == 2, told
    assert server.password not in "".join(told)


def test_no_request_waits_for_a_server_that_hangs(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import os
    import signal

    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(cache_module, "TIMEOUT_S", 0.3)
    cache = ResilientCache(server.url(), {})
    cache.set("a", 1)
    assert server.child is not None
    os.kill(server.child.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(50):
            assert cache.get("a") is None
        assert time.monotonic() - began < 3
    finally:
        os.kill(server.child.process.pid, signal.SIGCONT)
