"""Block times as datetimes. A hostile uint may lie beyond what a datetime holds."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

#: 9999-12-31T23:59:59Z, the last second a datetime holds.
_LATEST = 253_402_300_799


@lru_cache(maxsize=4096)  # the logs of a block have one time
def moment(unix_s: int) -> datetime:
    """Unix seconds as an aware datetime, cut at the year 9999."""
    return datetime.fromtimestamp(min(unix_s, _LATEST), UTC)
