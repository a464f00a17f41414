"""Epochs of verdicts, their leaves and proofs, as the API gives them."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import AddressSerializerField, Hash32SerializerField
from network.selectors.epochs import EpochWord

EPOCH_STATUSES = [(word.value, word.value) for word in EpochWord]


class EpochSerializer(serializers.Serializer[Any]):
    """An epoch as this service computed it, and what the ledger says of it."""

    number = serializers.IntegerField(source="epoch.number")
    revision = serializers.IntegerField(
        source="epoch.revision", help_text="1; one more each time a voided epoch is posted again."
    )
    reason = serializers.CharField(
        source="epoch.reason", help_text="Why it was computed again; empty for the first."
    )
    starts_at = serializers.DateTimeField(source="epoch.starts_at")
    ends_at = serializers.DateTimeField(source="epoch.ends_at")
    cut_at = serializers.DateTimeField(
        source="epoch.frozen_at", help_text="When its verdicts were fixed."
    )
    # The framework takes declared fields off the class: its own `root` stays what it is.
    root = Hash32SerializerField(  # type: ignore[assignment]
        source="epoch.root", help_text="Zero where it has no verdicts."
    )
    count = serializers.IntegerField(source="epoch.count", help_text="Verdicts it holds.")
    total_seconds = serializers.IntegerField(source="epoch.total_seconds")
    metadata_hash = Hash32SerializerField(
        source="epoch.metadata_hash", help_text="keccak-256 of its description as canonical JSON."
    )
    status = serializers.ChoiceField(
        EPOCH_STATUSES,
        source="word",
        help_text="`differs`: the chain holds another root than computed.",
    )
    sentence = serializers.CharField()
    posted_at = serializers.DateTimeField(source="record.posted_at", allow_null=True, default=None)
    usable_at = serializers.DateTimeField(source="record.usable_at", allow_null=True, default=None)
    posted_tx = Hash32SerializerField(source="record.posted_tx", allow_null=True, default=None)
    voided_at = serializers.DateTimeField(source="record.voided_at", allow_null=True, default=None)
    void_reason = serializers.CharField(source="record.void_reason", allow_blank=True, default="")


class EpochDetailSerializer(EpochSerializer):
    """An epoch with its description."""

    description = serializers.DictField(source="epoch.description")


class VerdictLeafSerializer(serializers.Serializer[Any]):
    """`IAttestationLedger.VerdictLeaf`."""

    node_id = Hash32SerializerField()
    verdict_hash = Hash32SerializerField()
    tier = serializers.IntegerField()
    status = serializers.IntegerField(help_text="AR4SI: 0 none, 2 affirming, 32 warning, 96 not.")
    seconds_attested = serializers.IntegerField()


class EpochLeafSerializer(VerdictLeafSerializer):
    """A leaf of an epoch, in its place."""

    index = serializers.IntegerField()
    verdict_id = serializers.IntegerField()
    leaf_hash = Hash32SerializerField()


class VerdictProofSerializer(serializers.Serializer[Any]):
    """All that is needed to check that a verdict is in an epoch on chain."""

    verdict_id = serializers.IntegerField()
    chain_id = serializers.IntegerField()
    ledger = AddressSerializerField(help_text="The contract `AttestationLedger`.")
    epoch = serializers.IntegerField()
    index = serializers.IntegerField(help_text="The leaf's place, from 0.")
    count = serializers.IntegerField(help_text="Leaves of the epoch.")
    leaf = VerdictLeafSerializer()
    leaf_hash = Hash32SerializerField()
    siblings = serializers.ListField(
        child=Hash32SerializerField(), help_text="From the leaf's level up; none where it has none."
    )
    root = Hash32SerializerField()  # type: ignore[assignment]
    status = serializers.ChoiceField(EPOCH_STATUSES, help_text="`posted` or `usable`.")
    posted_at = serializers.DateTimeField()
    posted_tx = Hash32SerializerField()
    usable_at = serializers.DateTimeField(
        help_text="From then on `verify` of the ledger answers, and the root never changes."
    )
    epochs = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="All epochs that hold this verdict; ask for another with `epoch`.",
    )
    published = serializers.DictField(
        help_text="What `verdict_hash` is the keccak-256 of, as canonical JSON (RFC 8785)."
    )
