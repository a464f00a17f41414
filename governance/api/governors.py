"""Public reads of the governors that people added. Votes are decimal strings in the token's
smallest unit; moments in a governor's own clock are called ``*_clock``."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from chain.addresses import AddressInvalid
from chain.api.errors import ApiError
from chain.api.fields import (
    AddressSerializerField,
    Hash32SerializerField,
    HexSerializerField,
    Uint256SerializerField,
)
from chain.api.pagination import CursorPage
from chain.api.views import ReadView
from governance.api.reads import PublicList
from governance.governors.kinds import Ballot, ClockMode, Family, TimelockKind
from governance.models import GovernorProposal, GovernorVote, IndexedGovernor
from governance.state import ProposalState
from governance.views.governors import (
    STATES,
    governor_find,
    progress_of,
    proposal_find,
    proposals_shown,
    state_shown,
)

SLUGS = [state.slug for state in ProposalState]


def governor_or_404(address: str) -> IndexedGovernor:
    """An added governor by its address as text.

    Raises:
        ApiError: ``address_malformed`` or ``address_checksum``.
        NotFound
    """
    try:
        governor = governor_find(address)
    except AddressInvalid as error:
        raise ApiError(error.code, error.detail) from error
    if governor is None:
        raise NotFound("No governor of this address was added here.")
    return governor


# --- shapes ---------------------------------------------------------------------------


class GovernorProgressSerializer(serializers.Serializer[Any]):
    """How far a governor is indexed."""

    word = serializers.ChoiceField(
        choices=["waiting", "catching up", "reading its proposals", "following", "removed"]
    )
    percent = serializers.IntegerField(help_text="Of the blocks it had to catch up with.")
    indexed_to = serializers.IntegerField(help_text="Block number.")
    error = serializers.CharField(help_text="Why it does not advance; empty when it does.")


class GovernorSerializer(serializers.Serializer[Any]):
    """A governor, as its probe found it."""

    address = AddressSerializerField()
    chain_id = serializers.IntegerField()
    name = serializers.CharField()
    family = serializers.ChoiceField(choices=[kind.value for kind in Family])
    ballot = serializers.ChoiceField(choices=[kind.value for kind in Ballot])
    counting_mode = serializers.CharField(help_text="`COUNTING_MODE()`; empty without one.")
    clock_mode = serializers.ChoiceField(choices=[kind.value for kind in ClockMode])
    clock_unit = serializers.CharField()
    timelock_kind = serializers.ChoiceField(choices=[kind.value for kind in TimelockKind])
    timelock = AddressSerializerField(allow_null=True)
    token = AddressSerializerField(allow_null=True)
    token_symbol = serializers.CharField()
    token_decimals = serializers.IntegerField(allow_null=True)
    creation_block = serializers.IntegerField()
    added_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True)
    progress = serializers.SerializerMethodField()

    @extend_schema_field(GovernorProgressSerializer())
    def get_progress(self, row: Any) -> Any:
        progress = self.context.get("progress") or progress_of([row])
        return GovernorProgressSerializer(progress[bytes(row.address)]).data


class GovernorDetailSerializer(GovernorSerializer):
    """A governor with all that its probe found."""

    report = serializers.DictField()


class GovernorCallSerializer(serializers.Serializer[Any]):
    """One call of a proposal, raw. ``signature`` is empty but for Governor Bravo's."""

    target = serializers.CharField()
    value_wei = serializers.CharField()
    signature = serializers.CharField()
    calldata = serializers.CharField()


class GovernorProposalSerializer(serializers.Serializer[Any]):
    """A proposal of an added governor, as lists show it."""

    proposal_id = Uint256SerializerField()
    id_matches = serializers.BooleanField(
        allow_null=True, help_text="The id follows from the content; null where ids are counted."
    )
    title = serializers.CharField()
    proposer = AddressSerializerField()
    state = serializers.SerializerMethodField(help_text="The governor's own word, or else ours.")
    state_mismatch = serializers.BooleanField(
        help_text="The governor's `state()` differs from what follows from its own facts."
    )
    clock_mode = serializers.CharField(help_text="What the `*_clock` moments count.")
    snapshot_clock = Uint256SerializerField()
    deadline_clock = Uint256SerializerField()
    eta_s = Uint256SerializerField(allow_null=True, help_text="Unix seconds.")
    for_votes = Uint256SerializerField(allow_null=True)
    against_votes = Uint256SerializerField(allow_null=True)
    abstain_votes = Uint256SerializerField(allow_null=True)
    quorum_votes = Uint256SerializerField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_block = serializers.IntegerField()
    queued_at = serializers.DateTimeField(allow_null=True)
    executed_at = serializers.DateTimeField(allow_null=True)
    canceled_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field({"type": "string", "nullable": True, "enum": [*SLUGS, None]})
    def get_state(self, row: Any) -> str | None:
        return ProposalState(row.shown_state).slug if row.shown_state in STATES else None


class GovernorProposalDetailSerializer(GovernorProposalSerializer):
    """A proposal with its text, its calls and its transactions."""

    description = serializers.CharField()
    description_raw = HexSerializerField(
        allow_null=True, help_text="The exact bytes where they are not plain UTF-8."
    )
    recomputed_id = Uint256SerializerField(allow_null=True)
    chain_state_block = serializers.IntegerField(allow_null=True)
    created_tx = Hash32SerializerField()
    queued_tx = Hash32SerializerField(allow_null=True)
    executed_tx = Hash32SerializerField(allow_null=True)
    canceled_tx = Hash32SerializerField(allow_null=True)
    canceled_count = serializers.IntegerField()
    timelock_direct = serializers.BooleanField(
        help_text="Executed or canceled at the timelock; the governor logged nothing."
    )
    calls = GovernorCallSerializer(many=True)


class GovernorVoteSerializer(serializers.Serializer[Any]):
    """One vote log of an added governor."""

    event = serializers.CharField()
    voter = AddressSerializerField()
    support = serializers.IntegerField()
    weight = Uint256SerializerField()
    reason = serializers.CharField()
    reason_raw = HexSerializerField(
        allow_null=True, help_text="The exact bytes where they are not plain UTF-8."
    )
    params = HexSerializerField()
    block_number = serializers.IntegerField()
    log_index = serializers.IntegerField()
    transaction_hash = Hash32SerializerField(source="tx")
    voted_at = serializers.DateTimeField()


class GovernorProposalQuerySerializer(serializers.Serializer[Any]):
    """What a list of proposals can be asked."""

    state = serializers.ChoiceField(required=False, choices=SLUGS)
    proposer = AddressSerializerField(required=False)


# --- views ----------------------------------------------------------------------------


class GovernorPage(CursorPage):
    """Added last first."""

    ordering = ("-added_at",)


@extend_schema(tags=["governors"])
class GovernorList(PublicList):
    """Governors that were added, the last first."""

    serializer_class = GovernorSerializer
    pagination_class = GovernorPage
    queryset = IndexedGovernor.objects.all()

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self.progress = progress_of(page or ())
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "progress": getattr(self, "progress", None)}


@extend_schema(tags=["governors"], responses=GovernorDetailSerializer)
class GovernorDetail(ReadView):
    """One added governor."""

    def get(self, request: Request, address: str) -> Response:
        return Response(GovernorDetailSerializer(governor_or_404(address)).data)


class GovernorProposalPage(CursorPage):
    """Newest first."""

    ordering = ("-created_block", "-created_log_index")


@extend_schema(tags=["governors"], parameters=[GovernorProposalQuerySerializer])
class GovernorProposalList(PublicList):
    """Proposals of an added governor, newest first."""

    serializer_class = GovernorProposalSerializer
    pagination_class = GovernorProposalPage
    queryset = GovernorProposal.objects.all()

    def get_queryset(self) -> QuerySet[GovernorProposal]:
        query = GovernorProposalQuerySerializer(data=self.request.query_params)
        query.is_valid(raise_exception=True)
        wanted = query.validated_data
        rows = proposals_shown(governor_or_404(self.kwargs["address"]))
        rows = rows.defer("description", "calls")
        if "state" in wanted:
            rows = rows.filter(state_shown(ProposalState[wanted["state"].upper()]))
        if "proposer" in wanted:
            rows = rows.filter(proposer=wanted["proposer"])
        return rows


def proposal_or_404(address: str, proposal_id: str) -> GovernorProposal:
    """A proposal of an added governor.

    Raises:
        ApiError: the address is none.
        NotFound
    """
    proposal = proposal_find(governor_or_404(address), proposal_id)
    if proposal is None:
        raise NotFound("This governor has no proposal of this id, or it is not indexed yet.")
    return proposal


@extend_schema(tags=["governors"], responses=GovernorProposalDetailSerializer)
class GovernorProposalDetail(ReadView):
    """One proposal of an added governor, by its id in decimal digits."""

    def get(self, request: Request, address: str, proposal_id: str) -> Response:
        proposal = proposal_or_404(address, proposal_id)
        return Response(GovernorProposalDetailSerializer(proposal).data)


class GovernorVotePage(CursorPage):
    """In the chain's order, newest first."""

    ordering = ("-block_number", "-log_index")


@extend_schema(tags=["governors"])
class GovernorVoteList(PublicList):
    """The votes on a proposal of an added governor, newest first."""

    serializer_class = GovernorVoteSerializer
    pagination_class = GovernorVotePage
    queryset = GovernorVote.objects.all()

    def get_queryset(self) -> QuerySet[GovernorVote]:
        proposal = proposal_or_404(self.kwargs["address"], self.kwargs["proposal_id"])
        return GovernorVote.objects.filter(
            governor=proposal.governor, proposal_id=proposal.proposal_id
        )
