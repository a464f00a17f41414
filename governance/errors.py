"""What can go wrong in governance, each with a code a program can act on."""

from __future__ import annotations

from typing import Any


class GovernanceError(Exception):
    """Base. ``http_status`` is the HTTP status the API answers with; ``data`` is JSON-safe."""

    code = "governance_error"
    http_status = 400

    def __init__(self, detail: str, *, code: str | None = None, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.data = data


class NotFound(GovernanceError):
    """There is no such thing, or it is not yours to see."""

    code = "not_found"
    http_status = 404


class NotAllowed(GovernanceError):
    """It exists, but this account may not do that."""

    code = "not_allowed"
    http_status = 403


class SignInRequired(GovernanceError):
    """Only a signed-in account may do that."""

    code = "sign_in_required"
    http_status = 401


class Conflict(GovernanceError):
    """It changed meanwhile, or was done already."""

    code = "conflict"
    http_status = 409


class InputInvalid(GovernanceError):
    """The request says something that cannot be."""

    code = "input_invalid"
    http_status = 400


class TooManyRequests(GovernanceError):
    """Slow down. ``data["retry_after_s"]`` says for how long."""

    code = "too_many_requests"
    http_status = 429


class ChainUnavailable(GovernanceError):
    """The node did not answer; nothing was changed. Try again."""

    code = "chain_unavailable"
    http_status = 503
