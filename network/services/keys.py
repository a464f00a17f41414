"""A node's signing keys: proven, retired by the registry, revoked by staff."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from chain import conf
from chain.addresses import to_checksum
from chain.contracts import deployment
from chain.signatures import verify_digest
from network.errors import Conflict, NotFound, Refused
from network.models import (
    Challenge,
    ChallengePurpose,
    Node,
    NodeKey,
    NodeKeyAction,
    NodeKeyEvent,
    NodeKeyStatus,
)
from network.registration import (
    ML_DSA_REGISTER_CONTEXT,
    RegisterNode,
    ed25519_verify,
    keys_hash,
    ml_dsa_65_verify,
)
from network.services.challenges import challenge_use, keys_hash_check


@dataclass(frozen=True, slots=True)
class KeyProof:
    """What a node sends to have its keys accepted. Signatures are raw bytes: the operator's
    65 (or a contract wallet's), the node's 64, its ML-DSA-65 key's 3309 (both empty without)."""

    nonce: bytes
    ed25519: bytes
    ml_dsa_65: bytes
    operator_signature: bytes
    node_signature: bytes
    ml_dsa_signature: bytes = b""


def register_statement(*, node: Node, challenge: Challenge, hash_: bytes) -> RegisterNode:
    """Build what all keys have to sign for this challenge."""
    return RegisterNode(
        operator=node.operator,
        node_id=node.node_id,
        keys_hash=hash_,
        nonce=challenge.nonce,
        deadline_s=int(challenge.expires_at.timestamp()),
        chain_id=conf.chain_id(),
        registry=deployment().address("NodeRegistry"),
    )


@transaction.atomic
def key_register(*, node: Node, proof: KeyProof, at: datetime) -> NodeKey:
    """Accept a node's keys. Older keys of the node are retired in the same transaction.

    Raises:
        Conflict: the challenge is not open; ``keys_hash_mismatch``; ``key_taken``.
        Refused: ``operator_signature_invalid``, ``node_signature_invalid``,
            ``ml_dsa_signature_missing`` or ``ml_dsa_signature_invalid``.
        RpcError: the operator is a contract and the node of the chain does not answer.
    """
    hash_ = keys_hash(operator=node.operator, ed25519=proof.ed25519, ml_dsa_65=proof.ml_dsa_65)
    keys_hash_check(node=node, keys_hash=hash_)
    challenge = challenge_use(nonce=proof.nonce, node=node, purpose=ChallengePurpose.KEYS, at=at)
    if challenge.keys_hash != hash_:
        raise Conflict(
            "challenge_for_other_keys", "This challenge was issued for other keys. Ask again."
        )
    digest = register_statement(node=node, challenge=challenge, hash_=hash_).digest()
    _signatures_check(node, proof, digest)
    _key_free_check(node, proof)
    _others_retire(node, at)
    key, _ = NodeKey.objects.update_or_create(
        key_id=proof.ed25519.hex(),
        defaults={
            "node_id": node.node_id,
            "operator": node.operator,
            "ed25519": proof.ed25519,
            "ml_dsa_65": proof.ml_dsa_65,
            "keys_hash": hash_,
            "status": NodeKeyStatus.ACTIVE,
            "proof_digest": digest,
            "operator_signature": proof.operator_signature,
            "node_signature": proof.node_signature,
            "ml_dsa_signature": proof.ml_dsa_signature,
            "verified_at": at,
            "ended_at": None,
        },
    )
    _event(key, NodeKeyAction.REGISTERED, f"operator {to_checksum(node.operator)}", "", at)
    return key


def _signatures_check(node: Node, proof: KeyProof, digest: bytes) -> None:
    # The cheap one first: recovery or a contract's answer costs a hundred times more.
    if not ed25519_verify(public_key=proof.ed25519, message=digest, signature=proof.node_signature):
        raise Refused(
            "node_signature_invalid",
            "The node key has not signed this digest.",
            {"digest": f"0x{digest.hex()}"},
        )
    _ml_dsa_check(proof, digest)
    if not verify_digest(node.operator, digest, proof.operator_signature):
        raise Refused(
            "operator_signature_invalid",
            "The node's operator has not signed this RegisterNode message.",
            {"digest": f"0x{digest.hex()}", "operator": to_checksum(node.operator)},
        )


def _ml_dsa_check(proof: KeyProof, digest: bytes) -> None:
    """An ML-DSA key without its own signature may be anybody's, or nobody's."""
    data = {"digest": f"0x{digest.hex()}", "context": ML_DSA_REGISTER_CONTEXT.decode("ascii")}
    if not proof.ml_dsa_65 and not proof.ml_dsa_signature:
        return
    if not proof.ml_dsa_signature:
        raise Refused(
            "ml_dsa_signature_missing",
            "An ML-DSA-65 key is accepted only with its own signature over this digest.",
            data,
        )
    if not ml_dsa_65_verify(
        public_key=proof.ml_dsa_65, message=digest, signature=proof.ml_dsa_signature
    ):
        raise Refused(
            "ml_dsa_signature_invalid",
            "The ML-DSA-65 key has not signed this digest in this context.",
            data,
        )


def _key_free_check(node: Node, proof: KeyProof) -> None:
    """A key belongs to one node for ever, and a revoked one never comes back."""
    known = NodeKey.objects.select_for_update().filter(ed25519=proof.ed25519).first()
    if known is None:
        return
    if known.node_id != node.node_id:
        raise Conflict("key_taken", "This key belongs to another node. Make a new one.")
    if known.status == NodeKeyStatus.REVOKED:
        raise Conflict("key_revoked", "This key was revoked. Make a new one and rotate to it.")


def _others_retire(node: Node, at: datetime) -> None:
    active = NodeKey.objects.select_for_update().filter(
        node_id=node.node_id, status=NodeKeyStatus.ACTIVE
    )
    for key in active:
        key.status = NodeKeyStatus.RETIRED
        key.ended_at = at
        key.save(update_fields=["status", "ended_at"])
        _event(key, NodeKeyAction.RETIRED, "registry", "A newer key was proven.", at)


@transaction.atomic
def key_revoke(*, key_id: str, actor: str, reason: str, at: datetime) -> NodeKey:
    """Revoke a key for good; the next request it signs is refused.

    Args:
        actor: who, as written in the audit row, for example ``staff alice``.
        reason: why; not empty.

    Raises:
        NotFound: ``key_unknown``.
        Refused: ``reason_missing``.
        Conflict: ``key_revoked`` already.
    """
    if not reason.strip():
        raise Refused("reason_missing", "Say why the key is revoked; the audit row keeps it.")
    key = NodeKey.objects.select_for_update().filter(key_id=key_id).first()
    if key is None:
        raise NotFound("key_unknown", "There is no such key.")
    if key.status == NodeKeyStatus.REVOKED:
        raise Conflict("key_revoked", "This key is revoked already.")
    key.status = NodeKeyStatus.REVOKED
    key.ended_at = at
    key.save(update_fields=["status", "ended_at"])
    _event(key, NodeKeyAction.REVOKED, actor, reason.strip(), at)
    return key


def _event(key: NodeKey, action: NodeKeyAction, actor: str, reason: str, at: datetime) -> None:
    NodeKeyEvent.objects.create(
        key=key, action=action, actor=actor[:200], reason=reason[:500], occurred_at=at
    )
