"""`quantum.pq_mode`: which requests need the second signature, in every combination."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

from network.http_signatures import pq_key_id
from network.models import SignatureNonce, Verdict
from network.registration import keys_hash
from network.selectors.policy import PqMode, policy_current
from tests.network.conftest import World
from tests.network.nodes import TestNode
from tests.network.test_api_attestation import code

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]

GOOD, BAD, NONE = "good", "bad", "none"
ACCEPTED = 201, ""
MISSING = 401, "pq_signature_missing"
FOREIGN = 401, "pq_signature_profile"
REQUIRED = 401, "pq_required"
#: (mode, whether the node has an ML-DSA key, the second signature): what is answered.
TABLE = {
    (PqMode.OFF, True, GOOD): ACCEPTED,
    (PqMode.OFF, True, BAD): ACCEPTED,
    (PqMode.OFF, True, NONE): ACCEPTED,
    (PqMode.OFF, False, GOOD): ACCEPTED,
    (PqMode.OFF, False, BAD): ACCEPTED,
    (PqMode.OFF, False, NONE): ACCEPTED,
    (PqMode.HYBRID, True, GOOD): ACCEPTED,
    (PqMode.HYBRID, True, BAD): FOREIGN,
    (PqMode.HYBRID, True, NONE): MISSING,
    (PqMode.HYBRID, False, GOOD): ACCEPTED,
    (PqMode.HYBRID, False, BAD): ACCEPTED,
    (PqMode.HYBRID, False, NONE): ACCEPTED,
    (PqMode.REQUIRED, True, GOOD): ACCEPTED,
    (PqMode.REQUIRED, True, BAD): FOREIGN,
    (PqMode.REQUIRED, True, NONE): MISSING,
    (PqMode.REQUIRED, False, GOOD): REQUIRED,
    (PqMode.REQUIRED, False, BAD): REQUIRED,
    (PqMode.REQUIRED, False, NONE): REQUIRED,
}


def mode_set(service: World, mode: PqMode) -> None:
    if mode is not PqMode.HYBRID:
        service.parameters_set(quantum__pq_mode=int(mode))
        in_force(service)
    assert policy_current().pq_mode is mode


def in_force(service: World) -> None:
    """Wait as long as a change that weakens or strengthens security has to."""
    service.settle()
    service.pass_time(3700)
    service.index()


def answered(answer: Any) -> tuple[int, str]:
    return ACCEPTED if answer.status_code == 201 else code(answer)


@pytest.mark.parametrize(
    ("mode", "has_key", "second"),
    TABLE,
    ids=[f"{mode.name}-{'key' if key else 'no key'}-{second}" for mode, key, second in TABLE],
)
def test_the_table(
    make_node: MakeNode, service: World, mode: PqMode, has_key: bool, second: str
) -> None:
    mode_set(service, mode)
    own = MLDSA65PrivateKey.generate()
    node = make_node(gpu_count=1, ml_dsa=own if has_key else None)
    signer = {GOOD: own, BAD: MLDSA65PrivateKey.generate(), NONE: None}[second]
    answer = node.post("challenges", ml_dsa_65=signer)
    assert answered(answer) == TABLE[mode, has_key, second]
    # A request that was refused has used no nonce up.
    assert SignatureNonce.objects.exists() is (answer.status_code == 201)


@pytest.mark.parametrize(
    ("mode", "has_key", "signed", "found"),
    [
        (PqMode.OFF, True, None, False),
        (PqMode.OFF, False, None, False),
        (PqMode.HYBRID, True, True, False),
        (PqMode.HYBRID, False, False, True),
        (PqMode.REQUIRED, True, True, False),
    ],
)
def test_the_verdict_says_how_the_report_was_signed(
    make_node: MakeNode,
    service: World,
    mode: PqMode,
    has_key: bool,
    signed: bool | None,
    found: bool,
) -> None:
    mode_set(service, mode)
    node = make_node(gpu_count=1, ml_dsa=MLDSA65PrivateKey.generate() if has_key else None)
    answer = node.attest()
    assert answer.status_code == 201, answer.content
    verdict = answer.json()["verdict"]
    assert verdict["status"] == "affirming"
    assert Verdict.objects.get().inputs["facts"]["pq_signed"] is signed
    rows = {row["code"]: row for row in verdict["findings"]["findings"]}
    assert ("pq.absent" in rows) is found
    if found:
        assert (rows["pq.absent"]["severity"], rows["pq.absent"]["device"]) == ("info", None)


def test_an_algorithm_that_does_not_count_is_as_none(make_node: MakeNode, service: World) -> None:
    service.parameters_set(quantum__pq_alg_mask=0)
    in_force(service)
    assert not policy_current().ml_dsa_65_counts
    node = make_node(gpu_count=1, ml_dsa=MLDSA65PrivateKey.generate())
    assert node.post("challenges", ml_dsa_65=None).status_code == 201
    mode_set(service, PqMode.REQUIRED)
    assert code(node.post("challenges")) == REQUIRED


def test_a_signature_of_another_nodes_key_is_refused(make_node: MakeNode) -> None:
    first = make_node(gpu_count=1, ml_dsa=MLDSA65PrivateKey.generate())
    second = make_node(operator=4, gpu_count=1, ml_dsa=MLDSA65PrivateKey.generate())
    answer = first.post("challenges", ml_dsa_65=second.ml_dsa)
    assert code(answer) == FOREIGN
    assert first.ml_dsa is not None
    expected = pq_key_id(first.ml_dsa.public_key().public_bytes_raw())
    assert answer.json()["data"] == {"differing": ["keyid"], "key_id": expected}


def test_stripping_the_second_signature_does_not_get_through(make_node: MakeNode) -> None:
    """What somebody on the way can do: take the second signature off a good request."""
    node = make_node(gpu_count=1, ml_dsa=MLDSA65PrivateKey.generate())
    request = node.signed("challenges")
    whole = dict(request["headers"])
    for name in ("Signature", "Signature-Input"):
        request["headers"][name] = whole[name].split(", althing-pq=")[0]
    assert code(node.client.post(**request)) == MISSING
    # The request itself is still good: its nonce was not taken.
    assert node.client.post(**(request | {"headers": whole})).status_code == 201


def test_a_node_adds_the_second_key_by_rotating(make_node: MakeNode, service: World) -> None:
    node = make_node(gpu_count=1)
    mode_set(service, PqMode.REQUIRED)
    assert code(node.post("challenges")) == REQUIRED
    node.ml_dsa = MLDSA65PrivateKey.from_seed_bytes(secrets.token_bytes(32))
    hash_ = keys_hash(
        operator=service.accounts[3].address,
        ed25519=node.public_key,
        ml_dsa_65=node.ml_dsa.public_key().public_bytes_raw(),
    )
    service.send(service.accounts[3].address, "NodeRegistry", "rotateKeys", (node.node_id, hash_))
    service.settle()
    assert node.prove_keys().status_code == 201
    assert node.attest().status_code == 201
    assert code(node.post("challenges", ml_dsa_65=None)) == MISSING
