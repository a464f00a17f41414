"""The card on a proposal's page, and the list behind it: who would fall out, in words."""

import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chain.models import Block
from governance.models import Proposal
from network.models import (
    Attestation,
    AttestationState,
    Challenge,
    Node,
    NodeKey,
    Parameter,
    Verdict,
)
from network.selectors.policy import policy_current
from tests.governance.pages.conftest import NOW, Factory, account, digest
from tests.governance.pages.test_pages import QUERIES_MAX, assert_inert
from tests.governance.pages.test_proposal_detail import html, text

ENUM = {"kind": "ENUM", "min": 0, "max": 1, "step": 1}
#: What the verdicts of these tests say of a changed measurement.
MISMATCH = {
    "device": 0,
    "code": "meas.mismatch",
    "severity": "warning",
    "detail": "Measurement 9 is not what the driver manifest allows.",
    "data": {},
}


@pytest.fixture
def policy(make: Factory) -> dict[str, Parameter]:
    """Parameters as they stand at a final block."""
    Block.objects.create(
        chain_id=settings.CHAIN_ID,
        number=998,
        hash=secrets.token_bytes(32),
        parent_hash=digest("parent"),
        timestamp=int(NOW.timestamp()),
    )
    found = {
        "ttl": make.parameter(),
        "tier": make.parameter("attest.required_tier_h100_80g", **ENUM | {"max": 5}, **value(4)),
        "switch": make.parameter("attest.enforce_measurements", **ENUM, **value(0)),
    }
    assert policy_current().values["attest.ttl"] == "2700"
    return found


def value(number: int) -> dict[str, str]:
    return dict.fromkeys(("value", "voted_value", "defined_value"), str(number))


def node(number: int, *findings: dict[str, Any], age_s: int = 60, emulated: bool = False) -> Node:
    """A node whose last report was accepted with these findings."""
    key = digest("node", number)
    made = Node.objects.create(
        node_id=key,
        operator=account(number),
        keys_hash=key,
        gpu_class="h100_80g",
        gpu_count=1,
        region="eu-north",
        stake_wei=1,
        status="registered",
        registered_at=NOW,
        registered_tx=key,
        position=number,
        block_number=1,
    )
    NodeKey.objects.create(
        key_id=key.hex(),
        node=made,
        operator=made.operator,
        ed25519=key,
        keys_hash=key,
        proof_digest=key,
        operator_signature=b"\x01",
        node_signature=b"\x01",
        verified_at=NOW,
    )
    at = NOW - timedelta(seconds=age_s)
    challenge = Challenge.objects.create(
        nonce=key, purpose="attest", node=made, issued_at=at, expires_at=at
    )
    report = Attestation.objects.create(
        node=made,
        key_id=key.hex(),
        challenge=challenge,
        seq=1,
        report_hash=key,
        evidence_sha256=key,
        device_count=1,
        received_at=at,
    )
    snapshot = policy_current()
    verdict = Verdict.objects.create(
        attestation=report,
        node=made,
        status="warning" if findings else "affirming",
        tier=4,
        required_tier=4,
        policy_version=snapshot.version,
        policy_hash=snapshot.digest,
        policy_block=snapshot.block_number,
        policy={"values": snapshot.values, "judged": {}},
        findings={"findings": list(findings), "devices": [{"measurements_compared": 3}]},
        sentence="Accepted.",
        emulated=emulated,
        judged_at=at,
        evidence_at=at,
        fresh_until=at + timedelta(seconds=2700),
        verdict_hash=key,
    )
    AttestationState.objects.create(
        node=made, last_seq=1, latest_verdict=verdict, basis_verdict=verdict
    )
    return made


def proposes(make: Factory, state: str = "active", **values: str) -> Proposal:
    """A proposal of ``attest`` parameters, one action each."""
    proposal = make.proposal(state)
    for name, proposed in values.items():
        item = {"name": f"attest.{name}", "key": "0x00", "expected": "0", "proposed": proposed}
        make.action(proposal, kind="parameter_set", parameters=[item])
    return proposal


def test_the_page_asks_for_the_card(client, make, policy):
    proposes(make, ttl="1800")
    page = html(client.get("/proposals/1/"))
    assert 'hx-get="/proposals/1/preview/card/"' in page
    # Without scripts there is a link.
    assert 'href="/proposals/1/preview/"' in page
    assert page.index('id="actions"') < page.index('id="policy-preview"')


def test_a_proposal_that_decides_over_no_report_has_none(client, make, policy):
    make.action(make.proposal("active"), kind="transfer_eth", recipient=account(5), amount_wei=1)
    assert 'id="policy-preview"' not in html(client.get("/proposals/1/"))
    for path in ("/proposals/1/preview/", "/proposals/1/preview/card/", "/proposals/2/preview/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("state", ["executed", "defeated", "canceled", "expired"])
def test_what_is_decided_is_not_previewed(client, make, policy, state):
    proposes(make, state, ttl="1800")
    assert 'id="policy-preview"' not in html(client.get("/proposals/1/"))
    assert f"This proposal is {state}" in text(client.get("/proposals/1/preview/"))


@pytest.mark.parametrize("state", ["pending", "active", "succeeded", "queued"])
def test_who_would_fall_out_and_why(client, make, policy, state):
    fine, changed = node(1), node(2, MISMATCH, emulated=True)
    proposes(make, state, enforce_measurements="1")
    response = client.get("/proposals/1/preview/card/")
    page, words = html(response), text(response)
    assert "Of 2 nodes that count now, 1 would fall out ( 1 emulated )" in words
    assert "GPU 0: Measurement 9 is not what the driver manifest allows." in words
    assert "attest.enforce_measurements from 0 to 1 refuses it" in words
    assert "Attested → Failed" in words
    assert f"/nodes/0x{changed.node_id.hex()}/" in page
    assert f"/nodes/0x{fine.node_id.hex()}/" not in page
    assert "at final block 998" in words
    assert 'href="/proposals/1/preview/?outcome=falls_out"' in page
    assert_inert(page)


def test_the_tables_name_themselves_and_their_columns(client, make, policy):
    node(1, MISMATCH)
    proposes(make, enforce_measurements="1")
    for path in ("/proposals/1/preview/card/", "/proposals/1/preview/"):
        page = html(client.get(path))
        table = re.search(r"<table.*?</table>", page, re.S)
        assert table is not None, path
        assert "<caption>Nodes that would fall out</caption>" in table.group()
        heads = re.findall(r"<th scope=\"col\">([^<]+)</th>", table.group())
        assert heads == ["Node", "Class", "Standing", "Reason", "In words"]
        assert table.group().count('<th scope="row">') == 1


def test_nobody_falls_out(client, make, policy):
    node(1)
    proposes(make, ttl="1800")
    card = client.get("/proposals/1/preview/card/")
    assert "No node would fall out: 1 counts now, and would then." in text(card)
    assert "<table" not in html(card)
    page = text(client.get("/proposals/1/preview/"))
    assert "Every node that counts now would count under the proposed values." in page


def test_nobody_is_attested(client, make, policy):
    proposes(make, ttl="1800")
    words = text(client.get("/proposals/1/preview/card/"))
    assert "No node counts under the policy in force, so none can fall out." in words


def test_what_cannot_be_told_is_said(client, make, policy):
    make.parameter("attest.nonce_ttl", step=5, min=30, **value(120))
    node(1)
    proposes(make, nonce_ttl="60")
    words = text(client.get("/proposals/1/preview/card/"))
    assert "No node is known to fall out, of 1 that counts now." in words
    assert "Of 1 node it cannot be told" in words
    assert "attest.nonce_ttl : A verdict does not say how fast the node answered" in words
    assert "Attested → ?" in words


def test_a_node_that_would_come_back(client, make, policy):
    node(1, age_s=3000)
    proposes(make, ttl="3600")
    assert "1 would come back" in text(client.get("/proposals/1/preview/card/"))
    words = text(client.get("/proposals/1/preview/?outcome=comes_back"))
    assert "Nodes that would come back" in words
    assert "would count for 1 h instead of 45 min" in words


def test_a_value_that_the_chain_would_refuse(client, make, policy):
    proposes(make, ttl="61")
    words = text(client.get("/proposals/1/preview/card/"))
    assert "This proposal cannot be previewed. attest.ttl may be 120 s (2 min) to" in words
    proposes(make, unheard_of="1")
    words = text(client.get("/proposals/2/preview/"))
    assert "No parameter is named &#x27;attest.unheard_of&#x27;." in words


def test_before_anything_is_final(client, make):
    proposes(make, ttl="1800")
    assert "cannot be previewed" in text(client.get("/proposals/1/preview/card/"))


def test_strangers_words_are_inert(client, make, policy):
    hostile = '<script>alert(1)</script>" onclick="x'
    node(1, {**MISMATCH, "detail": hostile})
    proposes(make, enforce_measurements="1")
    for path in ("/proposals/1/preview/card/", "/proposals/1/preview/"):
        assert_inert(html(client.get(path)))
    for query in ("?outcome=perhaps", "?cursor=damaged", f"?cursor={'x' * 600}"):
        assert client.get(f"/proposals/1/preview/{query}").status_code == 400


def test_the_list_has_pages_and_the_pages_few_queries(client, make, policy):
    for number in range(1, 61):
        node(number, MISMATCH)
    proposes(make, enforce_measurements="1")
    seen, url = [], "/proposals/1/preview/"
    while url:
        with CaptureQueriesContext(connection) as queries:
            page = html(client.get(url))
        assert len(queries) <= QUERIES_MAX
        seen += re.findall(r'href="/nodes/(0x[0-9a-f]{64})/"', page)
        following = re.search(r'rel="next" href="([^"#]+)', page)
        url = following and f"/proposals/1/preview/{following.group(1).replace('&amp;', '&')}"
    assert len(seen) == len(set(seen)) == 60
    with CaptureQueriesContext(connection) as queries:
        card = html(client.get("/proposals/1/preview/card/"))
    assert len(queries) <= QUERIES_MAX
    assert len(re.findall(r'<th scope="row">', card)) == 5
    assert "60 would fall out" in text(client.get("/proposals/1/preview/card/"))
