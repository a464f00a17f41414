"""The way of a node through the API: keys, challenge, report, verdict, standing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet

from chain import clock
from network.attestation.codes import CODES
from network.attestation.emulator.gpu import Behaviour, EmulatedGpu
from network.models import (
    Attestation,
    AttestationState,
    Challenge,
    NodeKey,
    NodeKeyEvent,
    SignatureNonce,
    Verdict,
)
from network.registration import ML_DSA_REGISTER_CONTEXT
from network.selectors import node_standing, policy_current, standing_annotate
from network.selectors.evidence import evidence_read
from network.selectors.standing import nodes_with_verdicts
from network.services.keys import key_revoke
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import Node, World
from tests.network.nodes import TestNode, later, operator_sign

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


def code(answer: Any) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "detail", "data"}, body
    assert body["detail"].endswith((".", "]")) or body["code"] == "validation_error", body
    return answer.status_code, body["code"]


def standing(node: TestNode) -> dict[str, Any]:
    answer = Client().get(f"{node.path}/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["standing"])


def test_keys_are_proven_by_operator_and_node(make_node: MakeNode) -> None:
    node = make_node(proven=False)
    assert code(node.post("challenges")) == (401, "key_unknown")
    answer = node.prove_keys()
    assert answer.status_code == 201, answer.content
    key = NodeKey.objects.get(key_id=node.public_key.hex())
    assert key.node_id == node.node_id
    assert NodeKeyEvent.objects.filter(key=key, action="registered").count() == 1
    assert node.post("challenges").status_code == 201
    listed = Client().get(f"{node.path}/keys/").json()
    assert [row["key_id"] for row in listed] == [node.public_key.hex()]


def test_a_proof_that_is_wrong_is_refused(make_node: MakeNode, service: World) -> None:
    node = make_node(proven=False)
    stranger = operator_sign(service.accounts[9].private_key, b"\x01" * 32)
    wrong = {"operator_signature": f"0x{stranger.hex()}"}
    assert code(node.prove_keys(**wrong)) == (422, "operator_signature_invalid")
    wrong = {"node_signature": f"0x{'00' * 64}"}
    assert code(node.prove_keys(**wrong)) == (422, "node_signature_invalid")
    assert code(node.prove_keys(nonce=f"0x{'00' * 32}")) == (409, "challenge_unknown")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert code(node.prove_keys(ed25519=f"0x{other.hex()}")) == (409, "keys_hash_mismatch")
    assert code(node.prove_keys(ed25519="0x12")) == (400, "validation_error")
    assert not NodeKey.objects.exists()
    # Nothing that failed used a challenge up, and the right proof still works.
    assert node.prove_keys().status_code == 201


def test_an_ml_dsa_key_is_accepted_only_with_its_own_signature(make_node: MakeNode) -> None:
    ml_dsa = MLDSA65PrivateKey.generate()
    node = make_node(proven=False, ml_dsa=ml_dsa)

    def spoilt(signature: bytes) -> tuple[int, str]:
        return code(node.prove_keys(ml_dsa_signature=f"0x{signature.hex()}"))

    assert code(node.prove_keys(ml_dsa_signature=None)) == (422, "ml_dsa_signature_missing")
    asked = node.prove_keys(ml_dsa_signature=None).json()["data"]
    digest = bytes.fromhex(asked["digest"][2:])
    assert asked["context"] == ML_DSA_REGISTER_CONTEXT.decode()
    stranger = MLDSA65PrivateKey.generate()
    assert spoilt(bytes(3309)) == (422, "ml_dsa_signature_invalid")
    assert spoilt(stranger.sign(digest, ML_DSA_REGISTER_CONTEXT)) == (
        422,
        "ml_dsa_signature_invalid",
    )
    assert spoilt(ml_dsa.sign(digest)) == (422, "ml_dsa_signature_invalid")
    assert spoilt(ml_dsa.sign(digest, b"althing-node-v1")) == (422, "ml_dsa_signature_invalid")
    assert spoilt(bytes(3308)) == (400, "validation_error")
    assert not NodeKey.objects.exists()
    # Nothing that failed used the challenge up.
    assert node.prove_keys().status_code == 201
    key = NodeKey.objects.get()
    assert key.ml_dsa_65 == ml_dsa.public_key().public_bytes_raw()
    assert node.attest().status_code == 201


def test_an_ml_dsa_signature_without_its_key_is_refused(make_node: MakeNode) -> None:
    node = make_node(proven=False)
    signature = f"0x{bytes(3309).hex()}"
    answer = node.prove_keys(ml_dsa_signature=signature)
    assert code(answer) == (422, "ml_dsa_signature_invalid")
    assert node.prove_keys().status_code == 201


def test_a_report_gets_its_verdict(make_node: MakeNode, service: World) -> None:
    node = make_node()
    answer = node.attest()
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["verdict"]["status"] in ("affirming", "warning"), body["verdict"]["findings"]
    assert body["verdict"]["tier"] == 4
    assert body["verdict"]["emulated"] is True
    assert body["verdict"]["policy_version"] == 0
    assert body["verdict"]["policy"]["values"]["attest.ttl"] == "2700"
    assert body["verdict"]["standing"]["standing"] == "attested"

    stored = Attestation.objects.get()
    sent = evidence_read(stored)
    assert hashlib.sha256(sent).digest() == stored.evidence_sha256
    assert json.loads(sent)["nonce"] == body["attestation"]["nonce"]
    assert body["attestation"]["report_hash"] == f"0x{stored.report_hash.hex()}"

    detail = Client().get(f"/api/v1/verdicts/{body['verdict']['id']}/").json()
    assert detail["findings"] == body["verdict"]["findings"]
    keys = KeySet.import_key_set(Client().get("/api/v1/network/jwks/").json())
    claims = jwt.decode(detail["ear_jwt"], keys, algorithms=["ES256"]).claims
    assert claims["althing.status"] == body["verdict"]["status"]
    assert claims["althing.verdict_hash"] == detail["verdict_hash"]
    assert claims["althing.emulated"] is True

    listed = Client().get(f"{node.path}/verdicts/").json()
    assert [row["id"] for row in listed["results"]] == [detail["id"]]


def test_reports_form_a_chain(make_node: MakeNode) -> None:
    node = make_node()
    first = node.attest().json()
    challenge = node.challenge()
    assert challenge["next_seq"] == 2
    assert challenge["previous_hash"] == first["attestation"]["report_hash"]
    for wrong, expected in (
        ({"seq": 1}, "seq_conflict"),
        ({"seq": 3}, "seq_conflict"),
        ({"previous_hash": None}, "previous_hash_conflict"),
        ({"previous_hash": f"0x{'00' * 32}"}, "previous_hash_conflict"),
    ):
        answer = node.post("attestations", node.report(challenge, **wrong))
        assert code(answer) == (409, expected)
        assert answer.json()["data"]["expected_seq"] == 2
    # The challenge outlived all of them.
    assert node.post("attestations", node.report(challenge)).status_code == 201
    assert code(node.post("attestations", node.report(challenge, seq=3))) == (
        409,
        "previous_hash_conflict",
    )
    state = AttestationState.objects.get()
    body = node.report(challenge, seq=3, previous_hash=f"0x{state.last_report_hash.hex()}")
    assert code(node.post("attestations", body)) == (409, "challenge_used")
    assert Attestation.objects.count() == 2


def test_a_challenge_is_for_one_node_and_a_while(make_node: MakeNode, service: World) -> None:
    node, other = make_node(), make_node(operator=4)
    foreign = other.challenge()
    assert code(node.post("attestations", node.report(foreign))) == (409, "challenge_unknown")
    challenge = node.challenge()
    ttl_s = policy_current().nonce_ttl_s
    with later(ttl_s + 1):
        answer = node.post("attestations", node.report(challenge))
        assert code(answer) == (409, "challenge_expired")


def test_devices_of_another_vendor_are_refused_by_name(make_node: MakeNode) -> None:
    node = make_node()
    report = node.report(node.challenge())
    for device in report["devices"]:
        device["vendor"] = "nobody"
    answer = node.post("attestations", report)
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert (verdict["status"], verdict["tier"]) == ("contraindicated", 1)
    assert "evidence.vendor_unknown" in verdict["codes"]
    report = node.report(node.challenge())
    for device in report["devices"]:
        device["vendor"] = "nvidia"
    assert node.post("attestations", report).json()["verdict"]["tier"] == 4
    report = node.report(node.challenge())
    report["devices"][0]["vendor"] = "x" * 65
    assert code(node.post("attestations", report)) == (400, "validation_error")


def test_bad_evidence_is_judged_and_kept(make_node: MakeNode, emulator: tuple[Any, Any]) -> None:
    node = make_node()
    good = node.gpus[1]
    node.gpus[0] = EmulatedGpu(
        emulator[1], good.label + "x", behaviour=Behaviour(bad_signature=True)
    )
    answer = node.attest()
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert verdict["status"] == "contraindicated"
    found = {row["code"] for row in verdict["findings"]["findings"]}
    assert found >= {"sig.report"}
    # In words, beside the verdict and not in it.
    assert verdict["codes"].keys() == found
    assert verdict["codes"]["sig.report"] == {
        "meaning": CODES["sig.report"].meaning,
        "next_step": CODES["sig.report"].next_step,
    }
    assert "codes" not in verdict["findings"]
    detail = Client().get(f"/api/v1/verdicts/{verdict['id']}/").json()
    assert detail["codes"] == verdict["codes"]
    assert standing(node)["standing"] == "failed"
    assert "not signed by the leaf" in standing(node)["sentence"]
    reasons = Verdict.objects.get().device_findings.filter(severity="error")
    assert "sig.report" in reasons.values_list("code", flat=True)
    assert Attestation.objects.count() == 1


def test_the_same_request_counts_once(make_node: MakeNode) -> None:
    node = make_node()
    body = node.report(node.challenge())
    first = node.post("attestations", body, idempotency_key="round-00001")
    again = node.post("attestations", body, idempotency_key="round-00001")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Attestation.objects.count() == 1
    other = node.post("attestations", body | {"seq": 2}, idempotency_key="round-00001")
    assert code(other) == (422, "idempotency_key_reused")
    # A refusal is an answer too.
    stale = node.report(node.challenge(), seq=9)
    refused = node.post("attestations", stale, idempotency_key="round-00002")
    again = node.post("attestations", stale, idempotency_key="round-00002")
    assert code(refused) == code(again) == (409, "seq_conflict")


def test_a_signature_counts_once(make_node: MakeNode) -> None:
    node = make_node()
    nonce = "n" * 32
    assert node.post("challenges", nonce=nonce).status_code == 201
    assert code(node.post("challenges", nonce=nonce)) == (401, "signature_replayed")
    assert Challenge.objects.filter(purpose="attest").count() == 1
    # A signature that does not verify leaves no nonce behind.
    before = SignatureNonce.objects.count()
    stranger = Ed25519PrivateKey.generate()
    assert code(node.post("challenges", key=stranger)) == (401, "key_unknown")
    assert code(node.post("challenges", headers={"Signature": "althing=:AAAA:"})) == (
        401,
        "signature_invalid",
    )
    assert SignatureNonce.objects.count() == before


def test_a_clock_that_is_off_is_told_the_time(make_node: MakeNode) -> None:
    node = make_node()
    answer = node.post("challenges", now_s=clock.now_s() - 3600)
    assert code(answer) == (401, "clock_skew")
    assert abs(answer.json()["data"]["server_time_s"] - clock.now_s()) < 5
    assert answer.headers["WWW-Authenticate"].startswith("Signature")


def test_a_revoked_key_is_refused_at_once(make_node: MakeNode) -> None:
    node = make_node()
    key_revoke(key_id=node.public_key.hex(), actor="staff alice", reason="Lost.", at=clock.now())
    assert code(node.post("challenges")) == (401, "key_unknown")
    assert code(node.prove_keys()) == (409, "key_revoked")
    event = NodeKeyEvent.objects.get(action="revoked")
    assert (event.actor, event.reason) == ("staff alice", "Lost.")


def test_a_rotation_on_chain_retires_the_key(make_node: MakeNode, service: World) -> None:
    from network.registration import keys_hash

    node = make_node()
    operator = service.accounts[3].address
    node.key, old = Ed25519PrivateKey.generate(), node.key
    hash_ = keys_hash(operator=operator, ed25519=node.public_key)
    service.send(operator, "NodeRegistry", "rotateKeys", (node.node_id, hash_))
    service.settle()
    assert code(node.post("challenges", key=old)) == (401, "key_superseded")
    assert node.prove_keys().status_code == 201
    assert code(node.post("challenges", key=old)) == (401, "key_unknown")
    assert node.attest().status_code == 201
    assert NodeKey.objects.get(key_id=old.public_key().public_bytes_raw().hex()).status == "retired"


def test_a_vote_makes_an_accepted_report_stale(make_node: MakeNode, service: World) -> None:
    """The product in one test: the same report, two policies, two answers."""
    node = make_node()
    verdict = node.attest().json()["verdict"]
    with later(2000):
        before = standing(node)
        assert before["standing"] == "attested"
        assert before["judged_by_policy_version"] == before["policy_version"] == 0

        service.parameters_set(attest__ttl=1800)
        service.settle()
        after = standing(node)
    assert after["standing"] == "stale"
    assert (after["judged_by_policy_version"], after["policy_version"]) == (0, 1)
    assert (after["judged_ttl_s"], after["ttl_s"]) == (2700, 1800)
    assert after["fresh_until"] == verdict["fresh_until"]
    gap = datetime.fromisoformat(after["fresh_until"]) - datetime.fromisoformat(
        after["fresh_until_under_current_policy"]
    )
    assert gap.total_seconds() == 900
    assert "Policy 0" in after["sentence"]
    assert "policy 1" in after["sentence"]

    # The stored verdict is untouched, and the next report is judged by the new policy.
    detail = Client().get(f"/api/v1/verdicts/{verdict['id']}/").json()
    assert (detail["policy_version"], detail["fresh_until"]) == (0, verdict["fresh_until"])
    fresh = node.attest().json()["verdict"]
    assert fresh["policy_version"] == 1
    assert fresh["policy"]["values"]["attest.ttl"] == "1800"
    assert standing(node)["standing"] == "attested"


def test_a_higher_tier_fails_what_proved_less(make_node: MakeNode, service: World) -> None:
    node = make_node(gpu_class="edge_iot", gpu_count=1)
    node.can_attest = False
    verdict = node.attest().json()["verdict"]
    assert (verdict["status"], verdict["tier"]) == ("affirming", 1)
    assert standing(node)["standing"] == "attested"
    service.parameters_set(attest__required_tier_edge_iot=2)
    service.settle()
    service.pass_time(3700)
    service.index()
    now = standing(node)
    assert (now["standing"], now["required_tier"]) == ("failed", 2)
    assert "asks tier T2" in now["sentence"]


@pytest.mark.parametrize(
    "inventory",
    [None, {}, {"gpus": []}, {"gpus": [{"uuid": "GPU-a"}]}, {"gpus": [{"uuid": "GPU-a"}] * 2}],
    ids=["none", "empty", "no GPU", "one of two", "one twice"],
)
def test_a_report_that_lists_too_few_gpus_proves_no_tier(
    make_node: MakeNode, service: World, inventory: dict[str, Any] | None
) -> None:
    node = make_node(gpu_class="edge_iot", gpu_count=2)
    node.can_attest = False
    body = node.report(node.challenge())
    if inventory is None:
        del body["inventory"]
    else:
        body["inventory"] = inventory
    answer = node.post("attestations", body)
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert (verdict["status"], verdict["tier"]) == ("contraindicated", 0)
    found = {row["code"]: row["severity"] for row in verdict["findings"]["findings"]}
    assert found["tier.required"] == "error"
    assert found["inventory.incomplete"] == "info"
    # The stored bytes say the same when they are judged again.
    service.parameters_set(attest__required_tier_edge_iot=0)
    service.settle()
    service.pass_time(3700)
    service.index()
    row = Node.objects.get(node_id=node.node_id)
    again = verdict_rejudge(node=row, policy=policy_current(), at=clock.now())
    assert again is not None
    assert (again.status, again.tier) == ("affirming", 0)


def test_judging_again_names_both_policies(
    make_node: MakeNode, service: World, emulator: tuple[Any, Any]
) -> None:
    node = make_node(gpu_count=1)
    changed = Behaviour(changed_measurements=frozenset({9}))
    node.gpus = [EmulatedGpu(emulator[1], "again", behaviour=changed)]
    first = node.attest().json()["verdict"]
    assert first["status"] == "warning", first["findings"]
    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    row = Node.objects.get(node_id=node.node_id)
    policy = policy_current()
    again = verdict_rejudge(node=row, policy=policy, at=clock.now())
    assert again is not None
    assert (again.status, again.policy_version) == ("contraindicated", 1)
    assert again.rejudge_of_id == first["id"]
    assert "policy 1" in again.sentence
    assert "warning under policy 0" in again.sentence
    assert standing(node)["standing"] == "failed"
    assert verdict_rejudge(node=row, policy=policy, at=clock.now()) is None
    assert Verdict.objects.get(pk=first["id"]).status == "warning"


def test_sql_and_python_agree_on_the_standing(
    make_node: MakeNode, service: World, emulator: tuple[Any, Any]
) -> None:
    good, bad, silent, leaving = (make_node(operator=index) for index in (3, 4, 5, 6))
    edge = make_node(operator=7, gpu_class="edge_iot", gpu_count=1)
    bad.gpus[0] = EmulatedGpu(emulator[1], "bad", behaviour=Behaviour(stale_nonce=True))
    edge.can_attest = False
    for node in (good, bad, leaving, edge):
        assert node.attest().status_code == 201
    operator = service.accounts[6].address
    service.send(operator, "NodeRegistry", "requestExit", (leaving.node_id,))
    service.settle()
    seen = set()
    for ahead in (0, 2699, 2701):
        with later(ahead):
            at, policy = clock.now(), policy_current()
            rows = nodes_with_verdicts(standing_annotate(Node.objects.all(), at=at, policy=policy))
            for row in rows:
                word = node_standing(row, at, policy=policy).standing
                assert row.standing == word
                seen.add((row.node_id, str(word)))
    assert (good.node_id, "attested") in seen
    assert (good.node_id, "stale") in seen
    assert (bad.node_id, "failed") in seen
    assert (silent.node_id, "never") in seen
    assert (edge.node_id, "attested") in seen
