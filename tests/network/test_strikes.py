"""Standing by strikes: one refused report changes nothing by itself, several do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from chain import clock
from network.attestation.emulator.gpu import Behaviour
from network.models import AttestationState, Incident, IncidentState, Node, Strike, Verdict
from network.selectors.policy import policy_current
from network.selectors.standing import node_standing, nodes_with_verdicts, standing_annotate
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import World
from tests.network.nodes import TestNode, in_threads, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
BAD_SIGNATURE = Behaviour(bad_signature=True)
CHANGED = Behaviour(changed_measurements=frozenset({9}))


def standing(node: TestNode) -> dict[str, Any]:
    answer = Client().get(f"{node.path}/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json()["standing"])


def behave(node: TestNode, behaviour: Behaviour) -> None:
    """Let the node's first GPU, the same physical card, behave otherwise."""
    node.gpus[0] = replace(node.gpus[0], behaviour=behaviour)


def attest(node: TestNode, behaviour: Behaviour, times: int = 1) -> dict[str, Any]:
    """Report with such a GPU; the newest verdict's JSON."""
    behave(node, behaviour)
    for _ in range(times):
        answer = node.attest()
        assert answer.status_code == 201, answer.content
    return dict(answer.json()["verdict"])


def sql_agrees() -> set[tuple[bytes, str]]:
    """Hold the SQL of every node's standing against Python's; (node, word) of each."""
    at, policy = clock.now(), policy_current()
    seen = set()
    for row in nodes_with_verdicts(standing_annotate(Node.objects.all(), at=at, policy=policy)):
        word = node_standing(row, at, policy=policy).standing
        assert row.standing == word
        seen.add((bytes(row.node_id), str(word)))
    return seen


def test_one_refused_report_is_probation_and_the_third_fails(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    good = attest(node, Behaviour())
    assert standing(node)["standing"] == "attested"
    refused = attest(node, BAD_SIGNATURE)
    assert refused["status"] == "contraindicated"
    now = standing(node)
    assert (now["standing"], now["counts"], now["strikes"]) == ("probation", True, 1)
    # It rests on the accepted report, and only until that one's time is over.
    assert now["fresh_until"] == good["fresh_until"]
    assert "1 of 3 strikes" in now["sentence"]
    assert "10 more accepted reports" in now["next_step"]
    with later(2701):
        ended = standing(node)
        assert (ended["standing"], ended["counts"]) == ("failed", False)
        assert "not signed by the leaf" in ended["sentence"]
    assert (node.node_id, "probation") in sql_agrees()
    attest(node, BAD_SIGNATURE)
    assert standing(node)["standing"] == "probation"
    assert not Incident.objects.exists()
    attest(node, BAD_SIGNATURE)
    now = standing(node)
    assert (now["standing"], now["counts"], now["strikes"]) == ("failed", False, 3)
    assert (node.node_id, "failed") in sql_agrees()
    incident = Incident.objects.get()
    assert (incident.state, incident.code, incident.strikes) == ("open", "sig.report", 3)
    newest = Verdict.objects.order_by("-pk").first()
    assert newest is not None
    assert bytes(incident.evidence_hash) == bytes(newest.verdict_hash)
    assert "10 accepted reports in a row" in incident.next_step
    # A fourth is one strike more in the same incident.
    attest(node, BAD_SIGNATURE)
    assert Incident.objects.get().strikes == 4


def test_a_good_report_counts_at_once_and_ten_clear_the_strikes(
    make_node: MakeNode, service: World
) -> None:
    node = make_node(gpu_count=1)
    service.parameters_set(attest__trust_consecutive=5)
    service.settle()
    attest(node, Behaviour())
    attest(node, BAD_SIGNATURE)
    attest(node, Behaviour(), times=4)
    now = standing(node)
    assert (now["standing"], now["strikes"], now["good_in_row"]) == ("probation", 1, 4)
    # One refused report begins the count anew.
    attest(node, BAD_SIGNATURE, times=2)
    assert (standing(node)["standing"], standing(node)["strikes"]) == ("failed", 3)
    attest(node, Behaviour(), times=4)
    assert standing(node)["standing"] == "failed"
    attest(node, Behaviour())
    now = standing(node)
    assert (now["standing"], now["strikes"], now["good_in_row"]) == ("attested", 0, 5)
    incident = Incident.objects.get()
    assert (incident.state, incident.closed_at is not None) == ("cured", True)
    assert [event.action for event in incident.events.all()] == ["opened", "cured"]
    assert Strike.objects.count() == 3


def test_a_repeated_request_is_one_strike(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    attest(node, Behaviour())
    behave(node, BAD_SIGNATURE)
    body = node.report(node.challenge())
    answers = [node.post("attestations", body, idempotency_key="round-00001") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    # And the same answer under another key is none at all: its challenge is used up.
    again = node.post("attestations", body | {"seq": 3}, idempotency_key="round-00002")
    assert again.status_code == 409
    assert (Strike.objects.count(), AttestationState.objects.get().strikes) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_requests_repeated_at_once_are_one_strike(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    attest(node, Behaviour())
    behave(node, BAD_SIGNATURE)
    body = node.report(node.challenge())

    def send(index: int) -> int:
        from django.db import connection

        try:
            return int(node.post("attestations", body, idempotency_key="round-00001").status_code)
        finally:
            connection.close()

    assert 201 in in_threads(4, send)
    assert (Strike.objects.count(), AttestationState.objects.get().strikes) == (1, 1)


def test_what_is_only_observed_never_strikes(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    verdict = attest(node, CHANGED, times=4)
    assert verdict["status"] == "warning"
    now = standing(node)
    assert (now["standing"], now["strikes"], now["good_in_row"]) == ("attested", 0, 4)
    assert not Strike.objects.exists()


def test_what_is_not_the_nodes_fault_never_strikes(make_node: MakeNode) -> None:
    """A report that proves too little for its class is refused, and nobody is accused."""
    node = make_node()
    attest(node, Behaviour())
    node.can_attest = False
    codes = set()
    for _ in range(4):
        answer = node.attest()
        assert answer.status_code == 201, answer.content
        verdict = answer.json()["verdict"]
        assert verdict["status"] == "contraindicated"
        codes |= {f["code"] for f in verdict["findings"]["findings"] if f["severity"] == "error"}
    assert codes == {"tier.required"}
    now = standing(node)
    assert (now["standing"], now["strikes"]) == ("attested", 0)
    assert "does not count, without a strike" in now["sentence"]
    with later(2701):
        assert standing(node)["standing"] == "failed"
        assert (node.node_id, "failed") in sql_agrees()
    assert not Strike.objects.exists()


def test_a_node_that_never_was_accepted_fails_at_once(make_node: MakeNode) -> None:
    """There is nothing it could stand on, so nothing moves."""
    node = make_node(gpu_count=1)
    attest(node, BAD_SIGNATURE)
    now = standing(node)
    assert (now["standing"], now["strikes"]) == ("failed", 1)
    assert (node.node_id, "failed") in sql_agrees()
    attest(node, Behaviour())
    assert standing(node)["standing"] == "probation"


def test_a_clock_that_was_set_back(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    with later(3600):
        attest(node, Behaviour())
    # The newest report is older by the clock; it is still the newest.
    attest(node, BAD_SIGNATURE)
    assert standing(node)["standing"] == "probation"
    attest(node, Behaviour())
    now = standing(node)
    assert (now["standing"], now["good_in_row"]) == ("probation", 1)
    assert (node.node_id, "probation") in sql_agrees()


def test_a_verdict_that_was_dropped_with_its_partition(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    attest(node, Behaviour())
    # What a dropped partition leaves: a reference to nothing.
    AttestationState.objects.update(latest_verdict=None, basis_verdict_id=2**40)
    now = standing(node)
    assert (now["standing"], now["counts"]) == ("stale", False)
    assert "older than verdicts are kept" in now["sentence"]
    assert (node.node_id, "stale") in sql_agrees()
    assert Client().get(f"/nodes/0x{node.node_id.hex()}/").status_code == 200
    listed = Client().get("/api/v1/nodes/?standing=stale").json()["results"]
    assert [row["node_id"] for row in listed] == [f"0x{node.node_id.hex()}"]
    attest(node, Behaviour())
    assert standing(node)["standing"] == "attested"


def test_judging_again_moves_what_the_standing_rests_on(
    make_node: MakeNode, service: World
) -> None:
    """After a vote both the accepted report and the newer refused one are judged again, without a
    strike; what is refused now is no ground to stand on."""
    node = make_node(gpu_count=1)
    attest(node, CHANGED)
    attest(node, BAD_SIGNATURE)
    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    assert standing(node)["standing"] == "probation"
    row = Node.objects.get(node_id=node.node_id)
    assert verdict_rejudge(node=row, policy=policy_current(), at=clock.now()) is not None
    assert Verdict.objects.exclude(rejudge_of=None).count() == 2
    now = standing(node)
    assert (now["standing"], now["strikes"]) == ("failed", 1)
    assert (node.node_id, "failed") in sql_agrees()
    assert verdict_rejudge(node=row, policy=policy_current(), at=clock.now()) is None


def test_a_vote_on_the_limit_counts_at_once(make_node: MakeNode, service: World) -> None:
    node = make_node(gpu_count=1)
    attest(node, Behaviour())
    attest(node, BAD_SIGNATURE, times=2)
    assert standing(node)["standing"] == "probation"
    preview = Client().get("/api/v1/policy/preview/?set=slash.strikes:2").json()
    assert preview["counts"]["falls_out"] == 1, preview
    (row,) = preview["results"]
    assert (row["before"], row["after"], row["code"]) == (
        "probation",
        "failed",
        "standing.strikes",
    )
    assert "from 3 to 2" in row["sentence"]
    service.parameters_set(slash__strikes=2)
    service.pass_time(11 * 86_400)
    service.settle()
    with later(0):
        policy = policy_current()
        assert policy.strikes_max == 2
        assert standing(node)["standing"] == "failed"
        assert (node.node_id, "failed") in sql_agrees()


def test_two_nodes_have_their_own_strikes(make_node: MakeNode) -> None:
    one, two = make_node(gpu_count=1, operator=3), make_node(gpu_count=1, operator=4)
    for node in (one, two):
        attest(node, Behaviour())
    attest(one, BAD_SIGNATURE, times=3)
    assert (standing(one)["standing"], standing(two)["standing"]) == ("failed", "attested")
    assert Incident.objects.filter(state=IncidentState.OPEN).count() == 1
    summary = Client().get("/api/v1/network/summary/").json()
    assert (summary["attested_nodes"], summary["standings"]["failed"]) == (1, 1)


def test_the_ladder_says_what_each_tier_proves(db: None) -> None:
    body = Client().get("/api/v1/network/tiers/").json()
    assert [tier["code"] for tier in body["tiers"]] == ["T0", "T1", "T2", "T3", "T4", "T5"]
    assert "relay-resistant, not relay-proof" in body["note"]
    assert all(tier["proves"] and tier["leaves_open"] for tier in body["tiers"])


def test_incidents_are_asked_for_by_node(make_node: MakeNode) -> None:
    node = make_node(gpu_count=1)
    attest(node, Behaviour())
    url = f"{node.path}/incidents/"
    assert Client().get(url).json()["results"] == []
    assert Client().get(f"{node.path}/").json()["tier"]["code"] == "T4"
    # A node without incidents has no section for them, and the ladder in any case.
    page = Client().get(f"/nodes/0x{node.node_id.hex()}/").content.decode()
    assert 'id="incidents"' not in page
    assert "What the tiers prove" in page
    attest(node, BAD_SIGNATURE, times=3)
    (found,) = Client().get(url).json()["results"]
    assert (found["code"], found["state"], found["action"]) == ("sig.report", "open", "waiting")
    assert found["verdict_id"] == Verdict.objects.latest("pk").pk
    for bad, status in (
        ("/api/v1/nodes/0x12/incidents/", 400),
        (f"/api/v1/nodes/0x{'00' * 32}/incidents/", 404),
        (f"{url}?cursor=nonsense", 400),
    ):
        answer = Client().get(bad)
        assert answer.status_code == status, bad
        assert answer.json()["code"]
