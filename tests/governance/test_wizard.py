"""The wizard's page and the facts it offers, on the real contracts."""

from typing import Any

import pytest
from django.test import Client

from chain.addresses import to_checksum
from chain.contracts import contract
from governance.actions.build import build_custom_call, build_parameter_set
from governance.actions.preview import proposal_preview
from governance.views.wizard import eligibility, writable_functions
from network.models import Parameter
from tests.governance.conftest import Dao

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


@pytest.fixture
def facts(dao: Dao) -> dict[str, Any]:
    dao.index()
    response = Client().get("/proposals/new/facts.json")
    assert response.status_code == 200
    return dict(response.json())


def test_every_parameter_comes_with_its_rules(facts: dict[str, Any]) -> None:
    known = {row["name"]: row for row in facts["parameters"]}
    assert len(known) == Parameter.objects.count() > 10
    ttl = known["attest.ttl"]
    assert ttl["unit"] == "s"
    assert ttl["kind"] == "SECONDS"
    low, high, value = int(ttl["low"]), int(ttl["high"]), int(ttl["voted_value"])
    assert int(ttl["min"]) <= low < value < high <= int(ttl["max"])
    assert (low - int(ttl["min"])) % int(ttl["step"]) == 0
    assert ttl["changed"] is None
    assert ttl["pending_proposals"] == []


def test_an_open_proposal_that_sets_a_key_is_named(dao: Dao, facts: dict[str, Any]) -> None:
    proposed = dao.propose(calls=[build_parameter_set([("attest.ttl", 3600)])])
    number = dao.indexed(proposed).number
    rows = Client().get("/proposals/new/facts.json").json()["parameters"]
    named = {row["name"]: row["pending_proposals"] for row in rows}
    assert named["attest.ttl"] == [number]
    assert named["attest.nonce_ttl"] == []


def test_an_executed_change_is_dated_and_numbered(dao: Dao) -> None:
    proposed = dao.propose(calls=[build_parameter_set([("attest.ttl", 3600)])])
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(60)
    dao.execute(proposed)
    number = dao.indexed(proposed).number
    rows = Client().get("/proposals/new/facts.json").json()["parameters"]
    ttl = next(row for row in rows if row["name"] == "attest.ttl")
    assert ttl["changed"]["proposal"] == number
    assert ttl["allowed_at"] > ttl["changed"]["at"]
    assert ttl["voted_value"] == "3600"


def test_assets_and_contracts(facts: dict[str, Any]) -> None:
    assert [row["code"] for row in facts["assets"]] == ["ETH", "ALT"]
    assert facts["assets"][0]["token"] is None
    assert facts["assets"][1]["token"] == to_checksum(contract("AlthingToken").address)
    offered = {row["name"]: row for row in facts["contracts"]}
    names = {item["name"] for item in offered["NetworkParameters"]["functions"]}
    assert {"set", "undo", "withdraw"} <= names
    # Reading changes nothing, so no proposal calls it.
    assert "get" not in names
    assert facts["limits"]["actions"] == 10


def test_functions_of_an_unknown_contract_are_none() -> None:
    assert writable_functions("NoSuchContract") == []


def test_the_page_opens_without_a_wallet(dao: Dao) -> None:
    dao.index()
    page = Client().get("/proposals/new/?parameter=attest.ttl")
    assert page.status_code == 200
    text = page.content.decode()
    assert "Submitting needs 1\u00a0ALT" in text.replace(" ALT", "\u00a0ALT")
    assert "data-wizard" in text


def test_eligibility_compares_power_with_the_threshold(dao: Dao) -> None:
    dao.index()
    rich = eligibility(dao.accounts[0].address)
    assert rich.can is True
    assert rich.threshold_wei == 10**18
    poor = eligibility(dao.accounts[9].address)
    assert poor.can is False
    assert "cannot submit" in poor.sentence
    assert eligibility(None).can is None


def test_preview_of_the_text_is_cleaned() -> None:
    client = Client()
    page = client.post(
        "/proposals/new/text/",
        {"text": "## Hi\n\n<script>alert(1)</script> [x](javascript:alert(1)) **bold**"},
    )
    assert page.status_code == 200
    body = page.content.decode()
    assert "<strong>bold</strong>" in body
    assert "<script" not in body
    assert 'href="javascript:' not in body
    assert client.get("/proposals/new/text/").status_code == 405
    assert b"no text yet" in client.post("/proposals/new/text/", {}).content


def test_preview_refuses_a_forged_request() -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/proposals/new/text/", {"text": "x"})
    assert response.status_code == 403
    assert b"open too long" in response.content


def test_a_change_of_the_governor_itself_cannot_be_tried_and_is_not_refused(dao: Dao) -> None:
    call = build_custom_call(
        target=contract("AlthingGovernor").address, function="setVotingPeriod", args=["700"]
    )
    wrong = build_custom_call(
        target=contract("AlthingGovernor").address, function="castVote", args=["1", 1]
    )
    found = {
        (finding.code, finding.action_index, finding.severity)
        for finding in proposal_preview([call, wrong], "# Longer votes\n\n700").findings
    }
    assert ("not_simulated", 0, "warning") in found
    # Any other revert of the governor's still counts.
    assert ("would_revert", 1, "error") in found
