"""Public reads: proposals, votes, power, delegates, the moderation log."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from chain.api.fields import AddressSerializerField
from chain.api.pagination import CursorPage
from chain.api.views import ReadView, query_check
from governance.api.base import proposal_or_404
from governance.api.serializers import (
    DelegateSerializer,
    ModerationActionSerializer,
    PowerSerializer,
    ProposalDetailSerializer,
    ProposalQuerySerializer,
    ProposalSerializer,
    VoteSerializer,
)
from governance.models import Delegate, ModerationAction, Proposal, Vote
from governance.selectors import chain_time, keeper_note, moderation_log
from governance.state import ProposalState, proposal_state
from governance.views.delegates import voting_delegates
from governance.views.power import snapshot_power
from governance.views.queries import state_condition


class PublicList(ListAPIView[Any]):
    """A list anybody may read, by cursor."""

    authentication_classes: Any = ()
    pagination_class = CursorPage

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        query_check(request)
        super().initial(request, *args, **kwargs)


class ProposalPage(CursorPage):
    """Newest first, or those that end soonest first."""

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        if request.query_params.get("sort") == "ending":
            return ("deadline_at", "number")
        return ("-number",)


@extend_schema(tags=["proposals"], parameters=[ProposalQuerySerializer])
class ProposalList(PublicList):
    """Proposals, newest first."""

    serializer_class = ProposalSerializer
    pagination_class = ProposalPage
    queryset = Proposal.objects.all()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "at": chain_time()}

    def get_queryset(self) -> QuerySet[Proposal]:
        query = ProposalQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        rows = Proposal.objects.defer("description")
        if "state" in wanted:
            rows = rows.filter(
                state_condition(ProposalState[wanted["state"].upper()], chain_time())
            )
        if "kind" in wanted:
            rows = rows.filter(kind=wanted["kind"])
        if "proposer" in wanted:
            rows = rows.filter(proposer=wanted["proposer"])
        if "parameter" in wanted:
            named = [{"name": wanted["parameter"]}]
            rows = rows.filter(actions__parameters__contains=named).distinct()
        if "search" in wanted:
            rows = rows.filter(title__icontains=wanted["search"])
        return rows


@extend_schema(tags=["proposals"], responses=ProposalDetailSerializer)
class ProposalDetail(ReadView):
    """One proposal by its number."""

    def get(self, request: Request, number: int) -> Response:
        proposal = proposal_or_404(number)
        context = {"at": chain_time(), "keeper_note": keeper_note(proposal)}
        return Response(ProposalDetailSerializer(proposal, context=context).data)


class VotePage(CursorPage):
    """In the chain's order, newest first."""

    ordering = ("-block_number", "-log_index")


@extend_schema(tags=["proposals"])
class VoteList(PublicList):
    """The votes on a proposal, newest first."""

    serializer_class = VoteSerializer
    pagination_class = VotePage
    queryset = Vote.objects.all()

    def get_queryset(self) -> QuerySet[Vote]:
        self.proposal = proposal_or_404(self.kwargs["number"])
        return Vote.objects.filter(proposal=self.proposal)

    def get_serializer_context(self) -> dict[str, Any]:
        hidden = getattr(getattr(self, "proposal", None), "hidden", False)
        return {**super().get_serializer_context(), "hidden": hidden}


class PowerQuerySerializer(serializers.Serializer[Any]):
    """Whose power."""

    account = AddressSerializerField()


@extend_schema(tags=["proposals"], parameters=[PowerQuerySerializer], responses=PowerSerializer)
class PowerView(ReadView):
    """What an account can vote with on a proposal (``getPastVotes`` at its snapshot), and why."""

    def get(self, request: Request, number: int) -> Response:
        query = PowerQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        proposal = proposal_or_404(number)
        state = proposal_state(proposal, chain_time())
        power = snapshot_power(query.validated_data["account"], proposal, state)
        return Response(PowerSerializer({"power_wei": power.wei, "sentence": power.why}).data)


class DelegatePage(CursorPage):
    """Most power first."""

    ordering = ("-power_wei", "address")


@extend_schema(tags=["delegates"])
class DelegateList(PublicList):
    """Delegates with voting power, most of it first."""

    serializer_class = DelegateSerializer
    pagination_class = DelegatePage
    queryset = Delegate.objects.all()

    def get_queryset(self) -> QuerySet[Delegate]:
        return voting_delegates()


class ModerationPage(CursorPage):
    """Newest first."""

    ordering = ("-created_at", "-pk")


@extend_schema(tags=["moderation"])
class ModerationLog(PublicList):
    """Every act of the moderators, newest first."""

    serializer_class = ModerationActionSerializer
    pagination_class = ModerationPage
    queryset = ModerationAction.objects.all()

    def get_queryset(self) -> QuerySet[ModerationAction]:
        return moderation_log()
