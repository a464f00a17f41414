"""What the indexer's process knows of itself, told to the others through the cache.

``/metrics`` is answered by a web process, while providers are scored and work is counted in the
indexer's. These figures are worth nothing a minute later, so they live in the cache with a time
to live, and not in the database: without the cache they are missing, and everything else is there.
"""

import os
import time
from dataclasses import asdict
from typing import Any, Protocol

from django.core.cache import cache

from chain import clock, conf
from chain.client import provider_scores

#: Seconds between two reports of one process, and until a report is forgotten.
PUBLISH_EVERY_S = 5.0
KEPT_S = 120


class _Step(Protocol):
    @property
    def blocks(self) -> int: ...


class _Work:
    """What this process did since it began."""

    blocks = 0
    published_at = float("-inf")


def _key() -> str:
    return f"telemetry:index:{conf.chain_id()}"


def telemetry_publish(step: _Step) -> None:
    """Count one step of this process's indexer; tell every few seconds."""
    _Work.blocks += step.blocks
    if time.monotonic() - _Work.published_at < PUBLISH_EVERY_S:
        return
    _Work.published_at = time.monotonic()
    report = {
        "pid": os.getpid(),
        "at_s": clock.now_s(),
        "blocks": _Work.blocks,
        "providers": [asdict(score) for score in provider_scores()],
    }
    cache.set(_key(), report, timeout=KEPT_S)


def telemetry_read() -> dict[str, Any] | None:
    """The newest report of an indexer, or None when none was made lately."""
    found = cache.get(_key())
    return found if isinstance(found, dict) else None
