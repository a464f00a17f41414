"""The policy preview as the API gives it."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import AddressSerializerField, Hash32SerializerField
from network.selectors.preview import PreviewRow
from network.selectors.preview_judge import Outcome
from network.selectors.proposed import Bearing, ProposedChange


class PreviewChangeSerializer(serializers.Serializer[ProposedChange]):
    """One proposed value beside the one in force."""

    name = serializers.CharField()
    current = serializers.CharField(help_text="In force at the policy's block.")
    proposed = serializers.CharField()
    current_human = serializers.CharField()
    proposed_human = serializers.CharField()
    bearing = serializers.ChoiceField(
        Bearing.choices, help_text="What stored verdicts can say of this change."
    )
    note = serializers.CharField(help_text="What cannot be told, and why; empty otherwise.")


class PreviewPolicySerializer(serializers.Serializer[Any]):
    """The policy in force that the proposed values are compared with."""

    version = serializers.IntegerField()
    block_number = serializers.IntegerField()
    block_hash = Hash32SerializerField()
    hash = Hash32SerializerField(source="digest")


class PreviewCountsSerializer(serializers.Serializer[Any]):
    """Nodes by outcome. Nodes that have left the network are in none."""

    falls_out = serializers.IntegerField()
    comes_back = serializers.IntegerField()
    cannot_tell = serializers.IntegerField()
    stays = serializers.IntegerField()
    stays_out = serializers.IntegerField()


class PreviewReasonSerializer(serializers.Serializer[Any]):
    """A reason and how many nodes fall out for it first of all."""

    code = serializers.CharField()
    nodes = serializers.IntegerField()


class PreviewNodeSerializer(serializers.Serializer[PreviewRow]):
    """What the proposed values would mean for one node, and why."""

    node_id = Hash32SerializerField(source="node.node_id")
    operator = AddressSerializerField(source="node.operator")
    gpu_class = serializers.CharField(source="node.gpu_class")
    gpu_count = serializers.IntegerField(source="node.gpu_count")
    region = serializers.CharField(source="node.region")
    outcome = serializers.ChoiceField(Outcome.choices)
    before = serializers.CharField(
        help_text="Its standing under the policy in force, judged from the last report."
    )
    after = serializers.CharField(
        help_text="Its standing under the proposed values; empty where it cannot be told."
    )
    code = serializers.CharField(
        help_text="The reason: a finding's code, `tier.required` or `evidence.too_old`; or empty."
    )
    codes = serializers.ListField(child=serializers.CharField(), help_text="All reasons.")
    sentence = serializers.CharField()
    emulated = serializers.BooleanField(help_text="Whether its last report came from emulators.")
    verdict_id = serializers.IntegerField(allow_null=True)


class PolicyPreviewSerializer(serializers.Serializer[Any]):
    """The policy in force and a proposed one, and the nodes between them."""

    at = serializers.DateTimeField(help_text="Freshness is judged as of this time.")
    policy = PreviewPolicySerializer()
    changes = PreviewChangeSerializer(many=True)
    attested_before = serializers.IntegerField(
        help_text="Nodes that count under the policy in force."
    )
    counts = PreviewCountsSerializer()
    emulated = PreviewCountsSerializer(help_text="Those of the counted nodes that are emulated.")
    reasons = PreviewReasonSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = PreviewNodeSerializer(many=True)
