"""Comments and reports."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.pagination import CursorPage
from governance.api.base import CommentThrottle, SessionView, proposal_or_404
from governance.api.serializers import (
    CommentInputSerializer,
    CommentSerializer,
    ReportInputSerializer,
    SettledSerializer,
)
from governance.models import Comment
from governance.services import comments


class CommentPage(CursorPage):
    """Oldest first, as they are read."""

    ordering = ("created_at", "pk")


class _WriteView(SessionView):
    def get_throttles(self) -> list[Any]:
        return [CommentThrottle()]


class CommentList(_WriteView):
    """The comments on a proposal, oldest first; answers name their parent."""

    pagination_class = CommentPage

    def get_throttles(self) -> list[Any]:
        return (
            SessionView.get_throttles(self) if self.request.method == "GET" else [CommentThrottle()]
        )

    @extend_schema(tags=["discussion"], responses=CommentSerializer(many=True))
    def get(self, request: Request, number: int) -> Response:
        proposal = proposal_or_404(number)
        rows = Comment.objects.filter(proposal_id=proposal.proposal_id)
        page = CommentPage()
        found = page.paginate_queryset(rows, request, view=self) or []
        return page.get_paginated_response(CommentSerializer(found, many=True).data)

    @extend_schema(
        tags=["discussion"], request=CommentInputSerializer, responses={201: CommentSerializer}
    )
    def post(self, request: Request, number: int) -> Response:
        account = self.account_required()
        body = CommentInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        comment = comments.comment_add(
            account=account,
            proposal_id=proposal_or_404(number).proposal_id,
            body=body.validated_data["body"],
            parent_id=body.validated_data.get("parent_id"),
        )
        return Response(CommentSerializer(comment).data, status=201)


class CommentDetail(_WriteView):
    """Change or take back one's own comment."""

    error_statuses = {"patch": (409,), "delete": (409,)}

    @extend_schema(tags=["discussion"], request=CommentInputSerializer, responses=CommentSerializer)
    def patch(self, request: Request, comment_id: int) -> Response:
        account = self.account_required()
        body = CommentInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        comment = comments.comment_edit(
            account=account, comment_id=comment_id, body=body.validated_data["body"]
        )
        return Response(CommentSerializer(comment).data)

    @extend_schema(tags=["discussion"], request=None, responses=SettledSerializer)
    def delete(self, request: Request, comment_id: int) -> Response:
        comments.comment_delete(account=self.account_required(), comment_id=comment_id)
        return Response({"ok": True})


class CommentReport(_WriteView):
    """Ask the moderators to look at a comment."""

    error_statuses = {"post": (409,)}

    @extend_schema(
        tags=["discussion"], request=ReportInputSerializer, responses={201: SettledSerializer}
    )
    def post(self, request: Request, comment_id: int) -> Response:
        account = self.account_required()
        body = ReportInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        comments.report_make(account=account, comment_id=comment_id, **body.validated_data)
        return Response({"ok": True}, status=201)


class ProposalReport(_WriteView):
    """Ask the moderators to look at a proposal's words."""

    error_statuses = {"post": (409,)}

    @extend_schema(
        tags=["discussion"], request=ReportInputSerializer, responses={201: SettledSerializer}
    )
    def post(self, request: Request, number: int) -> Response:
        account = self.account_required()
        body = ReportInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        proposal = proposal_or_404(number)
        comments.report_make(
            account=account, proposal_id=proposal.proposal_id, **body.validated_data
        )
        return Response({"ok": True}, status=201)
