"""The one shape of every API error: ``{"code", "detail", "data"}``.

``code`` is for machines and never changes; ``detail`` is one plain sentence with
the next step; ``data`` holds what the sentence speaks of. Any exception with the
attributes ``http_status``, ``code`` and ``detail`` (and ``data``) is answered in
this shape, so the apps' own error trees need no base class from here.
"""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response

from chain.rpc.errors import ContractReverted, RpcError

log = logging.getLogger(__name__)

#: Seconds a client is asked to wait when an engine of ours is away.
UNAVAILABLE_RETRY_S = 5


class ApiError(exceptions.APIException):
    """A coded refusal raised by API code itself.

    Args:
        code: machine-readable, snake_case.
        detail: one plain sentence.
        http_status: the answer's status.
        data: JSON values the sentence speaks of.
        retry_after_s: seconds, sent as ``Retry-After``.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        http_status: int = status.HTTP_400_BAD_REQUEST,
        data: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = http_status
        self.api_code = code
        self.data = data or {}
        if retry_after_s is not None:
            # The name under which DRF itself looks for it.
            self.wait = retry_after_s


def error_response(
    code: str,
    detail: str,
    *,
    http_status: int,
    data: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Build the answer for one error."""
    body = {"code": code, "detail": detail, "data": data or {}}
    return Response(body, status=http_status, headers=headers)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every foreseen exception in the one shape; None lets Django see the others.

    Named in ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``.
    """
    # Here and not at the top: rest_framework.views loads our parsers, which raise our errors.
    from rest_framework.views import set_rollback

    response = _from_framework(exc) or _from_domain(exc) or _from_engines(exc)
    if response is not None:
        set_rollback()
    return response


def _from_framework(exc: Exception) -> Response | None:
    if isinstance(exc, Http404):
        exc = exceptions.NotFound("There is nothing at this address.")
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    elif isinstance(exc, RequestDataTooBig):
        exc = ApiError(
            "body_too_large", "The request body is larger than allowed.", http_status=413
        )
    elif isinstance(exc, SuspiciousOperation):
        # Django's own limits: too many query parameters, a malformed Host.
        exc = ApiError("request_refused", "The request breaks a limit of this service.")
    if not isinstance(exc, exceptions.APIException):
        return None
    headers = {}
    if (challenge := getattr(exc, "auth_header", None)) is not None:
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(-(-wait // 1))))
    if isinstance(exc, exceptions.ValidationError):
        return _validation_response(exc)
    if isinstance(exc, ApiError):
        code, data = exc.api_code, exc.data
    else:
        code, data = str(exc.get_codes()), {}
    if isinstance(exc, exceptions.Throttled):
        data = {"retry_after_s": int(headers.get("Retry-After", "1"))}
    return error_response(
        code, str(exc.detail), http_status=exc.status_code, data=data, headers=headers
    )


def _validation_response(exc: exceptions.ValidationError) -> Response:
    fields = dict(_flatten("", exc.get_full_details()))
    first_name, first = next(iter(fields.items()))
    where = f"{first_name}: " if first_name else ""
    return error_response(
        "validation_error",
        f"{where}{first[0]['detail']}",
        http_status=exc.status_code,
        data={"fields": fields},
    )


def _flatten(prefix: str, details: Any) -> list[tuple[str, list[dict[str, str]]]]:
    """Turn DRF's nested details into (dotted field name, [{"code", "detail"}])."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [(prefix, [{"code": str(details["code"]), "detail": str(details["message"])}])]
    if isinstance(details, list):
        leaves = [item for item in details if set(item or {}) == {"message", "code"}]
        if len(leaves) == len(details):
            return [
                (prefix, [{"code": str(i["code"]), "detail": str(i["message"])} for i in leaves])
            ]
        pairs = [(str(index), item) for index, item in enumerate(details)]
    else:
        pairs = [(str(name), item) for name, item in details.items()]
    flat: list[tuple[str, list[dict[str, str]]]] = []
    for name, item in pairs:
        if not item:
            continue
        own = "" if name == "non_field_errors" else name
        flat += _flatten(".".join(filter(None, [prefix, own])), item)
    return flat


def _from_domain(exc: Exception) -> Response | None:
    http_status = getattr(exc, "http_status", None)
    if isinstance(exc, ContractReverted):
        # Here and not at the top: the sentences need the ABIs loaded.
        from chain.errors_text import revert_sentence

        return error_response(
            exc.code,
            revert_sentence(exc),
            http_status=status.HTTP_422_UNPROCESSABLE_ENTITY,
            data={"reverted": True},
        )
    if http_status is None:
        return None
    headers = {}
    if (retry_after_s := getattr(exc, "retry_after_s", None)) is not None:
        headers["Retry-After"] = str(retry_after_s)
    return error_response(
        str(getattr(exc, "code", "error")),
        str(getattr(exc, "detail", exc)),
        http_status=http_status,
        data=dict(getattr(exc, "data", None) or {}),
        headers=headers,
    )


def _from_engines(exc: Exception) -> Response | None:
    """An engine that is away is a 503 with the time to come back, never a bare 500."""
    if isinstance(exc, RpcError):
        code, detail = "rpc_unavailable", "The chain's node does not answer. Try again shortly."
    elif isinstance(exc, OperationalError | InterfaceError):
        code, detail = "database_unavailable", "The database does not answer. Try again shortly."
    else:
        return None
    log.error("%s: %s", code, exc)
    return error_response(
        code,
        detail,
        http_status=status.HTTP_503_SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(UNAVAILABLE_RETRY_S)},
    )
