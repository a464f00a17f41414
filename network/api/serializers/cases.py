"""Cases against nodes as the API gives them."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import AddressSerializerField, Hash32SerializerField, Uint256SerializerField
from network.models import CaseKind, CaseStatus


class NodeCaseSerializer(serializers.Serializer[Any]):
    """A case, with terms as of its opening and what can happen in it now."""

    case_id = serializers.IntegerField(help_text="As the registry numbers them.")
    kind = serializers.ChoiceField(CaseKind.choices)
    status = serializers.ChoiceField(CaseStatus.choices, help_text="As the registry says.")
    next_step = serializers.CharField(help_text="What can happen now, in words.")
    opener = AddressSerializerField()
    evidence_hash = Hash32SerializerField()
    answer_hash = Hash32SerializerField(allow_null=True)
    bond_wei = Uint256SerializerField()
    opened_at = serializers.DateTimeField()
    opened_tx = Hash32SerializerField()
    contestable_until = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    has_run_out = serializers.BooleanField(
        help_text="Nobody decided it in time; anybody may dismiss it."
    )
    stake_wei = Uint256SerializerField(help_text="What the node held and did not owe.")
    max_bps = serializers.IntegerField(help_text="The largest part of it a decision may take.")
    locked_wei = Uint256SerializerField(
        help_text=(
            "The most this case may still take. A node's open cases share one lock, as large as "
            "the largest of them."
        )
    )
    ended_at = serializers.DateTimeField(allow_null=True)
    ended_tx = Hash32SerializerField(
        allow_null=True, help_text="Of the decision or the dismissal: joins the proposal."
    )
    decided_bps = serializers.IntegerField(
        allow_null=True, help_text="Null unless a vote upheld the case."
    )
    debt_wei = Uint256SerializerField(help_text="What the decision took.")
    collected_wei = Uint256SerializerField(help_text="How much of it has been paid.")
    block_number = serializers.IntegerField(help_text="Of the opening.")
