"""A physical device counts on one node at a time, and only a proof says on which."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from chain import clock
from network.attestation.emulator import Behaviour, EmulatedGpu, EmulatorAuthority
from network.models import Device, Node, Verdict
from network.selectors import policy_current
from network.services import devices as devices_service
from network.services.collateral_certificates import device_chain_note
from network.services.devices import move_wait
from network.services.verdicts import verdict_rejudge
from network.verification import trust_anchors
from tests.network.conftest import World
from tests.network.nodes import TestNode, in_threads, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


def attest(node: TestNode, **changes: Any) -> dict[str, Any]:
    answer = node.attest(**changes)
    assert answer.status_code == 201, answer.content
    return dict(answer.json()["verdict"])


def duplicates(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    rows = verdict["findings"]["findings"]
    return [row for row in rows if row["code"] == "device.duplicate"]


def holder(gpu: EmulatedGpu) -> bytes | None:
    """The id of the node that the card counts on."""
    row = Device.objects.filter(identity=bytes.fromhex(gpu.identity_sha256)).first()
    return None if row is None else row.node_id


def test_a_proven_device_is_written_down(make_node: MakeNode) -> None:
    node = make_node()
    attest(node)
    rows = list(Device.objects.all())
    assert {row.identity.hex() for row in rows} == {gpu.identity_sha256 for gpu in node.gpus}
    assert {(row.node_id, row.kind, row.chip, row.emulated) for row in rows} == {
        (node.node_id, "gpu", "GH100", True)
    }
    with later(900):
        attest(node)
    for row in Device.objects.all():
        assert row.first_seen_at == row.node_since_at
        assert row.last_seen_at - row.first_seen_at >= timedelta(seconds=900)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"bad_signature": True},
        {"stale_nonce": True},
        {"debug": True},
    ],
    ids=lambda value: next(iter(value)),
)
def test_a_report_that_proves_nothing_leaves_no_device(
    make_node: MakeNode, emulator: tuple[Any, EmulatorAuthority], behaviour: dict[str, bool]
) -> None:
    node = make_node(gpu_count=1)
    node.gpus = [EmulatedGpu(emulator[1], "unproven", behaviour=Behaviour(**behaviour))]
    assert attest(node)["status"] == "contraindicated"
    assert not Device.objects.exists()


def test_measurements_that_differ_do_not_hide_who_holds_the_device(
    make_node: MakeNode, emulator: tuple[Any, EmulatorAuthority]
) -> None:
    changed = Behaviour(changed_measurements=frozenset({9}), wrong_firmware_id=True)
    node = make_node(gpu_count=1)
    node.gpus = [EmulatedGpu(emulator[1], "changed", behaviour=changed)]
    attest(node)
    assert holder(node.gpus[0]) == node.node_id


def test_a_root_that_is_not_trusted_proves_nothing(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    node.gpus = [EmulatedGpu(EmulatorAuthority.from_seed("elsewhere"), "card")]
    assert attest(node)["status"] == "contraindicated"
    assert not Device.objects.exists()


@pytest.mark.parametrize("victim_first", [True, False])
def test_nobody_takes_a_device_by_showing_its_chain(
    make_node: MakeNode, victim_first: bool
) -> None:
    """Chains are public: a stranger's report with the victim's must not block the victim."""
    victim, thief = make_node(gpu_count=1), make_node(operator=4, gpu_count=1)
    if victim_first:
        attest(victim)
    # It names the victim's card, and has its chain, but only its own card to sign with.
    named = {"devices": [f"0x{victim.gpus[0].identity_sha256}"]}
    challenge = thief.post("challenges", named).json()
    body = thief.report(challenge)
    chain = base64.b64encode(victim.gpus[0].certificate_chain).decode()
    body["devices"][0]["certificate"] = chain
    answer = thief.post("attestations", body)
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert verdict["status"] == "contraindicated"
    assert bool(duplicates(verdict)) is victim_first
    assert attest(victim)["status"] == "affirming"
    assert holder(victim.gpus[0]) == victim.node_id


def test_a_device_on_two_nodes_is_refused_on_the_second(make_node: MakeNode) -> None:
    first, second = make_node(), make_node(operator=4)
    assert attest(first)["status"] == "affirming"
    second.gpus[1] = first.gpus[0]
    verdict = attest(second)
    assert (verdict["status"], verdict["tier"]) == ("contraindicated", 1)
    (finding,) = duplicates(verdict)
    assert (finding["device"], finding["severity"]) == (1, "error")
    assert finding["data"]["other_node"] == f"0x{first.node_id.hex()}"
    assert finding["data"]["identity_sha256"] == first.gpus[0].identity_sha256
    # The card stays where it was; the second node's own one counts there.
    assert holder(first.gpus[0]) == first.node_id
    assert holder(second.gpus[0]) == second.node_id
    assert attest(first)["status"] == "affirming"
    # What the verdict was judged by is stored with it.
    stored = Verdict.objects.get(pk=verdict["id"])
    others = {first.gpus[0].identity_sha256: first.node_id.hex()}
    assert stored.inputs["facts"]["other_nodes"] == others


def test_a_device_moves_after_the_waiting_time(make_node: MakeNode) -> None:
    first, second = make_node(gpu_count=1), make_node(operator=4, gpu_count=1)
    wait_s = move_wait(policy_current()).total_seconds()
    assert wait_s == 86_400
    attest(first)
    second.gpus = first.gpus
    with later(wait_s - 60):
        assert duplicates(attest(second))
        # Asking does not make the wait longer or shorter; only a proof of the holder does.
        assert holder(first.gpus[0]) == first.node_id
    with later(wait_s + 60):
        assert attest(second)["status"] == "affirming"
        row = Device.objects.get()
        assert row.node_id == second.node_id
        assert row.node_since_at == row.last_seen_at > row.first_seen_at
        assert duplicates(attest(first))


def test_a_device_never_moves_while_a_report_counts(make_node: MakeNode, service: World) -> None:
    make_node()
    policy = policy_current()
    values = policy.values | {"attest.uuid_cooldown": "0"}
    object.__setattr__(policy, "values", values)
    assert move_wait(policy) == timedelta(seconds=policy.ttl_s)
    object.__setattr__(policy, "values", values | {"attest.uuid_cooldown": "9000"})
    assert move_wait(policy) == timedelta(seconds=9000)


def test_judging_again_uses_the_facts_of_the_first_time(
    make_node: MakeNode, service: World
) -> None:
    first, second = make_node(gpu_count=1), make_node(operator=4, gpu_count=1)
    attest(first)
    second.gpus = first.gpus
    assert duplicates(attest(second))
    Device.objects.all().delete()
    service.parameters_set(attest__ttl=1800)
    service.settle()
    row = Node.objects.get(node_id=second.node_id)
    again = verdict_rejudge(node=row, policy=policy_current(), at=clock.now())
    assert again is not None
    assert again.status == "contraindicated"
    assert again.inputs["facts"]["other_nodes"]
    # Nothing is claimed by judging again.
    assert not Device.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_nodes_that_prove_one_device_at_once(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look up before either writes; the row's lock decides, and the loser is told."""
    nodes = [make_node(gpu_count=2), make_node(operator=4, gpu_count=2)]
    nodes[1].gpus = list(reversed(nodes[0].gpus))
    # Their chains are known, so that nothing but the devices' rows stands between the two.
    for gpu in nodes[0].gpus:
        device_chain_note(gpu.certificate_chain, trust=trust_anchors(), at=clock.now())
    challenges = [node.challenge() for node in nodes]
    barrier = threading.Barrier(2, timeout=60)
    claim = devices_service.devices_claim

    def together(*args: Any, **options: Any) -> dict[str, str]:
        barrier.wait()
        return claim(*args, **options)

    monkeypatch.setattr(devices_service, "devices_claim", together)

    def send(index: int) -> dict[str, Any]:
        try:
            report = nodes[index].report(challenges[index])
            answer = nodes[index].post("attestations", report)
            assert answer.status_code == 201, answer.content
            return dict(answer.json()["verdict"])
        finally:
            connection.close()

    verdicts = in_threads(2, send)
    assert sorted(verdict["status"] for verdict in verdicts) == ["affirming", "contraindicated"]
    (winner,) = (n for n, v in zip(nodes, verdicts, strict=True) if v["status"] == "affirming")
    (loser,) = (v for v in verdicts if v["status"] == "contraindicated")
    assert {row["data"]["other_node"] for row in duplicates(loser)} == {f"0x{winner.node_id.hex()}"}
    assert set(Device.objects.values_list("node_id", flat=True)) == {winner.node_id}
    stored = Verdict.objects.get(pk=loser["id"]).inputs["facts"]["other_nodes"]
    assert set(stored.values()) == {winner.node_id.hex()}
