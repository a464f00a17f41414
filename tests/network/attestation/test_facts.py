"""What the service knows beyond the evidence: judged, stored, and read back the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from network.attestation import NodeFacts, Severity, Status, Tier

from .samples import NONCE, STRICT, Judge, codes, gpu

OTHER = "ab" * 32


def facts_of(*cards: Any) -> NodeFacts:
    """Another node has proven these cards."""
    appraisal = Judge()(*(card.evidence(NONCE) for card in cards))
    return NodeFacts({str(device.identity_sha256): OTHER for device in appraisal.devices})


def test_a_gpu_of_another_node_is_refused_and_the_other_is_named() -> None:
    mine, theirs = gpu("card 0"), gpu("card 1")
    judge = Judge(facts=facts_of(theirs))
    appraisal = judge(mine.evidence(NONCE), theirs.evidence(NONCE))
    assert codes(appraisal, 0) == set()
    assert codes(appraisal, 1) == {"device.duplicate"}
    (finding,) = (f for f in appraisal.devices[1].findings if f.code == "device.duplicate")
    assert finding.data["other_node"] == f"0x{OTHER}"
    assert finding.data["identity_sha256"] == appraisal.devices[1].identity_sha256
    assert [device.tier for device in appraisal.devices] == [Tier.T4, Tier.T1]
    assert appraisal.status is Status.CONTRAINDICATED


def test_where_duplicates_are_only_observed_they_still_buy_no_tier() -> None:
    card = gpu()
    observing = replace(STRICT, enforce_duplicate=False, required_tiers={"h100_80g": Tier.T0})
    appraisal = Judge(policy=observing, facts=facts_of(card))(card.evidence(NONCE))
    (finding,) = (f for f in appraisal.devices[0].findings if f.code == "device.duplicate")
    assert finding.severity is Severity.WARNING
    assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T1)


def test_twice_in_the_report_and_on_another_node_are_two_findings() -> None:
    card = gpu()
    appraisal = Judge(facts=facts_of(card))(card.evidence(NONCE), card.evidence(NONCE))
    for device in appraisal.devices:
        found = [f.data for f in device.findings if f.code == "device.duplicate"]
        assert [("other_node" in data) for data in found] == [False, True]


def test_facts_of_gpus_that_are_not_in_the_report_change_nothing() -> None:
    plain = Judge()(gpu().evidence(NONCE))
    assert Judge(facts=facts_of(gpu("another")))(gpu().evidence(NONCE)) == plain


def test_stored_facts_are_read_back_the_same() -> None:
    facts = NodeFacts({"cd" * 32: OTHER, "00" * 32: "ef" * 32}, pq_signed=True)
    stored = json.loads(json.dumps(facts.as_json()))
    assert NodeFacts.from_json(stored) == facts
    assert list(stored["other_nodes"]) == sorted(stored["other_nodes"])
    assert NodeFacts.from_json({}) == NodeFacts()


@pytest.mark.parametrize(
    "others",
    [[], "x", None, {"ab": OTHER}, {OTHER: "0x" + OTHER}, {OTHER: 1}, {OTHER.upper(): OTHER}],
)
def test_stored_facts_that_nobody_can_have_written_are_refused(others: Any) -> None:
    with pytest.raises(ValueError, match="other_nodes"):
        NodeFacts.from_json({"other_nodes": others})


@pytest.mark.parametrize(("pq_signed", "found"), [(None, False), (True, False), (False, True)])
def test_a_node_without_a_post_quantum_key_is_noted(pq_signed: bool | None, found: bool) -> None:
    appraisal = Judge(facts=NodeFacts(pq_signed=pq_signed))(gpu().evidence(NONCE))
    noted = [finding for finding in appraisal.findings if finding.code == "pq.absent"]
    assert [finding.severity for finding in noted] == [Severity.INFO] * found
    assert appraisal.status is Status.AFFIRMING
    with pytest.raises(ValueError, match="pq_signed"):
        NodeFacts.from_json({"pq_signed": "yes"})
