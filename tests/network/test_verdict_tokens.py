"""The signed half of a verdict: how long a token lives, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet

from chain import clock
from network.models import Verdict
from network.selectors import policy_current
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import Node, World
from tests.network.nodes import TestNode, later
from tests.network.test_relying_party import run, script_write, tampered

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


def claims(token: str) -> dict[str, Any]:
    """The claims of a token whose signature verifies by the keys that are served."""
    keys = KeySet.import_key_set(Client().get("/api/v1/network/jwks/").json())
    return dict(jwt.decode(token, keys, algorithms=["ES256"]).claims)


def judge_again(node: TestNode) -> Verdict:
    row = Node.objects.get(node_id=node.node_id)
    verdict = verdict_rejudge(node=row, policy=policy_current(), at=clock.now())
    assert verdict is not None
    return verdict


def test_judging_again_makes_no_evidence_younger(make_node: MakeNode, service: World) -> None:
    node = make_node(gpu_count=1)
    assert node.attest().status_code == 201
    first = Verdict.objects.get()
    received_s = int(first.evidence_at.timestamp())
    found = claims(first.ear_jwt)
    assert found["exp"] - found["iat"] == 300
    assert found["althing.evidence_at"] == received_s

    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    with later(2600):
        late = judge_again(node)
    found = claims(late.ear_jwt)
    assert found["exp"] == int(late.fresh_until.timestamp()) == received_s + 2700
    assert found["althing.evidence_at"] == received_s

    service.parameters_set(attest__ttl=1800)
    service.settle()
    with later(2701):
        stale = judge_again(node)
    assert stale.rejudge_of == late
    assert stale.ear_jwt == ""
    assert stale.findings["token_withheld"]["code"] == "evidence.stale"
    assert "No token was signed. The report counted until" in stale.sentence


@pytest.mark.django_db(transaction=True)
def test_a_node_is_checked_by_what_the_service_serves(
    live_server: Any, service: World, make_node: MakeNode, tmp_path: Path, settings: Any
) -> None:
    """The whole way: a report is judged, and a stranger checks the answer's token over HTTP."""
    script = script_write(tmp_path)
    node = make_node(gpu_count=1)
    token = node.attest().json()["verdict"]["ear_jwt"]
    url = f"{live_server.url}/api/v1/network/jwks/"
    found = run(script, token, url, settings.SITE_URL, "--emulated")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.endswith("accepted\n")
    found = run(script, tampered(token, "claim"), url, settings.SITE_URL, "--emulated")
    assert found.returncode == 1
    assert "the signature is wrong" in found.stderr
