"""The network's refusals, as a small tree. Each carries a code, a sentence and an HTTP status.

``chain.api.errors`` answers any of them in the API's shape by these attributes.
"""

from typing import Any


class NetworkError(Exception):
    """Base of what the network's services refuse.

    Args:
        code: machine-readable, snake_case, never changes.
        detail: one plain sentence with the next step.
        data: JSON values the sentence speaks of.
    """

    http_status = 400

    def __init__(self, code: str, detail: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.data = data or {}


class NotFound(NetworkError):
    """What is asked for does not exist."""

    http_status = 404


class Unauthenticated(NetworkError):
    """The request's signature does not count."""

    http_status = 401


class Forbidden(NetworkError):
    """The caller is known and may not do this."""

    http_status = 403


class Conflict(NetworkError):
    """The state of things stands in the way; ``data`` says what was expected."""

    http_status = 409


class Refused(NetworkError):
    """Well formed, and against a rule."""

    http_status = 422


class PolicyUnavailable(NetworkError):
    """No finalized block is indexed yet, so there is no policy to judge by."""

    http_status = 503
    retry_after_s = 5
