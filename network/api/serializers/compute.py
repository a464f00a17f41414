"""Compute rounds as the API takes and gives them."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import Hash32SerializerField, HexSerializerField, StrictIntegerField
from network.attestation.evidence import MAX_DEVICES
from network.compute import Basis, Check
from network.compute.params import COMMITMENT_BYTES, MAX_OPENINGS
from network.models import RoundStatus, TaskStatus

_POSITION = {"min_value": 0, "max_value": MAX_DEVICES - 1}


class EmptySerializer(serializers.Serializer[Any]):
    """An empty JSON object."""


class ComputeParamsSerializer(serializers.Serializer[Any]):
    """The sizes, chosen by the service."""

    n = serializers.IntegerField(help_text="Rows and columns of each matrix.")
    rounds = serializers.IntegerField(help_text="Products, one after the other.")
    openings = serializers.IntegerField(help_text="Rows to open.")
    check = serializers.ChoiceField([check.value for check in Check])


class ComputeGpuSerializer(serializers.Serializer[Any]):
    """A GPU of a round: where it stands, and the UUID that the node listed."""

    position = serializers.IntegerField()
    gpu_id = serializers.CharField()


class ComputeAheadSerializer(serializers.Serializer[Any]):
    """A round that begins soon."""

    id = serializers.UUIDField()
    starts_at = serializers.DateTimeField()
    starts_in_ms = serializers.IntegerField(help_text="From this answer on; negative: it began.")
    params = ComputeParamsSerializer()
    gpus = ComputeGpuSerializer(many=True)


class ComputeTaskSerializer(serializers.Serializer[Any]):
    """How one GPU answered; every finding by its code."""

    position = serializers.IntegerField()
    status = serializers.ChoiceField(TaskStatus.choices)
    outcome = serializers.DictField(allow_null=True)


class ComputeRoundSerializer(serializers.Serializer[Any]):
    """A round that is over."""

    id = serializers.UUIDField()
    node_id = Hash32SerializerField()
    status = serializers.ChoiceField(RoundStatus.choices)
    sentence = serializers.CharField(help_text="What it says, in plain words.")
    starts_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    params = ComputeParamsSerializer()
    deadline_class = serializers.CharField(help_text="The class whose deadline held.")
    basis = serializers.ChoiceField(
        [basis.value for basis in Basis],
        help_text=(
            "Where the deadline is from: `measured` on this class; `assigned` to emulated GPUs; "
            "`uncalibrated`: there is none, and the round proves no speed."
        ),
    )
    emulated = serializers.BooleanField(source="is_emulated")
    limit_ms = serializers.IntegerField(allow_null=True, help_text="From begin to commitment.")
    elapsed_ms = serializers.IntegerField(allow_null=True, help_text="Of the slowest GPU.")
    codes = serializers.ListField(
        child=serializers.CharField(), help_text="Codes of the findings that failed it."
    )


class ComputeRoundDetailSerializer(ComputeRoundSerializer):
    """The same with every GPU."""

    tasks = ComputeTaskSerializer(many=True)


class ComputeNextSerializer(serializers.Serializer[Any]):
    """The answer to a node that asks what comes next. ``last`` is its own last round."""

    server_time = serializers.DateTimeField()
    ask_again_s = serializers.IntegerField(help_text="Ask again after so many seconds.")
    round = ComputeAheadSerializer(allow_null=True)
    last = ComputeRoundSerializer(allow_null=True)


class ComputeReadySerializer(serializers.Serializer[Any]):
    """What to send back with ``begin``: the time in between is the round trip."""

    echo = Hash32SerializerField()
    starts_in_ms = serializers.IntegerField()


class ComputeBeginPostSerializer(serializers.Serializer[Any]):
    """Starts the clock."""

    echo = Hash32SerializerField()


class ComputeChallengeSerializer(ComputeParamsSerializer):
    """One GPU's challenge. Byte strings are hex without 0x, as in network.compute."""

    position = serializers.IntegerField()
    challenge_id = serializers.CharField()
    nonce = serializers.CharField()
    node_key = serializers.CharField()
    gpu_id = serializers.CharField()
    epoch = serializers.IntegerField()
    epoch_seed = serializers.CharField()


class ComputeBegunSerializer(serializers.Serializer[Any]):
    """The clock runs. Commit within ``commit_ms`` where there is a limit."""

    commit_ms = serializers.IntegerField(allow_null=True)
    challenges = ComputeChallengeSerializer(many=True)


class ComputeCommitmentSerializer(serializers.Serializer[Any]):
    """One GPU's commitment: tag and Merkle root, 64 bytes."""

    position = StrictIntegerField(**_POSITION)  # type: ignore[arg-type]
    commitment = HexSerializerField(max_length=2 * COMMITMENT_BYTES)


class ComputeCommitPostSerializer(serializers.Serializer[Any]):
    """Stops the clocks of the GPUs named."""

    commitments = ComputeCommitmentSerializer(  # type: ignore[call-arg]
        many=True, min_length=1, max_length=MAX_DEVICES
    )


class ComputeDrawnSerializer(serializers.Serializer[Any]):
    """The rows that one GPU has to open, ascending."""

    position = serializers.IntegerField()
    indices = serializers.ListField(child=serializers.IntegerField(), max_length=MAX_OPENINGS)


class ComputeCommittedSerializer(serializers.Serializer[Any]):
    """The answer to commitments."""

    drawn = ComputeDrawnSerializer(many=True)


class ComputeOpenedSerializer(serializers.Serializer[Any]):
    """The opening has arrived in its form; how it is judged, the round says when it is over."""

    position = serializers.IntegerField()
    received_at = serializers.DateTimeField()
