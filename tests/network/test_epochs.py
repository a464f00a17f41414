"""Epochs from the first report to a proof that the ledger accepts: the real contracts on anvil."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chain import clock
from chain.client import ContractReverted, chain_call, chain_head
from chain.models import TxIntent
from chain.sender.loop import outbox_run_once
from network.epochs.digest import digest
from network.epochs.merkle import EMPTY_ROOT, MerkleTree
from network.models import Epoch, EpochLeaf, EpochRecord, Verdict
from network.selectors.epochs import (
    AnchorLevel,
    EpochWord,
    anchor_status,
    chain_moment,
    epoch_states,
    ledger_current,
)
from network.selectors.policy import policy_current
from network.services import epochs as epochs_service
from network.services.epochs import epoch_cut_again, epochs_cut, ledger_ensure
from network.services.epochs_anchor import epochs_tick
from network.services.epochs_check import epoch_check
from network.services.verdicts import verdict_rejudge
from tests.chain.sending import forget_sends
from tests.network.anchoring import DAY_S, LEDGER, Anchoring, anchoring, attested
from tests.network.conftest import ATTESTOR, node

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
State = TxIntent.State
Attested = Callable[..., Any]


def proven(leaf: EpochLeaf, **changes: Any) -> bool:
    """What the ledger answers to a leaf with its proof, made here from all leaves."""
    hashes = [bytes(row.leaf_hash) for row in leaf.epoch.leaves.order_by("index")]
    values = {
        "nodeId": leaf.node_id,
        "verdictHash": leaf.verdict_hash,
        "tier": leaf.tier,
        "status": leaf.status,
        "secondsAttested": leaf.seconds_attested,
    } | changes
    proof = MerkleTree(hashes).proof(leaf.index)
    return bool(
        chain_call(LEDGER, "verify", (leaf.epoch.number, tuple(values.values()), leaf.index, proof))
    )


def seconds_of(epoch: Epoch) -> list[int]:
    """The seconds of its leaves by the verdicts' numbers."""
    return list(epoch.leaves.order_by("verdict_id").values_list("seconds_attested", flat=True))


def word(number: int) -> EpochWord:
    at = chain_moment()
    assert at is not None
    newest = Epoch.objects.filter(number=number).latest("revision")
    return epoch_states([newest], at)[0].word


def test_a_days_verdicts_are_anchored_and_proven(anchoring: Anchoring, attested: Attested) -> None:
    first = attested(1000, 2000)
    second = attested(1500, gpu_count=1)
    epoch = anchoring.anchor(0)
    assert (epoch.count, seconds_of(epoch)) == (3, [1000, 2700, 2700])
    rows = list(epoch.leaves.values_list("node_id", "verdict_id"))
    assert rows == sorted(rows)
    assert {bytes(row[0]) for row in rows} == {first.node_id, second.node_id}
    record = chain_call(LEDGER, "record", (0,))
    assert (record["root"], record["count"]) == (epoch.root, 3)
    assert record["totalSeconds"] == sum(seconds_of(epoch)) == epoch.total_seconds
    assert record["metadataHash"] == digest(epoch.description)
    assert word(0) is EpochWord.POSTED
    leaf = epoch.leaves.get(index=1)
    with pytest.raises(ContractReverted) as refused:
        proven(leaf)
    assert refused.value.code == "LedgerEpochNotUsable"
    anchoring.until(chain_call(LEDGER, "usableAt", (0,)))
    assert word(0) is EpochWord.USABLE
    assert all(proven(row) for row in epoch.leaves.select_related("epoch"))
    assert not proven(leaf, tier=leaf.tier + 1)
    assert not proven(leaf, secondsAttested=leaf.seconds_attested + 1)
    assert not proven(leaf, nodeId=bytes(32))


def test_epochs_without_verdicts_are_anchored_too_each_in_its_turn(anchoring: Anchoring) -> None:
    anchoring.over(3)
    anchoring.send()
    assert list(Epoch.objects.order_by("number").values_list("number", "count")) == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
    ]
    records = EpochRecord.objects.order_by("epoch")
    assert [bytes(record.root) for record in records] == [EMPTY_ROOT] * 4
    assert chain_call(LEDGER, "nextEpoch") == 4
    assert anchor_status().level is AnchorLevel.OK
    assert epochs_tick() == 0
    assert TxIntent.objects.filter(kind="attest.anchor").count() == 4


def test_nothing_is_cut_before_a_final_block_is_past_end_and_margin(anchoring: Anchoring) -> None:
    ledger = ledger_ensure()
    assert ledger is not None
    anchoring.over(0, margin_s=-100)
    assert epochs_cut(ledger) == []
    anchoring.over(0, margin_s=300)
    assert epochs_cut(ledger) == []
    # Past it, but not final.
    missing = anchoring.genesis_s + DAY_S + 601 - chain_head().timestamp
    anchoring.world.pass_time(missing, blocks=1)
    anchoring.world.index()
    assert epochs_cut(ledger) == []
    anchoring.world.settle()
    assert [epoch.number for epoch in epochs_cut(ledger)] == [0]
    assert epochs_cut(ledger) == []


def test_a_verdict_that_counts_beyond_the_end_is_in_both_epochs(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(DAY_S - 1000)
    first = anchoring.anchor(0)
    second = anchoring.anchor(1)
    assert (seconds_of(first), seconds_of(second)) == ([1000], [1700])
    assert EpochLeaf.objects.values_list("verdict_hash").distinct().count() == 1
    assert anchoring.anchor(2).count == 0
    assert [epoch_check(epoch).difference for epoch in Epoch.objects.all()] == ["", "", ""]


def test_a_verdict_written_down_after_the_cut_is_in_the_next_epoch(
    anchoring: Anchoring, attested: Attested
) -> None:
    made = attested(1000)
    first = anchoring.anchor(0)
    with anchoring.at(0, 2000):
        assert made.attest().status_code == 201
    second = anchoring.anchor(1)
    assert (seconds_of(first), seconds_of(second)) == ([2700], [0])
    assert anchoring.anchor(2).count == 0
    assert [epoch_check(epoch).difference for epoch in Epoch.objects.all()] == ["", "", ""]


def test_a_refused_report_is_anchored_with_no_seconds(
    anchoring: Anchoring, attested: Attested
) -> None:
    made = attested(1000)
    with anchoring.at(0, 1500):
        challenge = made.challenge()
        # Evidence for another challenge than the one it answers.
        other = made.report({**challenge, "nonce": f"0x{'77' * 32}"})
        answer = made.post("attestations", {**other, "nonce": challenge["nonce"]})
        assert answer.status_code == 201
    epoch = anchoring.anchor(0)
    statuses = list(epoch.leaves.order_by("verdict_id").values_list("status", flat=True))
    assert statuses[1] == 96
    # One bad report ends nothing: the report before counts until it lapses.
    assert seconds_of(epoch) == [2700, 0]


def test_judging_again_ends_the_verdict_before(anchoring: Anchoring, attested: Attested) -> None:
    made = attested(1000)
    anchoring.world.parameters_set(attest__ttl=1800)
    anchoring.world.settle()
    with anchoring.at(0, 1400):
        again = verdict_rejudge(node=node(made.node_id), policy=policy_current(), at=clock.now())
    assert again is not None
    epoch = anchoring.anchor(0)
    assert seconds_of(epoch) == [400, 1400]
    before = Verdict.objects.get(pk=again.rejudge_of_id)
    assert (before.verdict_hash == again.verdict_hash) is False
    assert epoch_check(epoch).difference == ""


def test_a_suspension_withholds_seconds(anchoring: Anchoring, attested: Attested) -> None:
    made = attested(700)
    world = anchoring.world
    # The attestor may suspend a tenth of all stake at most.
    for key in (b"\x11", b"\x12"):
        world.register_node(key * 32, gpu_count=16)
    anchoring.until(anchoring.genesis_s + 1700)
    reason = b"test".ljust(32, b"\0")
    sender = world.accounts[ATTESTOR].address
    world.send(sender, "NodeRegistry", "suspend", (made.node_id, reason, bytes(32)))
    suspended_s = chain_head().timestamp
    anchoring.until(suspended_s + 500)
    world.send(sender, "NodeRegistry", "resume", (made.node_id,))
    lasted = chain_head().timestamp - suspended_s
    epoch = anchoring.anchor(0)
    (leaf,) = epoch.leaves.filter(node_id=made.node_id)
    assert 500 <= lasted < 600
    assert leaf.seconds_attested == 2700 - lasted
    assert epoch_check(epoch).difference == ""


def test_a_voided_epoch_is_cut_again_and_reposted(anchoring: Anchoring, attested: Attested) -> None:
    attested(1000)
    first = anchoring.anchor(0)
    anchoring.void(0, b"seconds look wrong")
    record = EpochRecord.objects.get(epoch=0)
    assert record.void_reason == "seconds look wrong"
    assert word(0) is EpochWord.VOIDED
    status = anchor_status()
    assert (status.level, "person" in status.sentence) == (AnchorLevel.AMBER, True)
    # Nothing happens by itself, and what comes after goes on.
    anchoring.anchor(1)
    assert Epoch.objects.filter(number=0).count() == 1
    ledger = ledger_current()
    assert ledger is not None
    again = epoch_cut_again(ledger=ledger, number=0, reason="Looked at: right as it was.")
    assert (again.revision, again.root, again.count) == (2, first.root, 1)
    assert again.metadata_hash != first.metadata_hash
    assert word(0) is EpochWord.CUT
    anchoring.send()
    record.refresh_from_db()
    assert (record.posted_count, record.voided_at, record.void_reason) == (2, None, "")
    assert record.metadata_hash == again.metadata_hash
    assert word(0) is EpochWord.POSTED
    assert anchor_status().level is AnchorLevel.OK
    with pytest.raises(Exception, match="does not stand voided") as refused:
        epoch_cut_again(ledger=ledger, number=0, reason="Once more.")
    assert refused.value.code == "epoch_not_voided"  # type: ignore[attr-defined]


def test_a_reorganisation_takes_the_post_back_and_it_is_posted_again(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(1000)
    anchoring.over(0)
    snapshot = anchoring.world.rpc("evm_snapshot")
    epochs_tick()
    outbox_run_once()
    # anvil takes a transaction before it has mined it.
    anchoring.world.rpc("anvil_mine", hex(1))
    anchoring.world.index()
    assert EpochRecord.objects.get().posted_count == 1
    anchoring.world.rpc("evm_revert", snapshot)
    anchoring.world.rpc("anvil_mine", hex(3))
    anchoring.world.index()
    assert not EpochRecord.objects.exists()
    assert word(0) is EpochWord.CUT
    outbox_run_once()
    forget_sends()
    anchoring.send()
    assert EpochRecord.objects.get().posted_count == 1
    assert word(0) is EpochWord.POSTED
    assert Epoch.objects.count() == 1


def test_the_same_root_posted_by_another_is_fine(anchoring: Anchoring, attested: Attested) -> None:
    attested(1000)
    anchoring.over(0)
    epochs_tick()
    epoch = Epoch.objects.get()
    anchoring.post(0, epoch.root, epoch.count, epoch.total_seconds, epoch.metadata_hash)
    anchoring.send()
    assert epoch.intent is not None
    epoch.intent.refresh_from_db()
    assert epoch.intent.state == State.SATISFIED_EXTERNALLY
    assert word(0) is EpochWord.POSTED
    assert epochs_tick() == 0


def test_another_root_posted_by_another_is_a_loud_fault(
    anchoring: Anchoring, attested: Attested, caplog: pytest.LogCaptureFixture
) -> None:
    attested(1000)
    anchoring.over(0)
    epochs_tick()
    anchoring.post(0, b"\x77" * 32, 1, 0, bytes(32))
    anchoring.send()
    intent = TxIntent.objects.get(kind="attest.anchor")
    assert intent.state == State.REJECTED
    assert "A person has to look" in caplog.text
    assert word(0) is EpochWord.DIFFERS
    status = anchor_status()
    assert (status.level, status.sentence.startswith("Epoch 0:")) == (AnchorLevel.RED, True)
    assert epochs_tick() == 0


def test_a_late_root_is_amber(anchoring: Anchoring) -> None:
    assert anchor_status().level is AnchorLevel.OFF
    anchoring.over(0)
    epochs_tick()
    assert anchor_status().level is AnchorLevel.OK
    anchoring.until(anchoring.genesis_s + 2 * DAY_S + 100)
    status = anchor_status()
    assert status.level is AnchorLevel.AMBER
    assert status.sentence.startswith("Epoch 0 ended 1\u00a0d ago")
    anchoring.send()
    assert anchor_status().level is AnchorLevel.OK


def test_a_crash_while_cutting_leaves_nothing(
    anchoring: Anchoring, attested: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    attested(1000, 2000)
    anchoring.over(0)
    real = epochs_service.epoch_description

    def killed(epoch: Epoch) -> Any:
        raise SystemExit

    monkeypatch.setattr(epochs_service, "epoch_description", killed)
    with pytest.raises(SystemExit):
        epochs_tick()
    assert (Epoch.objects.count(), EpochLeaf.objects.count()) == (0, 0)
    monkeypatch.setattr(epochs_service, "epoch_description", real)
    anchoring.send()
    assert EpochRecord.objects.get().count == 2


def test_without_the_attestors_key_nothing_is_cut_and_what_was_met_turns_amber(
    anchoring: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchoring.anchor(0)
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", lambda account: None)
    outbox_run_once()
    anchoring.over(2)
    assert epochs_tick() == 0
    assert Epoch.objects.count() == 1
    assert anchor_status().level is AnchorLevel.AMBER


def test_a_service_that_never_had_the_key_has_no_epochs(
    anchoring: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chain.sender.accounts.key_from_settings", lambda account: None)
    outbox_run_once()
    anchoring.over(2)
    assert epochs_tick() == 0
    assert not Epoch.objects.exists()
    assert anchor_status().level is AnchorLevel.OFF
