"""What the network's views share: looking things up, signed writes that count once."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chain import clock
from chain.api.errors import ApiError, exception_handler
from chain.api.fields import parse_hex
from chain.api.parsers import check_content_headers
from chain.api.throttles import NodeThrottle, WriteThrottle
from chain.api.views import query_check
from network.api.authentication import IsSignedNode, NodeCredentials, NodeSignatureAuthentication
from network.errors import NetworkError, NotFound, Unauthenticated
from network.models import Node
from network.selectors.standing import nodes_with_verdicts
from network.services.requests import (
    StoredAnswer,
    idempotency_begin,
    idempotency_finish,
    idempotency_release,
    request_digest,
)

NODE_ID = OpenApiParameter(
    "node_id",
    {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"},
    OpenApiParameter.PATH,
    description="The node's id, 32 bytes.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[A-Za-z0-9_.:-]{8,128}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="Names this request: sent again, it gets the first one's answer.",
)


def text_filter(name: str, description: str, enum: Collection[str] = ()) -> OpenApiParameter:
    """Describe a query parameter that filters a list."""
    return OpenApiParameter(
        name, OpenApiTypes.STR, description=description, enum=list(enum) or None
    )


def choice_get(request: Request, name: str, choices: Collection[str]) -> str | None:
    """Read a query parameter that must be one of some words.

    Raises:
        ApiError: ``filter_invalid``.
    """
    value = request.query_params.get(name)
    if value is None or value in choices:
        return value
    raise ApiError(
        "filter_invalid",
        f"`{name}` must be one of: {', '.join(choices)}.",
        data={"parameter": name, "choices": list(choices)},
    )


def node_get(node_id: str) -> Node:
    """Look a node up by the text in the path, with its latest verdict.

    Raises:
        ApiError: ``hex_malformed`` or ``hex_length``.
        NotFound: ``node_unknown``.
    """
    key = parse_hex(node_id, length=32, name="The node's id")
    node = nodes_with_verdicts(Node.objects.filter(node_id=key)).first()
    if node is None:
        raise NotFound("node_unknown", "No node with this id is registered.")
    return node


class OpenWriteView(APIView):
    """A write that anybody may make: throttled by address before anything is read."""

    authentication_classes: Any = ()
    throttle_classes: Any = (WriteThrottle,)
    #: Bytes.
    max_body_bytes = 256 * 1024

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        query_check(request)
        size_check(request, self.max_body_bytes)
        super().initial(request, *args, **kwargs)


class SignedView(APIView):
    """A write signed by a node. Order: size, known key, signature, rate, parse.

    A request that a known node signed counts for that node alone, so that a data centre behind one
    address is not slowed down by its size. Everything else counts for its address.
    """

    authentication_classes: Any = (NodeSignatureAuthentication,)
    permission_classes: Any = (IsSignedNode,)
    throttle_classes: Any = (NodeThrottle,)
    #: Bytes.
    max_body_bytes = 256 * 1024
    #: When the whole request had been read: what a node's deadlines are measured by.
    arrived_at: datetime

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        query_check(request)
        size_check(request, self.max_body_bytes)
        check_content_headers(request.META)
        body_take(request, self.max_body_bytes)
        self.arrived_at = clock.now()
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Ask who signed; what nobody known has signed is counted for its address."""
        try:
            super().perform_authentication(request)
        except (ApiError, Unauthenticated):
            throttle = WriteThrottle()
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 1)
            raise

    def answer_stored(self, body: Any) -> Any:
        """What is kept of an answer; a view leaves out what it can read again."""
        return body

    def answer_restored(self, stored: Any) -> Any:
        """The answer again, from what :meth:`answer_stored` kept. A refusal is kept whole."""
        return stored

    def answer_once(
        self, request: Request, work: Callable[[NodeCredentials], tuple[int, Any]]
    ) -> Response:
        """Do ``work`` for the first request with this Idempotency-Key, repeat its answer after.

        The answer is stored in the transaction of the work, so that whenever this process dies,
        a repetition either gets the first one's answer or is done anew. Refusals are answers too;
        only faults of ours free the key for another try. Which node writes is known by its key
        alone; nothing in the address or the body can name another.
        """
        credentials: NodeCredentials = request.auth  # type: ignore[assignment]
        begun = idempotency_begin(
            node_id=credentials.node.node_id,
            key=credentials.request.idempotency_key,
            request_sha256=request_digest(
                method=str(request.method), path=request.path, body=request._request.body
            ),
            at=clock.now(),
        )
        if isinstance(begun, StoredAnswer):
            headers = {"Idempotency-Replayed": "true"}
            body = self.answer_restored(begun.body)
            return Response(body, status=begun.status_code, headers=headers)
        try:
            with transaction.atomic():
                status_code, body = work(credentials)
                idempotency_finish(
                    row=begun, status_code=status_code, body=self.answer_stored(body)
                )
        except (NetworkError, APIException) as error:
            refusal = exception_handler(error, {})
            if refusal is None or refusal.status_code >= 500 or refusal.status_code == 429:
                idempotency_release(row=begun)
            else:
                idempotency_finish(row=begun, status_code=refusal.status_code, body=refusal.data)
            raise
        except Exception:
            idempotency_release(row=begun)
            raise
        return Response(body, status=status_code)


def body_take(request: Request, limit: int) -> None:
    """Read a body whose announced length was checked.

    Django would compare it with ``DATA_UPLOAD_MAX_MEMORY_SIZE``, which bounds every other route
    and is less than a large node's report.
    """
    if not hasattr(request._request, "_body"):
        request._request._body = request._request.read(limit)


def size_check(request: Request, limit: int) -> None:
    """Refuse a body by its announced length, before a byte of it is read.

    Raises:
        ApiError: ``body_too_large`` (413).
    """
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdigit() or int(length[:12]) > limit or len(length) > 12:
        raise ApiError(
            "body_too_large",
            f"The body may have {limit} bytes at most.",
            http_status=413,
            data={"max_bytes": limit},
        )
