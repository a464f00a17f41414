"""verify_epoch finds what was changed, left out or made up; two workers cut an epoch once."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from network.epochs.seconds import EPOCH_S
from network.models import Attestation, AttestationEvidence, Epoch, EpochLeaf, EpochRecord, Verdict
from network.selectors.epochs import ledger_current
from network.selectors.evidence import evidence_read
from network.services.epochs import epochs_cut, ledger_ensure
from network.services.epochs_anchor import epochs_tick
from tests.network.anchoring import Anchoring, anchoring, attested
from tests.network.nodes import in_threads

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
Attested = Callable[..., Any]


def verify(*options: str, number: int = 0) -> str:
    out = StringIO()
    call_command("verify_epoch", str(number), *options, stdout=out)
    return out.getvalue()


def test_an_epoch_that_agrees(anchoring: Anchoring, attested: Attested) -> None:
    attested(1000, 2000)
    attested(1500, gpu_count=1)
    anchoring.over(0)
    epochs_tick()
    epoch = Epoch.objects.get()
    said = verify("--rederive")
    assert f"Epoch 0: 3 verdicts, root 0x{epoch.root.hex()}." in said
    assert "Judged again from stored evidence: 3 verdicts." in said
    assert "not on chain yet" in said
    anchoring.send()
    assert "The chain holds the same root." in verify()
    anchoring.void(0)
    assert "it stands voided" in verify()


def verdict_change(verdict: Verdict) -> None:
    Verdict.objects.filter(pk=verdict.pk).update(tier=5)


def verdict_findings(verdict: Verdict) -> None:
    findings = verdict.findings
    findings["devices"][0]["driver_version"] = "999.99"
    Verdict.objects.filter(pk=verdict.pk).update(findings=findings)


def verdict_time(verdict: Verdict) -> None:
    """A verdict that would cover more of the epoch, with a hash to match."""
    from datetime import timedelta

    from network.services.epochs_hash import verdict_published

    verdict.fresh_until += timedelta(seconds=500)
    verdict.verdict_hash = verdict_published(verdict).hash
    verdict.save()


def report_chain(verdict: Verdict) -> None:
    Attestation.objects.filter(pk=verdict.attestation_id).update(report_hash=b"\x09" * 32)


def leaf_seconds(verdict: Verdict) -> None:
    EpochLeaf.objects.filter(verdict=verdict).update(seconds_attested=1)


def leaf_tier(verdict: Verdict) -> None:
    EpochLeaf.objects.filter(verdict=verdict).update(tier=5)


def leaf_hash(verdict: Verdict) -> None:
    EpochLeaf.objects.filter(verdict=verdict).update(leaf_hash=b"\x09" * 32)


def leaf_gone(verdict: Verdict) -> None:
    EpochLeaf.objects.filter(verdict=verdict).delete()


def verdict_gone(verdict: Verdict) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM network_devicefinding WHERE verdict_id = %s", [verdict.pk])
        cursor.execute("UPDATE network_attestationstate SET latest_verdict_id = NULL")
        cursor.execute("DELETE FROM network_verdict WHERE id = %s", [verdict.pk])


def root(verdict: Verdict) -> None:
    Epoch.objects.update(root=b"\x09" * 32)


def total(verdict: Verdict) -> None:
    Epoch.objects.update(total_seconds=1)


def count(verdict: Verdict) -> None:
    Epoch.objects.update(count=9)


def description(verdict: Verdict) -> None:
    Epoch.objects.update(metadata_hash=b"\x09" * 32)


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        (verdict_change, "The row of verdict {0} of node {1} is not what was hashed"),
        (verdict_findings, "The row of verdict {0} of node {1} is not what was hashed"),
        (verdict_time, "verdict {0} of node {1}: the verdict's hash would be"),
        (report_chain, "The row of verdict {0} of node {1} is not what was hashed"),
        (leaf_seconds, "verdict {0} of node {1}: the seconds would be 2700, anchored is 1."),
        (leaf_tier, "verdict {0} of node {1}: the tier would be 4, anchored is 5."),
        (leaf_hash, "verdict {0} of node {1}: the leaf's hash would be"),
        (leaf_gone, "Leaf 0 is missing."),
        (verdict_gone, "Leaf 0 is of verdict {0}, whose row is gone or moved."),
        (root, "Its root would be"),
        (total, "Its leaves cover 5400 seconds and it says 1."),
        (count, "It has 2 leaves and says 9."),
        (description, "Its description is not what was hashed."),
    ],
)
def test_what_was_tampered_with_is_found(
    anchoring: Anchoring, attested: Attested, tamper: Callable[[Verdict], None], words: str
) -> None:
    attested(1000)
    attested(1500)
    anchoring.over(0)
    epochs_tick()
    verify()
    verdict = EpochLeaf.objects.get(index=0).verdict
    tamper(verdict)
    with pytest.raises(CommandError) as refused:
        verify()
    assert words.format(verdict.pk, f"0x{verdict.node_id.hex()}") in str(refused.value)
    assert refused.value.returncode == 1


def test_a_leaf_taken_out_with_its_traces_still_leaves_its_verdict(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(1000)
    anchoring.over(1)
    epochs_tick()
    EpochLeaf.objects.all().delete()
    with pytest.raises(CommandError, match="belongs into it and is left out"):
        verify()


def test_the_chain_of_another_epoch_is_found(anchoring: Anchoring, attested: Attested) -> None:
    attested(1000)
    anchoring.over(0)
    epochs_tick()
    anchoring.post(0, b"\x77" * 32, 1, 0, bytes(32))
    with pytest.raises(CommandError, match="The chain holds another epoch: root 0x7777"):
        verify()


def test_evidence_exchanged_in_the_store_is_found_by_judging_again(
    anchoring: Anchoring, attested: Attested
) -> None:
    """Whoever writes the rows can also write hashes that fit; what the GPUs signed does not."""
    attested(1000)
    other = attested(1500)
    report = Attestation.objects.filter(node_id=other.node_id).get()
    body = json.loads(evidence_read(report))
    body["devices"] = body["devices"][:1]
    stored = AttestationEvidence.objects.filter(attestation_id=report.pk)
    stored.update(body=json.dumps(body).encode())
    anchoring.over(0)
    epochs_tick()
    verify()
    with pytest.raises(CommandError, match="is not the one that was received"):
        verify("--rederive")


def test_a_verdict_that_its_evidence_does_not_give_is_found(
    anchoring: Anchoring, attested: Attested
) -> None:
    from network.services.epochs_hash import verdict_published

    made = attested(1000)
    verdict = Verdict.objects.get(node_id=made.node_id)
    verdict.findings["devices"][1]["measurements_matched"] = 1
    verdict.verdict_hash = verdict_published(verdict).hash
    verdict.save()
    anchoring.over(0)
    epochs_tick()
    verify()
    with pytest.raises(CommandError) as refused:
        verify("--rederive")
    where = "findings.devices[1].measurements_matched: 1 stored"
    assert f"verdict {verdict.pk} of node 0x{made.node_id.hex()} differs at {where}" in str(
        refused.value
    )


def test_a_verdict_from_before_inputs_were_stored_is_said_to_be_one(
    anchoring: Anchoring, attested: Attested
) -> None:
    from network.services.epochs_hash import verdict_published

    made = attested(1000)
    verdict = Verdict.objects.get(node_id=made.node_id)
    verdict.inputs = {}
    verdict.verdict_hash = verdict_published(verdict).hash
    verdict.save()
    anchoring.over(0)
    epochs_tick()
    assert "Of 1 more it is not stored what they were made from." in verify("--rederive")


@pytest.mark.parametrize("number", [0, 7, -1, 2**63, 10**30])
def test_an_epoch_that_was_never_cut(anchoring: Anchoring, number: int) -> None:
    with pytest.raises(CommandError, match="has not been cut"):
        # "--" so that a negative number is no option.
        call_command("verify_epoch", "--", str(number), stdout=StringIO())


@pytest.mark.parametrize(
    ("number", "reason", "words"),
    [
        ("0", "why", "does not stand voided"),
        ("5", "why", "has not been cut"),
        ("9223372036854775808", "why", "There is no epoch"),
        ("0", "", "Give a reason"),
        ("0", "   ", "Give a reason"),
        ("0", "x" * 201, "Give a reason"),
        ("0", "two\nlines", "Give a reason"),
    ],
)
def test_what_cannot_be_reposted(
    anchoring: Anchoring, number: str, reason: str, words: str
) -> None:
    anchoring.anchor(0)
    with pytest.raises(CommandError, match=words):
        call_command("repost_epoch", number, f"--reason={reason}", stdout=StringIO())


def test_a_mended_epoch_is_reposted_by_the_command(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(1000)
    anchoring.anchor(0)
    anchoring.void(0)
    out = StringIO()
    call_command("repost_epoch", "0", "--reason=Looked at.", stdout=out)
    assert "Epoch 0, revision 2: 1 verdicts" in out.getvalue()
    anchoring.send()
    assert EpochRecord.objects.get().posted_count == 2
    assert "The chain holds the same root." in verify("--rederive")
    assert Epoch.objects.get(revision=2).description["reason"] == "Looked at."


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_cut_and_ask_once(anchoring: Anchoring, attested: Attested) -> None:
    attested(1000, 2000)
    anchoring.over(2)

    def work(index: int) -> int:
        try:
            return epochs_tick()
        finally:
            connection.close()

    asked = in_threads(4, work)
    assert sum(asked) == 3
    assert list(Epoch.objects.order_by("number").values_list("number", "count")) == [
        (0, 2),
        (1, 0),
        (2, 0),
    ]
    assert EpochLeaf.objects.count() == 2
    anchoring.send()
    assert EpochRecord.objects.count() == 3


def test_a_large_epoch_is_cut_in_pieces(
    anchoring: Anchoring, attested: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    from network.epochs import pieces
    from network.services import epochs

    monkeypatch.setattr(pieces, "PIECE", 4)
    monkeypatch.setattr(epochs, "_ROWS_AT_ONCE", 3)
    attested(*range(1000, 2100, 100))
    epoch = anchoring.anchor(0)
    assert (epoch.count, len(epoch.piece_roots)) == (11, 3 * 32)
    assert "The chain holds the same root." in verify()


def test_a_deployment_without_a_ledger_has_no_epochs(
    anchoring: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("network.selectors.epochs.LEDGER", "NoSuchContract")
    assert (ledger_ensure(), ledger_current(), epochs_tick()) == (None, None, 0)


def test_the_ledgers_clock_is_read_once_from_the_contracts(anchoring: Anchoring) -> None:
    ledger = ledger_ensure()
    assert ledger is not None
    assert (ledger.first_epoch, ledger.genesis_s) == (0, anchoring.genesis_s)
    assert ledger.window(2) == (
        anchoring.genesis_s + 2 * EPOCH_S,
        anchoring.genesis_s + 3 * EPOCH_S,
    )
    assert ledger_ensure() == ledger == ledger_current()
    assert epochs_cut(ledger) == []
