"""The network's pages: every state, what they say, and how many queries they need."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from network.attestation.codes import CODES
from network.attestation.emulator import Behaviour, EmulatedGpu
from tests.network.conftest import GUARDIAN, World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
#: UI.md: at most so many queries a page.
QUERIES_MAX = 12


def page(path: str, *, status: int = 200) -> str:
    """Get a page; check what holds for all of them."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = Client().get(path)
    assert answer.status_code == status, (path, answer.status_code)
    html = answer.content.decode()
    if status == 200:
        assert len(queries) <= QUERIES_MAX, "\n".join(q["sql"][:160] for q in queries)
        assert html.count("<h1") == 1
        assert not re.search(r"\sstyle=", html)
        assert not re.search(r"<script(?![^>]*\ssrc=)", html)
        assert not re.search(r"\son\w+=", html)
        assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    return html


def words(html: str) -> str:
    """The text a reader sees, spaces made plain."""
    text = re.sub(r"<[^>]+>", " ", html)
    return re.sub(r"[\s\u00a0\u202f]+", " ", text)


def test_pages_before_anything_is_indexed(world: World) -> None:
    assert "No parameter is defined yet" in page("/parameters/")
    assert "Nothing can be judged yet" in page("/nodes/")
    page("/parameters/attest.ttl/", status=404)
    page("/nodes/0x12/", status=404)


def test_parameters_in_words(indexed: World) -> None:
    text = words(page("/parameters/"))
    assert "2 700 s (45 min)" in text
    assert "420 ALT per GPU" in text
    assert "T4, report signed by the GPU" in text
    assert "as first defined" in text
    found = page("/parameters/?q=ttl")
    assert "attest.nonce_ttl" in found
    assert "stake.min_provider" not in found
    assert "No such parameter" in page("/parameters/?q=no.such.key")
    page("/parameters/?sort=sideways", status=400)
    page("/parameters/?q=%00", status=400)


def test_a_parameter_with_its_history(indexed: World) -> None:
    tx = indexed.parameters_set(attest__ttl=1800)
    indexed.settle()
    html = page("/parameters/attest.ttl/")
    text = words(html)
    assert "1 800 s (30 min)" in text
    assert "<polyline" in html
    assert f"0x{tx.hex()}" in html
    assert "A vote" in text
    assert "/proposals/new/?parameter=attest.ttl" in html
    assert "In force" in text
    assert "First deployment" in text
    assert "by a vote" in words(page("/parameters/"))


def test_a_pending_and_a_tightened_parameter(indexed: World) -> None:
    indexed.parameters_set(stake__per_gpu_h100_80g=460 * 10**18)
    guardian = indexed.accounts[GUARDIAN].address
    from tests.network.conftest import parameter

    indexed.settle()
    key = parameter("attest.enforce_measurements").key
    indexed.send(guardian, "NetworkParameters", "tighten", (key, (1).to_bytes(32, "big")))
    indexed.settle()
    text = words(page("/parameters/"))
    assert "Pending" in text
    assert "420 ALT per GPU → 460 ALT per GPU" in text
    assert "by the guardian until" in text
    assert "Accepted and waiting" in page("/parameters/stake.per_gpu_h100_80g/")
    assert "Tightened by the guardian" in page("/parameters/attest.enforce_measurements/")
    assert "stake.min_provider" not in page("/parameters/?pending=on")


def test_nodes_in_every_standing(make_node: MakeNode, service: World) -> None:
    assert "No nodes registered" in page("/nodes/")
    node, silent = make_node(), make_node(operator=4, proven=False)
    assert node.attest().status_code == 201
    text = words(page("/nodes/"))
    assert "Attested" in text
    assert "Never attested" in text
    assert "emulated" in text
    assert f"0x{silent.node_id.hex()}" not in page("/nodes/?standing=attested")
    assert "No such nodes" in page("/nodes/?standing=failed")
    assert f"0x{node.node_id.hex()}" in page(f"/nodes/?q=0x{node.node_id.hex()}")
    page("/nodes/?standing=unknown", status=400)
    page("/nodes/?cursor=damaged", status=400)

    detail = words(page(f"/nodes/0x{node.node_id.hex()}/"))
    assert "counts for 45 min under policy 0" in detail
    assert "Emulated GPUs" in detail
    assert "not proven" not in detail
    empty = words(page(f"/nodes/{silent.node_id.hex()}/"))
    assert "No reports yet" in empty
    assert "has not proven the node's keys yet" in empty.replace("&#x27;", "'")


def test_the_page_says_why_a_report_is_stale_after_a_vote(
    make_node: MakeNode, service: World
) -> None:
    node = make_node()
    assert node.attest().status_code == 201
    service.parameters_set(attest__ttl=1800)
    service.settle()
    with later(2000):
        text = words(page(f"/nodes/0x{node.node_id.hex()}/"))
        assert "Stale" in text
        assert "let it count for 45 min; policy 1 lets it count for 30 min" in text
        assert "policy 0 → 1" in words(page("/nodes/"))


def test_a_finding_says_what_it_means_and_what_to_do(
    make_node: MakeNode, emulator: tuple[Any, Any]
) -> None:
    node = make_node()
    label = node.gpus[0].label
    node.gpus[0] = EmulatedGpu(emulator[1], label, behaviour=Behaviour(bad_signature=True))
    assert node.attest().json()["verdict"]["status"] == "contraindicated"
    html = page(f"/nodes/0x{node.node_id.hex()}/")
    assert f"Next: {CODES['sig.report'].next_step}" in words(html)
    assert CODES["sig.report"].meaning in unescape(html)
    link = re.search(r'href="(/api/docs/)#(code-sig\.report)"', html)
    assert link
    # Where the link leads, every code stands with both.
    listed = page(link[1])
    assert f'id="{link[2]}"' in listed
    text = words(listed)
    for code, entry in CODES.items():
        assert f"{code} {entry.meaning} {entry.next_step}" in unescape(text)
    # A note asks for nothing.
    assert CODES["fwid.absent"].next_step not in words(html)


def test_the_documentation_and_its_explorer(world: World, settings: Any) -> None:
    text = words(page("/api/docs/"))
    assert "/api/v1/attestations/challenges/" in text
    assert "seq_conflict" in text
    answer = Client().get("/api/docs/explorer/")
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy + ";"
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.content.decode())
    script = Client().get("/api/docs/explorer/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
