"""What every page knows: who is signed in, where the index stands, which chain this is.

Everything is lazy: a page that shows none of it (the admin console, a fragment) pays nothing.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from chain.addresses import to_checksum
from chain.contracts import DeploymentInvalid, deployment
from chain.status import Freshness
from governance.freshness import SiteFreshness, site_freshness

THEMES = ("light", "dark")
#: The cookie the theme toggle writes. The server reads it, so that no page flashes.
THEME_COOKIE = "theme"
#: Freshness states in which nothing may be sent: what the page shows may be wrong.
WRITES_OFF = frozenset({"red", "halted", "unknown"})


@dataclass
class Site:
    """The site, as one request sees it."""

    request: HttpRequest
    dao_name: str = field(default_factory=lambda: settings.DAO_NAME)
    domain: str = field(default_factory=lambda: settings.SITE_DOMAIN)
    demo_mode: bool = field(default_factory=lambda: settings.DEMO_MODE)
    chain_id: int = field(default_factory=lambda: settings.CHAIN_ID)

    @cached_property
    def theme(self) -> str:
        """``light``, ``dark`` or ``auto`` (the system decides)."""
        chosen = self.request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else "auto"

    @cached_property
    def account(self) -> str:
        """The signed-in account in EIP-55 form, or empty."""
        account = getattr(self.request, "account", None)
        return to_checksum(account) if account else ""

    @cached_property
    def _freshness(self) -> SiteFreshness:
        return site_freshness()

    @property
    def freshness(self) -> Freshness:
        return self._freshness.index

    @property
    def mismatches(self) -> int:
        """Indexed values that differ from the chain's own answers."""
        return self._freshness.mismatches

    @cached_property
    def writes_off(self) -> str:
        """Why nothing may be sent now, in a sentence; empty when it may."""
        if self.freshness.state not in WRITES_OFF:
            return ""
        return self.freshness.detail or "What this site shows is too old to act on."

    @cached_property
    def contracts(self) -> dict[str, str]:
        """Contract name -> EIP-55 address; empty before a deployment."""
        try:
            known = deployment()
        except DeploymentInvalid:
            return {}
        return {name: to_checksum(known.address(name)) for name in known.contracts}

    @cached_property
    def chain_name(self) -> str:
        return "Local demo chain" if self.chain_id == 31337 else f"chain {self.chain_id}"


def site(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``site`` in every template."""
    return {"site": Site(request)}
