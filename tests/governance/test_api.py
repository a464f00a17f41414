"""The governance API against a real DAO."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import pytest
from django.test import Client

from chain.contracts import contract, deployment
from chain.proposal_id import proposal_id
from governance.models import Draft
from tests.governance.conftest import ALT, GOVERNOR, TOKEN, Dao
from tests.governance.wallets import JSON, sign_in

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def post(client: Client, path: str, body: Any, status: int = 200) -> Any:
    answer = client.post(path, body, content_type=JSON)
    assert answer.status_code == status, answer.content
    return answer.json()


def get(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_proposals_votes_and_filters(dao: Dao, client: Client) -> None:
    first = dao.propose(description="# Shorter reports\n\nText.")
    dao.propose(description="# Another")
    dao.open_vote()
    dao.vote(0, first, reason="=HYPERLINK()")
    dao.index()
    page = get(client, "/api/v1/proposals/")
    assert [row["number"] for row in page["results"]] == [2, 1]
    assert page["results"][1]["state"] == "active"
    assert page["results"][1]["for_wei"] == str(100_000 * ALT)
    assert [r["number"] for r in get(client, "/api/v1/proposals/?limit=1")["results"]] == [2]
    for query, numbers in {
        "state=active": [2, 1],
        "state=executed": [],
        "search=shorter": [1],
        "parameter=attest.ttl": [2, 1],
        "parameter=none": [],
        "kind=parameter": [2, 1],
        "kind=treasury": [],
        f"proposer={dao.accounts[0].checksum}": [2, 1],
        f"proposer={dao.accounts[1].checksum}": [],
        "sort=ending": [1, 2],
    }.items():
        found = get(client, f"/api/v1/proposals/?{query}")["results"]
        assert [row["number"] for row in found] == numbers, query
    detail = get(client, "/api/v1/proposals/1/")
    assert detail["proposal_id"] == str(first.proposal_id)
    assert detail["actions"][0]["parameters"][0]["name"] == "attest.ttl"
    assert "attest.ttl from" in detail["actions"][0]["summary"]
    votes = get(client, "/api/v1/proposals/1/votes/")["results"]
    assert [vote["voter"] for vote in votes] == [dao.accounts[0].checksum]
    delegates = get(client, "/api/v1/delegates/")["results"]
    assert delegates[0]["power_wei"] == str(100_000 * ALT)


@pytest.mark.parametrize(
    "path",
    ["proposals/0/", "proposals/99/", "proposals/99999999999/", "proposals/99/votes/"],
)
def test_unknown_proposals(client: Client, path: str) -> None:
    assert get(client, f"/api/v1/{path}", 404)["code"] == "not_found"


@pytest.mark.parametrize("query", ["state=open", "proposer=0x12", "cursor=abc", "limit=0"])
def test_bad_queries(client: Client, query: str) -> None:
    assert "code" in get(client, f"/api/v1/proposals/?{query}", 400)


def test_power_says_why(dao: Dao, client: Client) -> None:
    dao.delegate(4, 5)
    dao.propose()
    dao.open_vote()
    dao.delegate(3)
    dao.index()

    def power(who: int) -> dict[str, Any]:
        return get(client, f"/api/v1/proposals/1/power/?account={dao.accounts[who].checksum}")

    assert power(0)["power_wei"] == str(100_000 * ALT)
    late = power(3)
    assert late["power_wei"] == "0"
    assert "after the snapshot" in late["sentence"]
    assert "are delegated to" in power(4)["sentence"]
    assert "not delegated" in power(6)["sentence"]
    assert get(client, "/api/v1/proposals/1/power/", 400)["code"] == "validation_error"


def preview_body(**changes: Any) -> dict[str, Any]:
    body = {
        "title": "Shorter TTL",
        "description": "Set attest.ttl to 3600 s.",
        "actions": [
            {"type": "parameter_set", "changes": [{"name": "attest.ttl", "value": "3600"}]}
        ],
    }
    return {**body, **changes}


def test_preview_is_what_the_chain_will_compute(dao: Dao, client: Client) -> None:
    dao.index()
    sign_in(client, dao.accounts[0])
    shown = post(client, "/api/v1/proposals/preview/", preview_body())
    assert shown["blocked"] is False, shown["findings"]
    assert shown["kind"] == "parameter"
    assert shown["is_constitutional"] is False
    assert shown["description"].endswith(f"#proposer={dao.accounts[0].checksum}")
    calldatas = [bytes.fromhex(data[2:]) for data in shown["calldatas"]]
    content = (
        tuple(bytes.fromhex(target[2:]) for target in shown["targets"]),
        tuple(int(value) for value in shown["values"]),
        tuple(calldatas),
        shown["description"],
    )
    assert dao.ok(dao.send(0, GOVERNOR, "propose", content))
    dao.index()
    assert get(client, "/api/v1/proposals/1/")["proposal_id"] == shown["proposal_id"]
    assert shown["proposal_id"] == str(
        proposal_id(
            targets=content[0],
            values_wei=content[1],
            calldatas=calldatas,
            description=shown["description"].encode(),
        )
    )
    again = post(client, "/api/v1/proposals/preview/", preview_body())
    codes = {finding["code"] for finding in again["findings"]}
    assert {"proposal_exists", "duplicate_proposal", "conflicting_proposal"} <= codes
    assert again["blocked"] is True


def test_preview_finds_what_the_chain_would_refuse(dao: Dao, client: Client) -> None:
    dao.index()
    too_large = [{"type": "parameter_set", "changes": [{"name": "attest.ttl", "value": "604800"}]}]
    shown = post(client, "/api/v1/proposals/preview/", preview_body(actions=too_large))
    assert shown["blocked"] is True
    (refused,) = [f for f in shown["findings"] if f["code"] == "would_revert"]
    assert "attest.ttl" in refused["sentence"]
    poor = [
        {
            "type": "transfer",
            "asset": "ALT",
            "recipient": dao.accounts[7].checksum,
            "amount_wei": str(10**30),
        }
    ]
    shown = post(client, "/api/v1/proposals/preview/", preview_body(actions=poor))
    assert [f["code"] for f in shown["findings"] if f["severity"] == "error"] == [
        "would_revert",
        "treasury_short",
    ]


def test_preview_says_who_cannot_propose(dao: Dao, client: Client) -> None:
    dao.index()

    def findings(who: int) -> list[str]:
        body = preview_body(proposer=dao.accounts[who].checksum)
        shown = post(client, "/api/v1/proposals/preview/", body)
        assert shown["blocked"] is False
        return [finding["code"] for finding in shown["findings"]]

    assert findings(0) == []
    assert findings(14) == ["cannot_propose"]


def test_preview_adds_payments_up(dao: Dao, client: Client) -> None:
    dao.index()
    pay = {"type": "transfer", "asset": "ALT", "amount_wei": str(150_000 * ALT)}
    two = [{**pay, "recipient": dao.accounts[who].checksum} for who in (7, 8)]
    assert post(client, "/api/v1/proposals/preview/", preview_body(actions=two[:1]))["blocked"] is (
        False
    )
    shown = post(client, "/api/v1/proposals/preview/", preview_body(actions=two))
    (short,) = [f for f in shown["findings"] if f["severity"] == "error"]
    assert short["code"] == "treasury_short"
    eth = {**two[0], "asset": "ETH", "amount_wei": str(10**30)}
    shown = post(client, "/api/v1/proposals/preview/", preview_body(actions=[eth]))
    assert "treasury_short" in {finding["code"] for finding in shown["findings"]}


def test_preview_of_transfers_and_custom_calls(dao: Dao, client: Client) -> None:
    dao.index()
    lookalike = bytearray(deployment().address(TOKEN))
    lookalike[10] ^= 0xFF
    actions = [
        {
            "type": "transfer",
            "asset": "ALT",
            "recipient": f"0x{bytes(lookalike).hex()}",
            "amount_wei": str(5 * ALT),
        },
        {
            "type": "custom_call",
            "target": f"0x{deployment().address(GOVERNOR).hex()}",
            "function": "setVotingDelay",
            "args": ["9"],
        },
    ]
    shown = post(client, "/api/v1/proposals/preview/", preview_body(actions=actions))
    codes = {finding["code"] for finding in shown["findings"]}
    assert "lookalike_address" in codes
    assert "figure_not_in_actions" in codes
    assert shown["is_constitutional"] is True
    assert shown["actions"][0]["kind"] == "transfer_erc20"
    expected = contract(GOVERNOR).encode("setVotingDelay", (9,))
    assert shown["calldatas"][1] == f"0x{expected.hex()}"


@pytest.mark.parametrize(
    "actions",
    [
        [{"type": "parameter_set"}],
        [{"type": "parameter_set", "changes": [{"name": "no.such", "value": "1"}]}],
        [{"type": "parameter_set", "changes": [{"name": "attest.ttl", "value": "1,5"}]}],
        [{"type": "parameter_set", "changes": [{"name": "attest.ttl", "value": str(2**256)}]}],
        [{"type": "transfer", "asset": "ALT", "recipient": "0x12", "amount_wei": "1"}],
        [
            {
                "type": "transfer",
                "asset": "nonsense",
                "recipient": "0x" + "11" * 20,
                "amount_wei": "1",
            }
        ],
        [{"type": "transfer", "asset": "ETH", "recipient": "0x" + "11" * 20, "amount_wei": "0"}],
        [{"type": "custom_call", "target": "0x" + "11" * 20}],
        [{"type": "custom_call", "target": "0x" + "11" * 20, "function": "f", "args": []}],
        [{"type": "mystery"}],
        "text",
    ],
)
def test_preview_refuses_bad_actions(dao: Dao, client: Client, actions: Any) -> None:
    answer = client.post(
        "/api/v1/proposals/preview/", preview_body(actions=actions), content_type=JSON
    )
    assert answer.status_code == 400, answer.content
    assert set(answer.json()) == {"code", "detail", "data"}


def test_drafts_live_and_conflict(client: Client) -> None:
    draft = post(client, "/api/v1/drafts/", {"title": "A", "actions": [{"type": "x"}]}, 201)
    path = f"/api/v1/drafts/{draft['id']}/"
    body = {"title": "B", "description": "text", "actions": [], "step": 2, "version": 1}
    saved = client.put(path, body, content_type=JSON)
    assert (saved.status_code, saved.json()["version"]) == (200, 2)
    stale = client.put(path, body, content_type=JSON)
    assert (stale.status_code, stale.json()["code"]) == (409, "draft_changed")
    assert stale.json()["data"]["version"] == 2
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404
    assert client.get(f"/api/v1/drafts/{uuid.uuid4()}/").status_code == 404
    assert not Draft.objects.exists()


def test_drafts_have_limits(client: Client) -> None:
    for body in ({"title": "x" * 257}, {"actions": [{}] * 21}, {"step": 9}, {"actions": ["x"]}):
        assert "code" in post(client, "/api/v1/drafts/", body, 400)
    for _ in range(30):
        post(client, "/api/v1/drafts/", {}, 201)
    assert post(client, "/api/v1/drafts/", {}, 400)["code"] == "too_many_drafts"


def test_simulation(dao: Dao, client: Client) -> None:
    dao.index()
    delegate = contract(TOKEN).encode("delegate", (dao.accounts[3].address,))
    body = {
        "from": dao.accounts[3].checksum,
        "to": f"0x{contract(TOKEN).address.hex()}",
        "data": f"0x{delegate.hex()}",
        "value_wei": "0",
    }
    assert post(client, "/api/v1/transactions/simulate/", body)["ok"] is True
    vote = contract(GOVERNOR).encode("castVote", (123, 1))
    refused = post(
        client,
        "/api/v1/transactions/simulate/",
        {**body, "to": f"0x{contract(GOVERNOR).address.hex()}", "data": f"0x{vote.hex()}"},
    )
    assert (refused["ok"], refused["code"]) == (False, "GovernorNonexistentProposal")
    assert refused["detail"].endswith(".")
    poor = {**body, "from": "0x" + "11" * 20}
    assert post(client, "/api/v1/transactions/simulate/", poor)["code"] == "insufficient_funds"
    paying = {**poor, "value_wei": str(10**30)}
    assert post(client, "/api/v1/transactions/simulate/", paying)["code"] == "insufficient_funds"
    elsewhere = {**body, "to": "0x" + "22" * 20}
    answer = post(client, "/api/v1/transactions/simulate/", elsewhere, 400)
    assert answer["code"] == "contract_unknown"


def test_by_transaction(dao: Dao, client: Client) -> None:
    proposed = dao.propose()
    dao.index()
    answer = client.get(f"/proposals/by-tx/0x{proposed.transaction_hash.hex()}/")
    assert (answer.status_code, answer["Location"]) == (302, "/proposals/1/")
    assert client.get(f"/proposals/by-tx/0x{'00' * 32}/").status_code == 404
    assert client.get("/proposals/by-tx/zz/").status_code == 404


def test_votes_as_csv_hold_no_formulas(dao: Dao, client: Client) -> None:
    proposed = dao.propose()
    dao.open_vote()
    dao.vote(0, proposed, reason="=HYPERLINK(0)")
    dao.index()
    answer = client.get("/proposals/1/votes.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["reason"] == "'=HYPERLINK(0)"
    assert row["weight_wei"] == str(100_000 * ALT)
    assert client.get("/proposals/9/votes.csv").status_code == 404


def test_several_votes_in_one_block_all_count(dao: Dao, client: Client, rpc: Any) -> None:
    for who in (1, 2, 3):
        dao.delegate(who)
    proposed = dao.propose()
    dao.open_vote()
    dao.index()
    rpc("evm_setAutomine", False)
    data = contract(GOVERNOR).encode("castVote", (proposed.proposal_id, 1))
    for who in (0, 1, 2, 3):
        rpc(
            "eth_sendTransaction",
            {
                "from": dao.accounts[who].checksum,
                "to": f"0x{contract(GOVERNOR).address.hex()}",
                "data": f"0x{data.hex()}",
                "gas": hex(500_000),
            },
        )
    rpc("evm_mine")
    rpc("evm_setAutomine", True)
    dao.index()
    votes = get(client, "/api/v1/proposals/1/votes/")["results"]
    assert len(votes) == 4
    assert len({vote["block_number"] for vote in votes}) == 1
    total = sum(int(vote["for_wei"]) for vote in votes)
    assert get(client, "/api/v1/proposals/1/")["for_wei"] == str(total)
    assert total == (100_000 + 90_000 + 80_000 + 70_000) * ALT
