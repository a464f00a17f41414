"""Which node holds which physical device: one device counts on one node at a time.

A device moves to another node once the old one has not proven it for ``attest.uuid_cooldown``
seconds, and never while a report that holds it can still count there (``attest.ttl``).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from network.attestation import (
    Appraisal,
    DeviceEvidence,
    NodeFacts,
    Severity,
    device_identities,
)
from network.attestation.appraisal import DeviceAppraisal
from network.models import Device, Node
from network.selectors.policy import PolicySnapshot
from network.verification import CACHES

Inputs = TypeVar("Inputs")

#: ``attest.uuid_cooldown`` where the chain does not define it.
COOLDOWN_DEFAULT_S: Final = 86_400
#: What must hold, enforced or not, before a report proves that its node holds the device.
PROOF_PREFIXES: Final = ("report.", "chain.", "sig.", "nonce.", "dice.", "revocation.revoked")


def judged_with_devices(
    *,
    node: Node,
    devices: Sequence[DeviceEvidence],
    facts: NodeFacts,
    policy: PolicySnapshot,
    at: datetime,
    judge: Callable[[NodeFacts], tuple[Appraisal, Inputs]],
) -> tuple[Appraisal, Inputs]:
    """Judge a report by what other nodes have proven, and write down what this one has.

    ``judge`` makes the appraisal and the record of its inputs from facts. Call it inside the
    transaction of the verdict: the devices' rows stay locked until then, so of two nodes that
    prove one device at once the second to come is judged by what the first has written.
    """
    wait = move_wait(policy)
    named = {one for one in device_identities(devices, caches=CACHES) if one is not None}
    known = list(Device.objects.filter(identity__in=[bytes.fromhex(one) for one in named]))
    elsewhere = _elsewhere(known, node=node, at=at, wait=wait)
    appraisal, inputs = judge(replace(facts, other_nodes=elsewhere))
    proven = {
        bytes.fromhex(device.identity_sha256): device
        for device in appraisal.devices
        if device.identity_sha256 is not None and proves_possession(device)
    }
    ours = {row.identity for row in known if row.node_id == node.node_id}
    if proven.keys() <= ours and _seen_again(proven, node=node, at=at):
        return appraisal, inputs
    lost = devices_claim(proven, node=node, at=at, wait=wait)
    if lost:
        appraisal, inputs = judge(replace(facts, other_nodes=elsewhere | lost))
    return appraisal, inputs


def move_wait(policy: PolicySnapshot) -> timedelta:
    """For how long after a node's last proof of a device no other node may have it."""
    cooldown_s = policy.number("attest.uuid_cooldown", COOLDOWN_DEFAULT_S)
    return timedelta(seconds=max(cooldown_s, policy.ttl_s))


def devices_claim(
    proven: Mapping[bytes, DeviceAppraisal], *, node: Node, at: datetime, wait: timedelta
) -> dict[str, str]:
    """Write down devices that a report proves, by identity, and lock them.

    Returns those that another node holds after all, with that node's id (64 hex digits both): it
    has proven them since they were looked up. Nothing is changed on these.
    """
    # In one order everywhere, so that two reports never wait for each other.
    Device.objects.bulk_create(
        (_new(identity, proven[identity], node, at) for identity in sorted(proven)),
        ignore_conflicts=True,
    )
    rows = Device.objects.select_for_update().filter(identity__in=proven).order_by("identity")
    lost, ours = _elsewhere(locked := list(rows), node=node, at=at, wait=wait), []
    for row in locked:
        if row.identity.hex() in lost:
            continue
        if row.node_id != node.node_id:
            row.node_id, row.node_since_at = node.node_id, at
        row.last_seen_at = at
        ours.append(row)
    Device.objects.bulk_update(ours, ["node_id", "node_since_at", "last_seen_at"])
    return lost


def _seen_again(identities: Collection[bytes], *, node: Node, at: datetime) -> bool:
    """The usual case in one query: the node has proven all of them before, and still holds them."""
    rows = Device.objects.filter(identity__in=identities, node_id=node.node_id)
    return rows.update(last_seen_at=at) == len(identities)


def _elsewhere(
    rows: Iterable[Device], *, node: Node, at: datetime, wait: timedelta
) -> dict[str, str]:
    """Those that another node holds, with that node's id."""
    return {
        row.identity.hex(): row.node_id.hex()
        for row in rows
        if row.node_id != node.node_id and row.last_seen_at > at - wait
    }


def proves_possession(device: DeviceAppraisal) -> bool:
    """Whether this result proves that whoever reported has the device.

    A chain is public and an old report can be replayed, so all of chain, signature and nonce have
    to hold, and nobody else may have been told to hold the device.
    """
    enforced = any(
        finding.severity is Severity.ERROR and finding.code.startswith("revocation.")
        for finding in device.findings
    )
    duplicate = any("other_node" in finding.data for finding in device.findings)
    return not (enforced or duplicate or device.failed(*PROOF_PREFIXES))


def _new(identity: bytes, device: DeviceAppraisal, node: Node, at: datetime) -> Device:
    return Device(
        identity=identity,
        node_id=node.node_id,
        kind=device.kind.value,
        chip=device.chip or "",
        emulated=device.emulated,
        first_seen_at=at,
        node_since_at=at,
        last_seen_at=at,
    )
