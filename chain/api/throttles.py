"""Rates by address, by purpose and by node.

The figures stand in ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]``.
"""

from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle


class _LiveRateThrottle(SimpleRateThrottle):
    """Reads its rate when asked, so that settings (and tests) that change it are obeyed."""

    def get_rate(self) -> str | None:
        rates: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
        return rates.get(self.scope or "")


class AddressThrottle(_LiveRateThrottle):
    """So many requests of one network address, whatever they ask. Scope ``anon``."""

    scope = "anon"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class WriteThrottle(AddressThrottle):
    """So many writes of one network address, before anything is verified. Scope ``write``."""

    scope = "write"


class NodeThrottle(_LiveRateThrottle):
    """So many signed requests of one node key, counted after its signature was verified.

    Scope ``node``. Counting before would let a stranger use up a node's rate.
    """

    scope = "node"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        key_id = getattr(request.auth, "key_id", None)
        if key_id is None:
            return None
        return self.cache_format % {"scope": self.scope, "ident": key_id}


class ComputeThrottle(NodeThrottle):
    """Messages of compute rounds, of which a node sends one for each GPU. Scope ``compute``."""

    scope = "compute"
