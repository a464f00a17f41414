"""Receive a node's report: in order, once, chained to the one before, and judged at once.

Judged synchronously, in the transaction that stores it: a node gets its verdict as
the answer, and there is no report without a verdict for a crash to leave behind.
The work is bounded (body size, devices a node, parsers that look at nothing twice);
a worker would add a queue between a node and its answer and take no load away.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from network.attestation import DeviceEvidence, device_identities
from network.attestation.inventory import inventory_gpu_count
from network.errors import Conflict
from network.models import (
    Attestation,
    AttestationEvidence,
    AttestationState,
    ChallengePurpose,
    Node,
    NodeKey,
    Verdict,
)
from network.selectors.policy import PolicySnapshot
from network.services.challenges import challenge_devices_check, challenge_use
from network.services.facts import facts_gather
from network.services.strikes import report_judged
from network.services.verdicts import verdict_create
from network.verification import CACHES


@dataclass(frozen=True, slots=True)
class Report:
    """One report as received. ``body`` is the request's body byte for byte; ``seq`` counts from 1;
    ``previous_hash`` is the SHA-256 of the body before, None for the first; ``inventory`` is the
    body's, a claim of any JSON type; ``pq_signed`` tells whether the request had a second signature
    that was good (None where the network asks for none)."""

    body: bytes
    nonce: bytes
    seq: int
    previous_hash: bytes | None
    devices: tuple[DeviceEvidence, ...]
    inventory: Any
    pq_signed: bool | None

    @property
    def digest(self) -> bytes:
        """SHA-256 of the body: what the next report has to name."""
        return hashlib.sha256(self.body).digest()


@transaction.atomic
def attestation_receive(
    *, node: Node, key: NodeKey, report: Report, policy: PolicySnapshot, at: datetime
) -> tuple[Attestation, Verdict]:
    """Store a report of a node whose signature was verified, and judge it.

    Raises:
        Conflict: ``seq_conflict`` or ``previous_hash_conflict`` (``data`` says what is
            expected); ``challenge_unknown``, ``challenge_used``, ``challenge_expired`` or
            ``challenge_devices_differ``.
    """
    state = _state_lock(node)
    _chain_check(state, report)
    challenge = challenge_use(nonce=report.nonce, node=node, purpose=ChallengePurpose.ATTEST, at=at)
    challenge_devices_check(challenge, device_identities(report.devices, caches=CACHES))
    attestation = Attestation.objects.create(
        node_id=node.node_id,
        key=key,
        challenge=challenge,
        seq=report.seq,
        previous_hash=report.previous_hash,
        report_hash=report.digest,
        evidence_sha256=report.digest,
        device_count=len(report.devices),
        received_at=at,
    )
    AttestationEvidence.objects.create(attestation=attestation, received_at=at, body=report.body)
    verdict = verdict_create(
        node=node,
        attestation=attestation,
        devices=report.devices,
        inventory_gpus=inventory_gpu_count(report.inventory),
        facts=facts_gather(
            node=node,
            inventory=report.inventory,
            pq_signed=report.pq_signed,
            policy=policy,
            at=at,
        ),
        policy=policy,
        at=at,
    )
    report_judged(state=state, verdict=verdict, nonce=report.nonce, policy=policy, at=at)
    state.last_seq = report.seq
    state.last_report_hash = report.digest
    state.latest_verdict = verdict
    state.save()
    # What was just written is what its standing is asked of.
    node.attestation_state = state
    return attestation, verdict


def _state_lock(node: Node) -> AttestationState:
    """The node's row, locked: two reports of one node never pass each other."""
    rows = AttestationState.objects.select_for_update().filter(node_id=node.node_id)
    state = rows.first()
    if state is None:
        AttestationState.objects.get_or_create(node_id=node.node_id)
        state = rows.get()
    return state


def _chain_check(state: AttestationState, report: Report) -> None:
    expected = state.last_seq + 1
    last = state.last_report_hash
    data = {
        "expected_seq": expected,
        "expected_previous_hash": None if last is None else f"0x{last.hex()}",
    }
    if report.seq != expected:
        raise Conflict(
            "seq_conflict",
            f"Reports are numbered one by one; the next is {expected}, not {report.seq}.",
            data,
        )
    if report.previous_hash != last:
        raise Conflict(
            "previous_hash_conflict",
            "This report does not follow the last accepted one.",
            data,
        )
