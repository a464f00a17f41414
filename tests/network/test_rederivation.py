"""Verdicts derived again from their evidence, after everything around them has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command

from chain import clock
from network.attestation import NodeFacts
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import HOPPER, Behaviour, EmulatorAuthority
from network.attestation.emulator.manifests import driver_manifest
from network.attestation.emulator.revocation import RevokedEntry
from network.errors import NetworkError
from network.models import AttestationState, DeviceFinding, Node, OcspResponse, Rim, Verdict
from network.selectors import policy_current
from network.services.collateral_certificates import device_chain_note
from network.services.collateral_revocation import crl_ingest, ocsp_ingest
from network.services.collateral_rims import rim_ingest, rim_withdraw
from network.services.collateral_store import collateral_forget
from network.services.rederivation import verdict_rederive
from network.services.verdicts import verdict_rejudge
from network.verification import trust_anchors
from tests.network.collateral import answer, crl
from tests.network.conftest import World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
Emulator = tuple[Path, EmulatorAuthority]


def judged(node: TestNode, **changes: Any) -> Verdict:
    """The verdict on a new report."""
    response = node.attest(**changes)
    assert response.status_code == 201, response.content
    return Verdict.objects.latest("pk")


def say(
    node: TestNode, authority: EmulatorAuthority, *, position: int = 1, revoked: bool = False
) -> None:
    """Have the responder's answer about a certificate of the node's first card."""
    at = clock.now().replace(microsecond=0)
    pem = node.gpus[0].certificate_chain
    device_chain_note(pem, trust=trust_anchors(), at=at)
    chain = load_device_chain(pem).certificates
    entry = RevokedEntry(at, x509.ReasonFlags.key_compromise) if revoked else None
    der = answer(position, at=at, revoked=entry, chain=chain, authority=authority)
    ocsp_ingest(der, source="test", at=at)


def codes(verdict: Verdict) -> set[str]:
    return set(verdict.device_findings.values_list("code", flat=True))


def everything_changes(service: World, settings: Any) -> None:
    """Withdraw every manifest, take newer ones in, forget the memory, trust nobody, and vote."""
    authority = EmulatorAuthority.load_or_create(settings.EMULATOR_ROOT_DIR)
    for rim in Rim.objects.all():
        rim_withdraw(rim_id=rim.rim_id, sha256=rim.sha256.hex(), reason="test", at=clock.now())
    resigned = replace(authority, rim_signer_valid_until=clock.now() + timedelta(days=30))
    rim_id, xml = driver_manifest(resigned, HOPPER)
    rim_ingest(xml, rim_id=rim_id, trust=trust_anchors(), source="test", at=clock.now())
    collateral_forget()
    service.parameters_set(attest__enforce_measurements=1, attest__enforce_revocation=1)
    service.pass_time(86_400)
    service.settle()
    settings.EMULATOR_ROOT_DIR = None
    settings.RIM_DIR = None


def test_every_kind_of_verdict_is_derived_again(
    make_node: MakeNode, service: World, settings: Any, emulator: Emulator
) -> None:
    authority = emulator[1]
    good = make_node(gpu_count=1)
    judged(good)
    say(good, authority)
    assert "revocation.good" in codes(judged(good))
    at = clock.now().replace(microsecond=0)
    for level in (1, 2):
        crl_ingest(crl(level, at=at, authority=authority), source="test", at=at)
    collateral_forget()
    verdict = judged(good)
    assert len(verdict.inputs["revocation"]) == 3
    say(good, authority, revoked=True)
    verdict = judged(good)
    assert "revocation.revoked" in codes(verdict)
    # What is revoked proves no tier, enforced or not.
    assert verdict.tier == 1
    assert {item["source"] for item in verdict.inputs["revocation"]} == {"ocsp", "crl"}
    for behaviour in (
        Behaviour(changed_measurements=frozenset({3, 25})),
        Behaviour(debug=True),
        Behaviour(wrong_firmware_id=True),
        Behaviour(bad_signature=True),
        Behaviour(stale_nonce=True),
    ):
        bad = make_node(gpu_count=1)
        bad.gpus = [replace(bad.gpus[0], behaviour=behaviour)]
        judged(bad)
    consumer = make_node(gpu_count=1)
    consumer.can_attest = False
    judged(consumer)
    short = make_node(gpu_count=2)
    report = short.report(short.challenge())
    short.post("attestations", report | {"devices": report["devices"][:1]})
    judged(make_node(gpu_count=2))
    rows = list(Verdict.objects.all())
    assert len(rows) >= 11
    assert {row.status for row in rows} >= {"affirming", "contraindicated"}
    everything_changes(service, settings)
    for verdict in Verdict.objects.order_by("pk"):
        done = verdict_rederive(verdict)
        assert done.differences == (), (verdict.pk, done.differences)
        assert done.equal
        assert done.other_build is None
    call_command("verdict_rederive", all=True)


def test_a_manifest_that_was_missing_then_is_missing_again(
    make_node: MakeNode, service: World, settings: Any
) -> None:
    node = make_node(gpu_count=1)
    for rim in Rim.objects.all():
        rim_withdraw(rim_id=rim.rim_id, sha256="", reason="test", at=clock.now())
    verdict = judged(node)
    assert "rim.not_found" in codes(verdict)
    assert verdict.inputs["rims"] == {}
    Rim.objects.update(withdrawn_at=None, withdrawn_reason="")
    collateral_forget()
    assert verdict_rederive(verdict).equal
    assert "rim.not_found" not in codes(judged(node))


def test_a_rejudgement_and_what_it_replaces_are_each_derived_by_their_own_policy(
    make_node: MakeNode, service: World
) -> None:
    node = make_node(gpu_count=1)
    node.gpus = [replace(node.gpus[0], behaviour=Behaviour(changed_measurements=frozenset({3})))]
    before = judged(node)
    service.parameters_set(attest__enforce_measurements=1)
    service.pass_time(86_400)
    service.settle()
    row = Node.objects.get(node_id=node.node_id)
    after = verdict_rejudge(node=row, policy=policy_current(), at=clock.now())
    assert after is not None
    assert (before.status, after.status) == ("warning", "contraindicated")
    for verdict in Verdict.objects.all():
        assert verdict_rederive(verdict).equal


def test_a_changed_verdict_is_found(make_node: MakeNode, capsys: Any) -> None:
    node = make_node(gpu_count=1)
    verdict = judged(node)
    Verdict.objects.filter(pk=verdict.pk).update(tier=5)
    done = verdict_rederive(Verdict.objects.get(pk=verdict.pk))
    assert not done.equal
    assert done.differences == ("tier",)
    with pytest.raises(CommandError):
        call_command("verdict_rederive", str(verdict.pk))
    assert "differs in tier" in capsys.readouterr().err
    # A whole other record under the old hash: every field agrees and the hash does not.
    Verdict.objects.filter(pk=verdict.pk).update(tier=verdict.tier, verdict_hash=bytes(32))
    done = verdict_rederive(Verdict.objects.get(pk=verdict.pk))
    assert (done.differences, done.equal) == ((), False)


def test_documents_that_are_gone_or_changed_are_named(
    make_node: MakeNode, emulator: Emulator
) -> None:
    node = make_node(gpu_count=1)
    say(node, emulator[1])
    verdict = judged(node)
    der = OcspResponse.objects.get().der
    for change, back in (
        (
            lambda: OcspResponse.objects.update(der=b"x"),
            lambda: OcspResponse.objects.update(der=der),
        ),
        (lambda: Rim.objects.filter(kind="driver").delete(), lambda: None),
    ):
        change()
        collateral_forget()
        with pytest.raises(NetworkError) as refused:
            verdict_rederive(verdict)
        assert refused.value.code == "collateral_missing"
        back()


@pytest.mark.parametrize(
    "inputs", [{}, {"rims": []}, {"rims": {"a": "zz"}}, {"facts": {"other_nodes": 7}}]
)
def test_a_verdict_without_a_full_record_says_so(
    make_node: MakeNode, inputs: dict[str, Any]
) -> None:
    verdict = judged(make_node(gpu_count=1))
    verdict.inputs = (verdict.inputs | inputs) if inputs else {}
    with pytest.raises(NetworkError) as refused:
        verdict_rederive(verdict)
    assert refused.value.code == "inputs_unreadable"


def test_the_command_wants_ids_or_all(db: None) -> None:
    for options in ([], ["1", "--all"], ["7"]):
        with pytest.raises(CommandError):
            call_command("verdict_rederive", *options)


def test_enforced_revocation_refuses_what_nobody_vouches_for(
    make_node: MakeNode, service: World, emulator: Emulator
) -> None:
    """Observed it is a note; enforced it fails closed until every certificate is good."""
    node = make_node(gpu_count=1)
    verdict = judged(node)
    assert (verdict.status, verdict.tier) == ("affirming", 4)
    assert "revocation.not_checked" in codes(verdict)
    service.parameters_set(attest__enforce_revocation=1)
    service.pass_time(86_400)
    service.settle()
    assert judged(node).status == "contraindicated"
    for position in (1, 2, 3):
        say(node, emulator[1], position=position)
    verdict = judged(node)
    assert verdict.status == "affirming"
    assert DeviceFinding.objects.filter(verdict=verdict, code="revocation.good").exists()
    # A day later the answers have run out, and nobody has asked again.
    with later(2 * 86_400):
        verdict = judged(node)
    assert verdict.status == "contraindicated"
    stale = DeviceFinding.objects.filter(verdict=verdict, code="revocation.stale").first()
    assert stale is not None
    assert stale.data["age_s"] >= 2 * 86_400
    assert AttestationState.objects.get().latest_verdict_id == verdict.pk
    assert NodeFacts.from_json(verdict.inputs["facts"]).other_nodes == {}
