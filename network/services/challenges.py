"""Nonces of the service: issued for one node and one purpose, answered once, in time."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction

from network.errors import Conflict, Forbidden, NetworkError
from network.models import Challenge, ChallengePurpose, Node, NodeStatus
from network.selectors.policy import PolicySnapshot

#: Seconds in which a person must have signed with two keys.
KEYS_CHALLENGE_TTL_S = 600
#: Seconds that an open key challenge must have left to be given again.
KEYS_CHALLENGE_LEFT_S = 120
#: Unanswered challenges a node may hold: a bound on what one node can make us store.
OPEN_CHALLENGES_MAX = 20
#: Seconds for which an expired, unanswered challenge is kept, so that a late answer is told
#: "expired" and not "unknown".
EXPIRED_KEPT_S = 3600


class TooManyChallenges(NetworkError):
    """The node holds too many open challenges."""

    http_status = 429
    retry_after_s = 30


def challenge_issue(
    *, node: Node, devices: Iterable[str], policy: PolicySnapshot, at: datetime
) -> Challenge:
    """Issue a challenge for a node's next report; it lives ``attest.nonce_ttl`` seconds.

    ``devices`` are the identities (64 hex digits) of the devices that the report will hold; none
    where the node has none that can attest.

    Raises:
        Forbidden: ``node_exited``.
        TooManyChallenges: ``challenges_open``.
    """
    if node.status == NodeStatus.EXITED:
        raise Forbidden("node_exited", "This node has left the network.")
    return _issue(
        node=node,
        purpose=ChallengePurpose.ATTEST,
        at=at,
        ttl_s=policy.nonce_ttl_s,
        devices=sorted(set(devices)),
    )


def key_challenge_issue(*, node: Node, keys_hash: bytes, at: datetime) -> Challenge:
    """Issue a challenge for the proof that keys belong to the node's operator.

    Anybody may ask, so an open one for the same keys is given again: a stranger can neither
    fill the table nor use up what the operator needs. Its nonce is no secret.

    Raises:
        Forbidden: ``node_exited``.
        Conflict: ``keys_hash_mismatch``: the registry holds another hash for this node.
        TooManyChallenges: ``challenges_open``.
    """
    if node.status == NodeStatus.EXITED:
        raise Forbidden("node_exited", "This node has left the network.")
    keys_hash_check(node=node, keys_hash=keys_hash)
    open_one = Challenge.objects.filter(
        node_id=node.node_id,
        purpose=ChallengePurpose.KEYS,
        keys_hash=keys_hash,
        used_at=None,
        expires_at__gt=at + timedelta(seconds=KEYS_CHALLENGE_LEFT_S),
    ).first()
    if open_one is not None:
        return open_one
    return _issue(
        node=node,
        purpose=ChallengePurpose.KEYS,
        at=at,
        ttl_s=KEYS_CHALLENGE_TTL_S,
        operator=node.operator,
        keys_hash=keys_hash,
    )


def keys_hash_check(*, node: Node, keys_hash: bytes) -> None:
    """Compare a keys hash with the registry's.

    Raises:
        Conflict: ``keys_hash_mismatch``.
    """
    if node.keys_hash != keys_hash:
        raise Conflict(
            "keys_hash_mismatch",
            "The registry holds another keys hash for this node. Register these keys on chain "
            "first (register or rotateKeys).",
            {"registered": f"0x{node.keys_hash.hex()}", "given": f"0x{keys_hash.hex()}"},
        )


def challenge_use(
    *, nonce: bytes, node: Node, purpose: ChallengePurpose, at: datetime
) -> Challenge:
    """Use up a challenge. Call it inside the transaction of what the answer changes.

    Raises:
        Conflict: ``challenge_unknown`` (never issued to this node for this purpose),
            ``challenge_used`` or ``challenge_expired``.
    """
    challenge = (
        Challenge.objects.select_for_update()
        .filter(nonce=nonce, node_id=node.node_id, purpose=purpose)
        .first()
    )
    if challenge is None:
        raise Conflict(
            "challenge_unknown", "This nonce was not issued to this node. Ask for a challenge."
        )
    if challenge.used_at is not None:
        raise Conflict("challenge_used", "This challenge was answered already. Ask for another.")
    if challenge.expires_at <= at:
        raise Conflict(
            "challenge_expired",
            "This challenge ran out. Ask for another.",
            {"expired_at": challenge.expires_at.isoformat(), "server_time": at.isoformat()},
        )
    challenge.used_at = at
    challenge.save(update_fields=["used_at"])
    return challenge


def challenge_devices_check(challenge: Challenge, offered: Sequence[str | None]) -> None:
    """Compare the devices of a report with those that its challenge was issued for.

    ``offered`` has the identity of each device in the report's order, None where its chain cannot
    be read. A device that is offered twice is the verifier's to judge.

    Raises:
        Conflict: ``challenge_devices_differ``.
    """
    named = set(challenge.devices or ())
    found = {identity for identity in offered if identity is not None}
    unreadable = [index for index, identity in enumerate(offered) if identity is None]
    if found == named and not unreadable:
        return
    raise Conflict(
        "challenge_devices_differ",
        "This challenge was issued for other devices than the report holds. Ask for one that "
        "names exactly the devices you send.",
        {
            "missing": [f"0x{identity}" for identity in sorted(named - found)],
            "unexpected": [f"0x{identity}" for identity in sorted(found - named)],
            "unreadable": unreadable,
        },
    )


@transaction.atomic
def _issue(
    *,
    node: Node,
    purpose: ChallengePurpose,
    at: datetime,
    ttl_s: int,
    operator: bytes | None = None,
    keys_hash: bytes | None = None,
    devices: list[str] | None = None,
) -> Challenge:
    unanswered = Challenge.objects.filter(node_id=node.node_id, purpose=purpose, used_at=None)
    unanswered.filter(expires_at__lt=at - timedelta(seconds=EXPIRED_KEPT_S)).delete()
    open_count = unanswered.filter(expires_at__gt=at).count()
    if open_count >= OPEN_CHALLENGES_MAX:
        raise TooManyChallenges(
            "challenges_open",
            f"This node holds {open_count} unanswered challenges. Answer one, or wait.",
        )
    return Challenge.objects.create(
        nonce=secrets.token_bytes(32),
        purpose=purpose,
        node_id=node.node_id,
        operator=operator,
        keys_hash=keys_hash,
        devices=devices,
        issued_at=at,
        expires_at=at + timedelta(seconds=ttl_s),
    )
