"""What the indexer's process knows of itself, told to the others through the cache.

``/metrics`` is answered by a web process, while providers are scored and logs are counted in the
indexer's. These figures are worth nothing a minute later, so they live in the cache with a time
to live, and not in the database: without the cache they are missing, and everything else is there.
"""

import os
import time
from typing import Any

from django.core.cache import cache

from chain import client, clock, conf

#: Seconds between two reports of one process, and until a report is forgotten.
PUBLISH_EVERY_S = 5.0
KEPT_S = 120

_totals = {"steps": 0, "blocks": 0}
_published_at = 0.0


def _key() -> str:
    return f"telemetry:index:{conf.chain_id()}"


def telemetry_publish(step: Any) -> None:
    """Count one step of this process's indexer; tell every few seconds."""
    global _published_at
    _totals["steps"] += 1
    _totals["blocks"] += step.blocks
    if time.monotonic() - _published_at < PUBLISH_EVERY_S:
        return
    _published_at = time.monotonic()
    report = {**_totals, "pid": os.getpid(), "at_s": clock.now_s(), "providers": _providers()}
    cache.set(_key(), report, timeout=KEPT_S)


def _providers() -> list[dict[str, Any]]:
    scores = getattr(client, "provider_scores", None)
    return list(scores()) if scores else []


def telemetry_read() -> dict[str, Any] | None:
    """The newest report of an indexer, or None when none was made lately."""
    found = cache.get(_key())
    return found if isinstance(found, dict) else None
