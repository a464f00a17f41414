"""Where the index stands, for programs that read the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.views import ReadView
from chain.metrics import index_figures
from governance.freshness import site_freshness

#: Tells at every read which block it is of: ``halted; block=1000``.
HEADER = "Althing-Index"


class IndexStatusSerializer(serializers.Serializer[Any]):
    """The index against the chain."""

    state = serializers.ChoiceField(
        choices=["ok", "amber", "red", "halted"],
        help_text=(
            "`halted`: a reorganisation deeper than the stored window; reads are of the state "
            "before it until a person resolves it."
        ),
    )
    detail = serializers.CharField(help_text="One sentence; empty when all is well.")
    halted = serializers.BooleanField()
    indexed_block = serializers.IntegerField(source="cursor_block")
    head_block = serializers.IntegerField()
    finalized_block = serializers.IntegerField()
    lag_blocks = serializers.IntegerField()
    lag_s = serializers.IntegerField(help_text="Seconds of block time.")
    last_reorg_depth = serializers.IntegerField(
        allow_null=True, help_text="Blocks; -1 where no common block was found."
    )
    last_reorg_at = serializers.DateTimeField(allow_null=True)
    undecoded_logs = serializers.IntegerField()

    class Meta:
        ref_name = "IndexStatus"


class StatusSerializer(serializers.Serializer[Any]):
    """How far what the API says can be relied on."""

    index = IndexStatusSerializer()
    mismatches = serializers.IntegerField(
        help_text="Indexed values that differ from the chain's own answers (reconcile)."
    )

    class Meta:
        ref_name = "Status"


@extend_schema(tags=["status"], responses=StatusSerializer)
class StatusView(ReadView):
    """How far the index is, whether it is halted, and how much of it the chain contradicts.

    Every read of the API also says so in the header `Althing-Index: <state>; block=<number>`.
    """

    def get(self, request: Request) -> Response:
        body = {"index": index_figures(), "mismatches": site_freshness().mismatches}
        return Response(StatusSerializer(body).data)


class IndexHeaderMiddleware:
    """Writes ``Althing-Index`` on every successful read below ``/api/``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_read = request.method in ("GET", "HEAD") and request.path.startswith("/api/v1/")
        if is_read and response.status_code < 400:
            fresh = site_freshness().index
            response.headers[HEADER] = f"{fresh.state}; block={fresh.indexed_number}"
        return response
