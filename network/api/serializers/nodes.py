"""Nodes, keys, challenges, reports and verdicts as the API takes and gives them."""

from typing import Any

from rest_framework import serializers

from chain.api.fields import (
    AddressSerializerField,
    Hash32SerializerField,
    HexSerializerField,
    StrictIntegerField,
    Uint256SerializerField,
)
from network.api.serializers.standing import StandingSerializer, TierSerializer
from network.attestation.evidence import MAX_DEVICES
from network.models import NodeKeyStatus, NodeStatus, VerdictStatus
from network.registration import (
    ML_DSA_65_KEY_BYTES,
    ML_DSA_65_SIGNATURE_BYTES,
    ML_DSA_REGISTER_CONTEXT,
)

#: A contract wallet's signature (EIP-1271) may be long; chain.signatures takes no more.
SIGNATURE_MAX_BYTES = 8192


class NodeSerializer(serializers.Serializer[Any]):
    """A node with its standing. ``standing_of`` in the context maps node ids to standings."""

    node_id = Hash32SerializerField()
    operator = AddressSerializerField()
    status = serializers.ChoiceField(NodeStatus.choices, help_text="As the registry says.")
    gpu_class = serializers.CharField()
    gpu_count = serializers.IntegerField()
    region = serializers.CharField()
    metadata_uri = serializers.CharField()
    stake_wei = Uint256SerializerField()
    unbonding_wei = Uint256SerializerField()
    registered_at = serializers.DateTimeField()
    suspended_until = serializers.DateTimeField(allow_null=True)
    exit_requested_at = serializers.DateTimeField(allow_null=True)
    withdrawable_at = serializers.DateTimeField(allow_null=True)
    keys_hash = Hash32SerializerField()
    block_number = serializers.IntegerField()
    emulated = serializers.BooleanField(
        allow_null=True, help_text="Whether its last report came from emulated GPUs."
    )
    tier = TierSerializer(
        allow_null=True, help_text="The tier of the verdict that its standing rests on."
    )
    standing = StandingSerializer()


class NodeKeySerializer(serializers.Serializer[Any]):
    """A node's signing key."""

    key_id = serializers.CharField(help_text="The Ed25519 public key in lowercase hex.")
    status = serializers.ChoiceField(NodeKeyStatus.choices)
    keys_hash = Hash32SerializerField()
    verified_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class KeysSerializer(serializers.Serializer[Any]):
    """The public keys of a node."""

    ed25519 = Hash32SerializerField()
    ml_dsa_65 = HexSerializerField(length=ML_DSA_65_KEY_BYTES, required=False)


class KeyChallengeSerializer(serializers.Serializer[Any]):
    """What the operator and the node have to sign before ``expires_at``."""

    nonce = Hash32SerializerField()
    expires_at = serializers.DateTimeField()
    keys_hash = Hash32SerializerField()
    digest = Hash32SerializerField(help_text="The EIP-712 digest: all keys sign these bytes.")
    typed_data = serializers.DictField(help_text="For `eth_signTypedData_v4`.")


class KeyProofSerializer(KeysSerializer):
    """The proof: every key's signature over the challenge's digest."""

    nonce = Hash32SerializerField()
    operator_signature = HexSerializerField(max_length=SIGNATURE_MAX_BYTES)
    node_signature = HexSerializerField(length=64)
    ml_dsa_signature = HexSerializerField(
        length=ML_DSA_65_SIGNATURE_BYTES,
        required=False,
        help_text=(
            "Needed with `ml_dsa_65`: that key's signature (FIPS 204) with the context "
            f"`{ML_DSA_REGISTER_CONTEXT.decode()}`."
        ),
    )


class ChallengeSerializer(serializers.Serializer[Any]):
    """A nonce for the next report, and where the chain of reports stands."""

    nonce = Hash32SerializerField()
    expires_at = serializers.DateTimeField()
    devices = serializers.ListField(
        child=Hash32SerializerField(), help_text="What the report has to hold, in any order."
    )
    next_seq = serializers.IntegerField()
    previous_hash = Hash32SerializerField(allow_null=True)


class ChallengePostSerializer(serializers.Serializer[Any]):
    """Which devices the next report will hold."""

    devices = serializers.ListField(
        child=Hash32SerializerField(),
        max_length=MAX_DEVICES,
        help_text=(
            "Each device's identity: SHA-256 of the public key (DER SubjectPublicKeyInfo) of the "
            "second certificate of its chain. Empty where no GPU of the node can attest."
        ),
    )

    def validate_devices(self, devices: list[bytes]) -> list[bytes]:
        if len(set(devices)) != len(devices):
            raise serializers.ValidationError("A device stands twice in the list.", "duplicate")
        return devices


class DeviceEvidenceSerializer(serializers.Serializer[Any]):
    """One GPU's evidence, as NVIDIA's tools write it; base64 is checked when it is decoded."""

    arch = serializers.CharField(max_length=64, required=False)
    uuid = serializers.CharField(max_length=64, required=False)
    vendor = serializers.CharField(
        max_length=64, required=False, help_text="`nvidia`, which is also what none means."
    )
    evidence = serializers.CharField(help_text="Base64 of the SPDM report.")
    certificate = serializers.CharField(help_text="Base64 of the PEM chain, leaf first.")


class AttestationPostSerializer(serializers.Serializer[Any]):
    """A report. The signature over the request covers it all."""

    nonce = Hash32SerializerField()
    seq = StrictIntegerField(min_value=1, max_value=2**63 - 1)
    previous_hash = Hash32SerializerField(allow_null=True, required=True)
    devices = DeviceEvidenceSerializer(many=True, max_length=MAX_DEVICES)  # type: ignore[call-arg]
    inventory = serializers.DictField(
        required=False,
        help_text=(
            "What the node says it has, a claim. Tier T1 needs one that lists every registered "
            'GPU: `{"gpus": [{"uuid": ...}, ...]}`.'
        ),
    )


class AttestationSerializer(serializers.Serializer[Any]):
    """A stored report, without its raw evidence."""

    id = serializers.IntegerField()
    seq = serializers.IntegerField()
    report_hash = Hash32SerializerField()
    previous_hash = Hash32SerializerField(allow_null=True)
    nonce = Hash32SerializerField(source="challenge_id")
    key_id = serializers.CharField()
    device_count = serializers.IntegerField()
    received_at = serializers.DateTimeField()


class VerdictSerializer(serializers.Serializer[Any]):
    """How a report was judged, and by which policy."""

    id = serializers.IntegerField()
    node_id = Hash32SerializerField()
    status = serializers.ChoiceField(VerdictStatus.choices)
    tier = serializers.IntegerField()
    required_tier = serializers.IntegerField()
    sentence = serializers.CharField()
    emulated = serializers.BooleanField()
    judged_at = serializers.DateTimeField()
    fresh_until = serializers.DateTimeField()
    policy_version = serializers.IntegerField()
    policy_hash = Hash32SerializerField()
    policy_block = serializers.IntegerField()
    rejudge_of = serializers.IntegerField(source="rejudge_of_id", allow_null=True)
    verdict_hash = Hash32SerializerField(
        help_text="keccak-256 of what is published of this verdict: what its epoch anchors."
    )
    attestation = AttestationSerializer()


class VerdictDetailSerializer(VerdictSerializer):
    """A verdict with everything it was made of."""

    findings = serializers.DictField()
    codes = serializers.DictField(
        help_text="For each code of the findings its `meaning` and its `next_step`. Words for "
        "people, which may be written better later: no part of the verdict or its hash."
    )
    policy = serializers.DictField()
    ear_jwt = serializers.CharField(
        help_text="The attestation result (EAR) as a JWT; where it is empty, "
        "`findings.token_withheld` says why."
    )
    standing = StandingSerializer(help_text="The node's standing now.")


class AttestationResultSerializer(serializers.Serializer[Any]):
    """The answer to a report."""

    attestation = AttestationSerializer()
    verdict = VerdictDetailSerializer()


class PolicySerializer(serializers.Serializer[Any]):
    """The policy in force: on-chain values at a finalized block."""

    version = serializers.IntegerField()
    set_id = serializers.IntegerField()
    block_number = serializers.IntegerField()
    block_hash = Hash32SerializerField()
    at = serializers.DateTimeField()
    hash = Hash32SerializerField(source="digest")
    values = serializers.DictField(child=serializers.CharField())


class AnchorSerializer(serializers.Serializer[Any]):
    """One pinned root."""

    name = serializers.CharField()
    spki_sha256 = serializers.CharField()
    emulated = serializers.BooleanField()


class TrustSerializer(serializers.Serializer[Any]):
    """What this service judges by: the policy, the roots it pins, its own signing keys."""

    policy = PolicySerializer()
    device_roots = AnchorSerializer(many=True)
    rim_roots = AnchorSerializer(many=True)
    emulator_trusted = serializers.BooleanField()
    ear_profile = serializers.CharField()
    jwks_url = serializers.CharField()


class JwksSerializer(serializers.Serializer[Any]):
    """A JSON Web Key Set (RFC 7517)."""

    keys = serializers.ListField(child=serializers.DictField())


class NetworkSummarySerializer(serializers.Serializer[Any]):
    """The network in figures."""

    nodes = serializers.IntegerField()
    live_nodes = serializers.IntegerField()
    attested_nodes = serializers.IntegerField()
    gpus = serializers.IntegerField()
    stake_wei = Uint256SerializerField()
    standings = serializers.DictField(child=serializers.IntegerField())
