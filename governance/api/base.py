"""What the governance views share."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from chain.api.throttles import AddressThrottle, WriteThrottle
from chain.api.views import query_check
from governance.errors import SignInRequired
from governance.models import Proposal

#: Proposal numbers beyond this are mistakes; PostgreSQL's integer ends soon after.
NUMBER_MAX = 2_000_000_000


class SiweThrottle(AddressThrottle):
    """Sign-ins of one network address. Scope ``siwe``."""

    scope = "siwe"


class CommentThrottle(AddressThrottle):
    """Comments and reports of one network address. Scope ``comment``."""

    scope = "comment"


class SessionView(APIView):
    """A view of the browser's session: cookie, CSRF token on unsafe methods."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        query_check(request)
        super().initial(request, *args, **kwargs)

    def get_throttles(self) -> list[Any]:
        if self.request.method in ("GET", "HEAD", "OPTIONS"):
            return [AddressThrottle()]
        return [WriteThrottle()]

    @property
    def account(self) -> bytes | None:
        """Who is signed in (20 bytes), or None."""
        user = self.request.user
        return None if user is None else user.address  # type: ignore[union-attr]

    def account_required(self) -> bytes:
        """Who is signed in.

        Raises:
            SignInRequired
        """
        if self.account is None:
            raise SignInRequired("Sign in with your wallet first.")
        return self.account


def proposal_or_404(number: int) -> Proposal:
    """A proposal by its number.

    Raises:
        NotFound
    """
    found = None
    if 0 < number < NUMBER_MAX:
        found = Proposal.objects.prefetch_related("actions").filter(number=number).first()
    if found is None:
        raise NotFound("There is no proposal of this number.")
    return found
