"""A node's claims are shown as claims, whatever it sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from network.models import Verdict
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]


def page(node: TestNode) -> str:
    answer = Client().get(f"/nodes/0x{node.node_id.hex()}/")
    assert answer.status_code == 200
    return answer.content.decode()


def claims(node: TestNode) -> Any:
    return Client().get(f"{node.path}/claims/")


@pytest.fixture
def node(make_node: MakeNode) -> TestNode:
    made = make_node(gpu_class="edge_iot", gpu_count=1)
    made.can_attest = False
    return made


def test_before_the_first_report_there_are_none(node: TestNode) -> None:
    answer = claims(node)
    assert (answer.status_code, answer.json()["code"]) == (404, "report_missing")
    assert "What the node says" in page(node)


def test_claims_are_shown_and_are_in_no_token(node: TestNode) -> None:
    card = {
        "uuid": "GPU-1",
        "name": "ALTHING EMULATED edge",
        "power_mw": 71_500,
        "temperature_c": 41,
        "ecc_uncorrected": 3,
        "xid_counts": {"79": 2},
        "mig": True,
    }
    assert node.attest(inventory={"gpus": [card]}).status_code == 201
    assert claims(node).json()["inventory"] == {"gpus": [card]}
    text = page(node)
    for shown in ("71 W", "41 °C", "79: 2", "ALTHING EMULATED edge", "mig"):
        assert shown in text
    assert "temperature" not in str(Verdict.objects.get().findings)


@pytest.mark.parametrize(
    "gpus",
    [
        None,
        7,
        {},
        [],
        [7, None, "GPU", []],
        [{"name": 7, "uuid": {}, "power_mw": "x", "temperature_c": True, "xid_counts": [1]}],
        [
            {
                "name": "<script>alert(1)</script>",
                "power_mw": -(10**70),
                "xid_counts": {"<b>": "<i>"},
            }
        ],
        [{"error": {"detail": "<img src=x>"}}, {"error": "text"}],
        [{"name": "x" * 10_000}] * 200,
    ],
)
def test_no_claim_breaks_the_page_or_gets_into_it_as_markup(node: TestNode, gpus: Any) -> None:
    assert node.attest(inventory={"gpus": gpus}).status_code == 201
    text = page(node)
    for raw in ("<script>alert", "<img src=x>", "<b>", "<i>"):
        assert raw not in text
    assert claims(node).json()["inventory"] == {"gpus": gpus}
