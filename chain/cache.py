"""The cache, which the service can do without.

Nothing whose loss would hurt is kept in it: sessions, sign-in nonces, replay marks and every lock
are rows in PostgreSQL. What is left are throttles' counters, answers of the chain that never
change, and what processes tell of themselves for ``/metrics``. So while Redis or Valkey is away
each process goes on with its own memory: reads keep working, and a throttle still limits, per
process instead of over all of them.
"""

import logging
import time
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: Seconds for which a server that failed is not asked again: no request waits for it twice.
AWAY_S = 5.0
#: Seconds to connect to the server, and to wait for its answer. It is near; more means it is ill.
TIMEOUT_S = 1.0
#: Entries of this process's own memory: with fewer a flood of addresses would push out counters.
LOCAL_ENTRIES = 10_000

#: Server -> monotonic time until which it is not asked. Django makes a cache per thread; what one
#: thread found out spares the others the wait.
_away_until: dict[str, float] = {}


class ResilientCache(BaseCache):
    """Redis or Valkey; while it does not answer, this process's own memory.

    Named in ``CACHES``. ``incr`` of a key that is missing raises ValueError, as everywhere.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        options = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        remote = {**params, "OPTIONS": {**options, **params.get("OPTIONS", {})}}
        self._remote = RedisCache(server, remote)
        self._local = LocMemCache(
            f"althing-fallback-{server}", {**params, "OPTIONS": {"MAX_ENTRIES": LOCAL_ENTRIES}}
        )
        self._server = str(server)

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= _away_until.get(self._server, 0.0):
            try:
                answer = getattr(self._remote, method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                self._leave(error)
            else:
                self._return()
                return answer
        return getattr(self._local, method)(*args, **kwargs)

    def _leave(self, error: Exception) -> None:
        if self._server not in _away_until:
            # The address may hold a password; the error's kind is enough.
            logger.error(
                "The cache does not answer (%s); each process uses its own memory meanwhile.",
                type(error).__name__,
            )
        _away_until[self._server] = time.monotonic() + AWAY_S

    def _return(self) -> None:
        if _away_until.pop(self._server, None) is not None:
            self._local.clear()
            logger.warning("The cache answers again.")

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("set", *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("touch", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("delete", *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("get_many", *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("set_many", *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("delete_many", *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("has_key", *args, **kwargs)

    def incr(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("incr", *args, **kwargs)

    def clear(self) -> Any:
        return self._ask("clear")
