"""The policy preview against the real service: what it says is what re-judging then does."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chain import clock
from network.attestation.emulator.gpu import Behaviour, EmulatedGpu
from network.errors import NetworkError
from network.models import Attestation, AttestationState, Challenge, Node, Parameter, Verdict
from network.selectors.policy import policy_current
from network.selectors.preview import PolicyPreview, PreviewRow, policy_preview
from network.selectors.preview_judge import Outcome
from network.selectors.standing import node_standing, nodes_with_verdicts
from network.services.verdicts import verdict_rejudge
from tests.network.conftest import World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
URL = "/api/v1/policy/preview/"


@dataclass
class Fleet:
    """Nodes of every kind. ``marked`` has a changed measurement, ``refused`` an old nonce."""

    good: TestNode
    marked: TestNode
    refused: TestNode
    edge: TestNode
    silent: TestNode


@pytest.fixture
def fleet(make_node: MakeNode, emulator: tuple[Any, Any]) -> Fleet:
    good, marked, refused, silent = (make_node(operator=index) for index in (3, 4, 5, 6))
    edge = make_node(operator=7, gpu_class="edge_iot", gpu_count=1)
    edge.can_attest = False
    changed = Behaviour(changed_measurements=frozenset({9}))
    marked.gpus[1] = EmulatedGpu(emulator[1], "marked", behaviour=changed)
    refused.gpus[0] = EmulatedGpu(emulator[1], "old", behaviour=Behaviour(stale_nonce=True))
    for node in (good, marked, refused, edge):
        assert node.attest().status_code == 201
    return Fleet(good, marked, refused, edge, silent)


def rows_of(preview: PolicyPreview) -> dict[bytes, PreviewRow]:
    return {row.node.node_id: row for row in preview.rows(preview.nodes())}


def ask(*sets: str, **more: Any) -> dict[str, Any]:
    answer = Client().get(f"{URL}?{urlencode([('set', text) for text in sets] + [*more.items()])}")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def refusal(query: str) -> tuple[int, str]:
    answer = Client().get(f"{URL}?{query}")
    body = answer.json()
    assert set(body) == {"code", "detail", "data"}, body
    return answer.status_code, body["code"]


def test_each_node_with_its_reason(fleet: Fleet) -> None:
    preview = policy_preview({"attest.enforce_measurements": "1"})
    rows = rows_of(preview)
    assert preview.counts == {
        "falls_out": 1,
        "comes_back": 0,
        "cannot_tell": 0,
        "stays": 2,
        "stays_out": 2,
    }
    assert preview.attested_before == 3
    assert preview.reasons == [("meas.mismatch", 1)]
    marked = rows[fleet.marked.node_id]
    assert (marked.outcome, marked.before, marked.after) == ("falls_out", "attested", "failed")
    assert marked.code == "meas.mismatch"
    assert "GPU 1: Measurement 9" in marked.sentence
    assert "attest.enforce_measurements from 0 to 1" in marked.sentence
    assert marked.emulated is True
    assert rows[fleet.good.node_id].outcome == "stays"
    assert rows[fleet.refused.node_id].outcome == "stays_out"
    assert "has never sent a report" in rows[fleet.silent.node_id].sentence


def test_a_shorter_ttl_by_the_reports_age(fleet: Fleet) -> None:
    with later(1200):
        preview = policy_preview({"attest.ttl": "600"})
        row = rows_of(preview)[fleet.good.node_id]
        assert (row.outcome, row.after, row.code) == ("falls_out", "stale", "evidence.too_old")
        words = row.sentence.replace("\u00a0", " ")
        assert "would count for 10 min instead of 45 min" in words
        assert "counts again as soon as the node reports" in words
        assert policy_preview({"attest.ttl": "1800"}).falls_out == 0
    with later(3000):
        assert policy_preview({"attest.ttl": "3600"}).comes_back == 3


def test_a_higher_tier(fleet: Fleet) -> None:
    preview = policy_preview({"attest.required_tier_edge_iot": "2"})
    rows = rows_of(preview)
    row = rows[fleet.edge.node_id]
    assert [r.outcome for r in rows.values()].count("falls_out") == 1
    assert (row.outcome, row.code) == ("falls_out", "tier.required")
    assert "class edge_iot would have to prove T2 instead of T1" in row.sentence


def test_fewer_gpus_and_a_lifted_refusal(fleet: Fleet) -> None:
    rows = rows_of(policy_preview({"attest.max_gpus_per_node": "1"}))
    assert rows[fleet.good.node_id].code == "node.too_many_devices"
    assert "from 16 to 1" in rows[fleet.good.node_id].sentence
    assert rows[fleet.edge.node_id].outcome == "stays"
    # A switch turned off takes the refusal back, but it never buys the tier.
    rows = rows_of(policy_preview({"attest.enforce_nonce": "0"}))
    assert rows[fleet.refused.node_id].outcome == "stays_out"
    both = {"attest.enforce_nonce": "0", "attest.required_tier_h100_80g": "1"}
    row = rows_of(policy_preview(both))[fleet.refused.node_id]
    # Its strike stays: a vote forgives no report.
    assert (row.outcome, row.before, row.after) == ("comes_back", "failed", "probation")
    assert "attest.enforce_nonce from 1 to 0 only marks it" in row.sentence


PROPOSALS = [
    {"attest.enforce_measurements": "1"},
    {"attest.enforce_nonce": "0"},
    {"attest.enforce_nonce": "0", "attest.required_tier_h100_80g": "1"},
    {"attest.enforce_signature": "0", "attest.enforce_chain": "0"},
    {"attest.required_tier_h100_80g": "5"},
    {"attest.required_tier_edge_iot": "0"},
    {"attest.required_tier_edge_iot": "2", "attest.enforce_measurements": "1"},
    {"attest.max_gpus_per_node": "1"},
    {"attest.ttl": "600"},
    {"attest.ttl": "3600", "attest.enforce_measurements": "1"},
    {"attest.report_interval": "1200"},
]


@pytest.mark.parametrize("ahead", [0, 1200, 3000])
def test_the_preview_is_what_judging_again_does(fleet: Fleet, ahead: int) -> None:
    """Every proposal, really judged again with the cryptography of the verifier, and undone."""
    with later(ahead):
        for values in PROPOSALS:
            preview = policy_preview(values)
            for node_id, row in rows_of(preview).items():
                with transaction.atomic():
                    node = Node.objects.get(node_id=node_id)
                    policy = preview.compared.proposed
                    verdict_rejudge(node=node, policy=policy, at=preview.at)
                    node = nodes_with_verdicts(Node.objects.filter(node_id=node_id)).get()
                    word = node_standing(node, preview.at, policy=policy).standing
                    transaction.set_rollback(True)
                assert row.outcome != Outcome.CANNOT_TELL
                assert row.after == word, (values, row)


def test_nothing_is_written(fleet: Fleet) -> None:
    with CaptureQueriesContext(connection) as queries:
        rows_of(policy_preview({"attest.enforce_measurements": "1"}))
    assert {query["sql"].lstrip("(").split()[0] for query in queries} == {"SELECT"}


def test_no_attested_nodes(service: World) -> None:
    preview = policy_preview({"attest.ttl": "600"})
    assert preview.attested_before == 0
    assert set(preview.counts.values()) == {0}
    assert ask("attest.ttl:600")["results"] == []


def test_what_a_stored_verdict_does_not_answer(fleet: Fleet) -> None:
    preview = policy_preview({"attest.nonce_ttl": "60"})
    row = rows_of(preview)[fleet.good.node_id]
    assert (row.outcome, row.after, preview.cannot_tell) == ("cannot_tell", "", 3)
    assert "how fast the node answered" in row.sentence
    # More time can harm nobody.
    assert policy_preview({"attest.nonce_ttl": "180"}).cannot_tell == 0
    preview = policy_preview({"attest.report_interval": "1200"})
    assert [change.bearing for change in preview.changes] == ["none"]


def test_a_list_of_which_the_chain_holds_the_root(fleet: Fleet) -> None:
    ttl = Parameter.objects.get(name="attest.ttl")
    Parameter.objects.filter(name="attest.driver_digest_root").delete()
    root = copy(ttl)
    root.key, root.name, root.kind = b"\x77" * 32, "attest.driver_digest_root", "BYTES32"
    root.defined_value = f"0x{'00' * 32}"
    root.save(force_insert=True)
    preview = policy_preview({root.name: f"0x{'AB' * 32}"})
    row = rows_of(preview)[fleet.good.node_id]
    assert row.outcome == "cannot_tell"
    assert "holds only the root of this list" in row.sentence
    assert preview.changes[0].proposed == f"0x{'ab' * 32}"
    # Taking the list away refuses nobody.
    assert policy_preview({root.name: f"0x{'00' * 32}", "attest.ttl": "1800"}).cannot_tell == 0
    assert refusal(urlencode({"set": f"{root.name}:0xzz"})) == (400, "value_malformed")


def test_a_vote_that_nobody_judged_by_yet_is_not_the_proposals_doing(
    fleet: Fleet, service: World
) -> None:
    service.parameters_set(attest__enforce_measurements=1)
    service.settle()
    preview = policy_preview({"attest.report_interval": "1200"})
    row = rows_of(preview)[fleet.marked.node_id]
    assert (preview.falls_out, row.outcome, row.before) == (0, "stays_out", "failed")
    assert "refuses this already from the node's next report on" in row.sentence
    preview = policy_preview({"attest.enforce_measurements": "0"})
    assert rows_of(preview)[fleet.marked.node_id].outcome == "comes_back"


HOSTILE = [
    "attest.ttl\x00",
    "attest.ttl'; DROP TABLE network_node; --",
    "",
    "a" * 400,
    "__class__",
    "%s%n{0}",
    "ätt.ttl",
    "\ud800",
    "\n\u202e",
    "attest.required_tier_",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_unknown(indexed: World, name: str) -> None:
    with pytest.raises(NetworkError) as caught:
        policy_preview({name: "1"})
    assert (caught.value.code, caught.value.http_status) == ("parameter_unknown", 400)
    assert caught.value.detail.isascii()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "set_missing"),
        ("set=attest.ttl", "set_malformed"),
        ("set=attest.ttl:", "set_malformed"),
        ("set=:600", "set_malformed"),
        ("set=attest.ttl:600&set=attest.ttl:660", "parameter_twice"),
        ("set=no.such:1", "parameter_unknown"),
        ("set=attest.ttl:ten", "value_malformed"),
        ("set=attest.ttl:-60", "value_malformed"),
        ("set=attest.ttl:6e2", "value_malformed"),
        ("set=attest.ttl:1:2", "value_malformed"),
        (f"set=attest.ttl:{'9' * 79}", "value_malformed"),
        ("set=attest.ttl:60", "value_out_of_bounds"),
        ("set=attest.ttl:604860", "value_out_of_bounds"),
        ("set=attest.enforce_nonce:2", "value_out_of_bounds"),
        ("set=attest.required_tier_edge_iot:6", "value_out_of_bounds"),
        ("set=attest.ttl:601", "value_off_step"),
        ("&".join(f"set=attest.x{n}:1" for n in range(11)), "set_too_many"),
        ("set=attest.ttl%00:600", "query_malformed"),
        (f"set=attest.ttl:{'0' * 600}", "query_too_long"),
        ("set=attest.ttl:600&outcome=perhaps", "filter_invalid"),
        ("set=attest.ttl:600&limit=0", "limit_invalid"),
        ("set=attest.ttl:600&cursor=damaged", "cursor_invalid"),
    ],
)
def test_refusals_are_coded(indexed: World, query: str, code: str) -> None:
    assert refusal(query) == (400, code)


def test_before_anything_is_final(world: World) -> None:
    assert refusal("set=attest.ttl:600") == (503, "policy_unavailable")


def test_the_answer_of_the_api(fleet: Fleet) -> None:
    body = ask("attest.enforce_measurements:1", "attest.required_tier_edge_iot:2")
    policy = policy_current()
    assert body["policy"]["block_number"] == policy.block_number
    assert body["policy"]["hash"] == f"0x{policy.digest.hex()}"
    assert body["attested_before"] == 3
    assert body["counts"]["falls_out"] == body["emulated"]["falls_out"] + 1 == 2
    assert body["reasons"] == [
        {"code": "meas.mismatch", "nodes": 1},
        {"code": "tier.required", "nodes": 1},
    ]
    assert [change["current_human"] for change in body["changes"]] == [
        "0, observe",
        "T1, inventory signed by the node",
    ]
    # The newest registration first; only those that fall out, unless asked otherwise.
    assert [row["node_id"] for row in body["results"]] == [
        f"0x{fleet.edge.node_id.hex()}",
        f"0x{fleet.marked.node_id.hex()}",
    ]
    everyone = ask("attest.enforce_measurements:1", outcome="all")["results"]
    assert len(everyone) == 5
    stays = ask("attest.enforce_measurements:1", outcome="stays")["results"]
    assert {row["outcome"] for row in stays} == {"stays"}
    # With and without the slash.
    assert Client().get(f"{URL.rstrip('/')}?set=attest.ttl:600").status_code == 200


def test_pages_of_the_list(fleet: Fleet) -> None:
    seen, url = [], f"{URL}?set=attest.enforce_measurements:1&outcome=all&limit=2"
    for _ in range(3):
        body = Client().get(url).json()
        seen += [row["node_id"] for row in body["results"]]
        url = body["next"]
    assert url is None
    assert len(seen) == len(set(seen)) == 5


def clone(original: TestNode, count: int) -> None:
    """Copies of a node with its report and verdict: a fleet without the fleet's cryptography."""
    node = Node.objects.get(node_id=original.node_id)
    state = AttestationState.objects.get(node_id=original.node_id)
    verdict = state.latest_verdict
    assert verdict is not None
    report = verdict.attestation
    challenge = report.challenge
    ids = [index.to_bytes(32, "big") for index in range(1, count + 1)]

    def copies(row: Any, **changes: Callable[[int], Any]) -> list[Any]:
        made = []
        for index in range(count):
            new = copy(row)
            for name, value in changes.items():
                setattr(new, name, value(index))
            made.append(new)
        return type(row).objects.bulk_create(made)

    copies(node, node_id=ids.__getitem__, position=lambda i: 10**12 + i)
    copies(challenge, nonce=ids.__getitem__, node_id=ids.__getitem__)
    reports = copies(
        report,
        pk=lambda i: None,
        node_id=ids.__getitem__,
        challenge_id=ids.__getitem__,
        report_hash=ids.__getitem__,
    )
    verdicts = copies(
        verdict,
        pk=lambda i: None,
        node_id=ids.__getitem__,
        attestation_id=lambda i: reports[i].pk,
    )
    copies(
        state,
        node_id=ids.__getitem__,
        latest_verdict_id=lambda i: verdicts[i].pk,
        basis_verdict_id=lambda i: verdicts[i].pk,
    )


def test_the_cost_does_not_grow_in_queries_and_no_evidence_is_read(fleet: Fleet) -> None:
    query = f"{URL}?set=attest.enforce_measurements:1"
    counts = []
    for count in (0, 400):
        if count:
            clone(fleet.marked, count)
        policy_current()
        with CaptureQueriesContext(connection) as queries:
            body = Client().get(query).json()
        counts.append(len(queries))
        assert body["counts"]["falls_out"] == count + 1
        assert len(body["results"]) == min(count + 1, 25)
        for sql in (item["sql"] for item in queries):
            for column in ('"evidence"', '"ear_jwt"', '"evidence_sha256"'):
                assert column not in sql
        # Whole findings are read for the page's own rows alone.
        column = re.compile(r', (?:"network_verdict"|T\d+)\."findings"')
        whole = [q["sql"] for q in queries if column.search(q["sql"])]
        assert len(whole) == 1
        assert "LIMIT 26" in whole[0]
    assert counts[0] == counts[1] <= 10


def test_what_the_preview_says_happens(fleet: Fleet, service: World) -> None:
    """Ask, change the parameters on the real chain, report again, compare."""
    preview = policy_preview(
        {"attest.enforce_measurements": "1", "attest.required_tier_edge_iot": "2"}
    )
    said = rows_of(preview)
    assert {row.node.node_id for row in said.values() if row.outcome == "falls_out"} == {
        fleet.marked.node_id,
        fleet.edge.node_id,
    }
    service.parameters_set(attest__enforce_measurements=1, attest__required_tier_edge_iot=2)
    service.settle()
    # A tier is for reports made afterwards: it waits for the next boundary.
    service.pass_time(3700)
    service.index()
    assert policy_current().values["attest.required_tier_edge_iot"] == "2"
    strikes_max = policy_current().strikes_max
    for node in (fleet.good, fleet.marked, fleet.refused, fleet.edge):
        # Evidence that is refused ends a standing by its strikes, never by one report.
        for _ in range(strikes_max if node is fleet.marked else 1):
            answer = node.attest()
            assert answer.status_code == 201, answer.content
        now = answer.json()["verdict"]["standing"]
        row = said[node.node_id]
        assert now["standing"] == row.after, row
        if row.outcome == "falls_out":
            codes = {item["code"] for item in answer.json()["verdict"]["findings"]["findings"]}
            assert row.code in codes
    again = policy_preview({"attest.enforce_measurements": "1"})
    assert again.falls_out == 0
    assert not Verdict.objects.filter(node_id=fleet.silent.node_id).exists()
    assert Attestation.objects.count() == Challenge.objects.filter(purpose="attest").count() == 10
    assert clock.now() >= again.at


def test_values_that_undo_each_other(fleet: Fleet) -> None:
    """Every pair of proposals is judged as one policy, not as two."""
    for first, second in itertools.combinations(PROPOSALS[:6], 2):
        together = policy_preview({**first, **second})
        assert sum(together.counts.values()) == 5
        assert together.attested_before == 3
