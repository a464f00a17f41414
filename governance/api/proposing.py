"""Drafts and previews: what the wizard writes."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chain.addresses import to_checksum
from governance.actions.build import (
    BuiltCall,
    build_custom_call,
    build_parameter_set,
    build_transfer,
)
from governance.actions.preview import ProposalPreview, proposal_preview
from governance.api.base import SessionView
from governance.api.serializers import (
    DraftInputSerializer,
    DraftSaveSerializer,
    DraftSerializer,
    PreviewInputSerializer,
    PreviewSerializer,
    SettledSerializer,
)
from governance.services import drafts
from governance.text import description_compose


def _owner(view: SessionView, request: Request, *, create: bool = False) -> dict[str, Any]:
    token = drafts.owner_token(session=request.session, create=create and view.account is None)
    return {"account": view.account, "token": token}


class DraftList(SessionView):
    """The drafts of this account, or of this session before sign-in."""

    @extend_schema(tags=["drafts"], responses=DraftSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = drafts.drafts_of(**_owner(self, request))
        return Response(DraftSerializer(rows, many=True).data)

    @extend_schema(tags=["drafts"], request=DraftInputSerializer, responses={201: DraftSerializer})
    def post(self, request: Request) -> Response:
        body = DraftInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        draft = drafts.draft_create(**_owner(self, request, create=True), **body.validated_data)
        return Response(DraftSerializer(draft).data, status=201)


class DraftDetail(SessionView):
    """One draft."""

    error_statuses = {"put": (409,)}

    @extend_schema(tags=["drafts"], responses=DraftSerializer)
    def get(self, request: Request, draft_id: uuid.UUID) -> Response:
        draft = drafts.draft_get(**_owner(self, request), draft_id=draft_id)
        return Response(DraftSerializer(draft).data)

    @extend_schema(tags=["drafts"], request=DraftSaveSerializer, responses=DraftSerializer)
    def put(self, request: Request, draft_id: uuid.UUID) -> Response:
        body = DraftSaveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        draft = drafts.draft_save(**_owner(self, request), draft_id=draft_id, **body.validated_data)
        return Response(DraftSerializer(draft).data)

    @extend_schema(tags=["drafts"], request=None, responses=SettledSerializer)
    def delete(self, request: Request, draft_id: uuid.UUID) -> Response:
        drafts.draft_delete(**_owner(self, request), draft_id=draft_id)
        return Response({"ok": True})


class PreviewView(SessionView):
    """Builds the calls, computes the id, runs the checks. Nothing is kept."""

    @extend_schema(tags=["proposals"], request=PreviewInputSerializer, responses=PreviewSerializer)
    def post(self, request: Request) -> Response:
        body = PreviewInputSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        calls = [action_build(action) for action in wanted["actions"]]
        proposer = wanted.get("proposer") or self.account
        description = description_compose(
            wanted["title"], wanted["description"], to_checksum(proposer) if proposer else ""
        )
        preview = proposal_preview(calls, description, proposer=proposer)
        return Response(PreviewSerializer(preview_shape(preview)).data)


def action_build(action: dict[str, Any]) -> BuiltCall:
    """The call of one validated action of the wizard.

    Raises:
        InputInvalid, ChainUnavailable
    """
    if action["type"] == "parameter_set":
        return build_parameter_set(
            [(change["name"], _value(change["value"])) for change in action["changes"]]
        )
    if action["type"] == "transfer":
        return build_transfer(
            asset=action["asset"],
            recipient=action["recipient"],
            amount_wei=action["amount_wei"],
        )
    return build_custom_call(
        target=action["target"],
        value_wei=action["value_wei"],
        calldata=action.get("calldata"),
        function=action.get("function", ""),
        args=action.get("args", ()),
    )


def _value(text: str) -> int | bytes:
    return bytes.fromhex(text[2:]) if text.startswith("0x") else int(text)


def preview_shape(preview: ProposalPreview) -> dict[str, Any]:
    """A preview as its serializer takes it."""
    return {
        "proposal_id": preview.proposal_id,
        "calldata_hash": preview.calldata_hash,
        "targets": [call.target for call in preview.calls],
        "values": [call.value_wei for call in preview.calls],
        "calldatas": [call.calldata for call in preview.calls],
        "description": preview.description,
        "kind": preview.kind,
        "is_constitutional": preview.is_constitutional,
        "actions": preview.actions,
        "findings": preview.findings,
        "blocked": preview.blocks,
        "block_number": preview.block_number,
    }
