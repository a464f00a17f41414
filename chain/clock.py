"""The service's one clock. Wall time; deadlines on chain go by block time instead.

Everything that judges freshness asks ``now()``, so that a test can move time in
one place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def _wall() -> datetime:
    return datetime.now(UTC)


_source: Callable[[], datetime] = _wall


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return _source()


def now_s() -> int:
    """Return the current time in whole seconds since the Unix epoch."""
    return int(_source().timestamp())


@contextmanager
def clock_override(source: Callable[[], datetime]) -> Iterator[None]:
    """Let ``source`` tell the time inside the block (process-wide; for tests)."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
