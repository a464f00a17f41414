"""Epochs and proofs by API: what the ledger accepts, what is said before there is a proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from eth_utils import keccak

from chain.client import chain_call
from network.epochs import pieces
from network.epochs.digest import canonical_json
from network.epochs.merkle import LedgerEpoch, VerdictLeaf, leaf_hash, proof_verify
from network.models import EpochLeaf, Verdict
from network.services.epochs_anchor import epochs_tick
from tests.network.anchoring import DAY_S, LEDGER, Anchoring, anchoring, attested

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
Attested = Callable[..., Any]


def get(path: str, status: int = 200) -> dict[str, Any]:
    with CaptureQueriesContext(connection) as queries:
        answer = Client().get(f"/api/v1/{path}")
    assert answer.status_code == status, answer.content
    assert len(queries) <= 16, "\n".join(query["sql"][:160] for query in queries)
    return dict(answer.json())


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def accepted(proof: dict[str, Any]) -> bool:
    """What the ledger answers to a proof as the API gave it."""
    leaf = tuple(
        raw(value) if isinstance(value, str) else value for value in proof["leaf"].values()
    )
    siblings = [raw(sibling) for sibling in proof["siblings"]]
    return bool(chain_call(LEDGER, "verify", (proof["epoch"], leaf, proof["index"], siblings)))


def recomputed(proof: dict[str, Any]) -> bool:
    """The same without asking anybody."""
    given = {
        name: raw(value) if isinstance(value, str) else value
        for name, value in proof["leaf"].items()
    }
    place = LedgerEpoch(proof["chain_id"], raw(proof["ledger"]), proof["epoch"])
    hashed = leaf_hash(VerdictLeaf(**given), place=place, index=proof["index"])
    return hashed == raw(proof["leaf_hash"]) and proof_verify(
        root=raw(proof["root"]),
        count=proof["count"],
        index=proof["index"],
        leaf=hashed,
        proof=[raw(sibling) for sibling in proof["siblings"]],
    )


def test_the_ledger_accepts_every_proof_of_the_api(
    anchoring: Anchoring, attested: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 2)
    attested(1000, 1900)
    attested(DAY_S - 100, gpu_count=1)
    anchoring.anchor(0)
    anchoring.until(chain_call(LEDGER, "usableAt", (0,)))
    for verdict in Verdict.objects.all():
        proof = get(f"verdicts/{verdict.pk}/proof/")
        assert (proof["status"], proof["count"]) == ("usable", 3)
        assert accepted(proof)
        assert recomputed(proof)
        assert not accepted({**proof, "leaf": {**proof["leaf"], "tier": 5}})
        assert keccak(canonical_json(proof["published"])) == raw(proof["leaf"]["verdict_hash"])
        shown = get(f"verdicts/{verdict.pk}/")
        assert shown["verdict_hash"] == proof["leaf"]["verdict_hash"]
        assert proof["published"]["findings"]["devices"] == shown["findings"]["devices"]


def test_a_verdict_in_two_epochs_has_two_proofs(anchoring: Anchoring, attested: Attested) -> None:
    attested(DAY_S - 1000)
    anchoring.anchor(0)
    anchoring.anchor(1)
    (pk,) = Verdict.objects.values_list("pk", flat=True)
    first, second = get(f"verdicts/{pk}/proof/"), get(f"verdicts/{pk}/proof/?epoch=1")
    assert first["epochs"] == second["epochs"] == [0, 1]
    assert [p["leaf"]["seconds_attested"] for p in (first, second)] == [1000, 1700]
    assert recomputed(first)
    assert recomputed(second)
    refused = get(f"verdicts/{pk}/proof/?epoch=2", 404)
    assert (refused["code"], refused["data"]) == ("leaf_unknown", {"epochs": [0, 1]})


def test_before_there_is_a_proof_it_says_when(anchoring: Anchoring, attested: Attested) -> None:
    made = attested(1000)
    (pk,) = Verdict.objects.values_list("pk", flat=True)
    path = f"verdicts/{pk}/proof/"
    assert get(path, 404)["code"] == "ledger_absent"
    anchoring.until(anchoring.genesis_s + 5000)
    epochs_tick()
    waits = get(path, 409)
    assert waits["code"] == "epoch_not_over"
    assert waits["data"]["epoch"] == 0
    assert waits["data"]["ends_at"] < waits["data"]["expected_at"]
    anchoring.over(0)
    epochs_tick()
    assert get(path, 409)["code"] == "epoch_not_posted"
    assert "expected_at" in get(path, 409)["data"]
    anchoring.send()
    proof = get(path)
    assert proof["status"] == "posted"
    assert proof["usable_at"] > proof["posted_at"]
    anchoring.void(0)
    voided = get(path, 409)
    assert (voided["code"], voided["data"]) == ("epoch_voided", {"epoch": 0})
    with anchoring.at(0, 2000):
        assert made.attest().status_code == 201
    late = Verdict.objects.latest("pk")
    assert get(f"verdicts/{late.pk}/proof/", 409)["data"]["epoch"] == 1


def test_a_verdict_from_before_the_ledger_is_never_anchored(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(-5000)
    anchoring.anchor(0)
    (pk,) = Verdict.objects.values_list("pk", flat=True)
    assert get(f"verdicts/{pk}/proof/", 404)["code"] == "verdict_not_anchored"


def test_damaged_leaves_and_foreign_roots_give_no_proof(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(1000, 2000)
    epoch = anchoring.anchor(0)
    first, second = Verdict.objects.order_by("pk").values_list("pk", flat=True)
    EpochLeaf.objects.filter(verdict_id=second).update(leaf_hash=b"\x09" * 32)
    assert get(f"verdicts/{first}/proof/", 409)["code"] == "epoch_damaged"
    epoch.root = b"\x09" * 32
    epoch.save()
    assert get(f"verdicts/{first}/proof/", 409)["code"] == "epoch_differs"
    assert get("epochs/0/")["status"] == "differs"


@pytest.mark.parametrize("epoch", ["", "-1", "x", "1e3", "0x1", "9" * 19, "1.0", "\u0661"])
def test_an_epoch_that_is_no_number_is_refused(
    anchoring: Anchoring, attested: Attested, epoch: str
) -> None:
    attested(1000)
    (pk,) = Verdict.objects.values_list("pk", flat=True)
    assert get(f"verdicts/{pk}/proof/?epoch={epoch}", 400)["code"] == "filter_invalid"


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**63, 10**30])
def test_what_does_not_exist(anchoring: Anchoring, number: int) -> None:
    assert get(f"verdicts/{number}/proof/", 404)["code"] == "verdict_unknown"
    assert get(f"epochs/{number}/", 404)["code"] == "epoch_unknown"
    assert get(f"epochs/{number}/leaves/", 404)["code"] == "epoch_unknown"


def test_epochs_and_their_leaves_page_by_page(anchoring: Anchoring, attested: Attested) -> None:
    assert get("epochs/")["results"] == []
    attested(1000, 2000)
    anchoring.anchor(0)
    anchoring.over(2)
    epochs_tick()
    page = get("epochs/?limit=2")
    assert [(row["number"], row["status"]) for row in page["results"]] == [(2, "cut"), (1, "cut")]
    following = Client().get(page["next"]).json()
    (oldest,) = following["results"]
    assert (oldest["number"], oldest["status"], oldest["count"]) == (0, "usable", 2)
    assert oldest["posted_tx"] is not None
    assert page["results"][0]["posted_tx"] is None
    detail = get("epochs/0/")
    assert keccak(canonical_json(detail["description"])) == raw(detail["metadata_hash"])
    leaves = get("epochs/0/leaves/")["results"]
    assert [leaf["index"] for leaf in leaves] == [0, 1]
    assert sum(leaf["seconds_attested"] for leaf in leaves) == detail["total_seconds"] == 3700
