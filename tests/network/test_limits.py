"""Who may ask how often, and how many reports are judged at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.db import connection

from network.models import Attestation, IdempotencyKey
from network.services.slots import LOCK_CLASS
from tests.network.nodes import TestNode, in_threads
from tests.network.test_api_attestation import code

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
CHALLENGES = "/api/v1/attestations/challenges"


@pytest.fixture
def rates(settings: Any) -> Iterator[Callable[..., None]]:
    """Set rates by scope, and begin to count anew."""

    def change(**values: str) -> None:
        found = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] | values
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": found}
        cache.clear()

    yield change
    cache.clear()


def unsigned(node: TestNode) -> Any:
    return node.client.post(CHALLENGES, {}, "application/json")


def test_nodes_behind_one_address_do_not_use_up_each_others_rate(
    make_node: MakeNode, rates: Callable[..., None]
) -> None:
    nodes = [make_node(operator=index, gpu_count=1) for index in (3, 4, 5)]
    rates(write="2/min", node="4/min")
    for _ in range(2):
        assert [node.attest().status_code for node in nodes] == [201] * 3
    # Each has its own: four requests were made by each.
    assert code(nodes[0].post("challenges")) == (429, "throttled")


def test_strangers_are_counted_by_address_and_nodes_go_on(
    make_node: MakeNode, rates: Callable[..., None]
) -> None:
    node = make_node(gpu_count=1)
    rates(write="3/min")
    assert code(node.post("challenges", key=Ed25519PrivateKey.generate())) == (401, "key_unknown")
    assert code(node.post("challenges", headers={"Signature": "althing=:AAAA:"})) == (
        401,
        "signature_invalid",
    )
    assert code(unsigned(node)) == (401, "signature_missing")
    refused = unsigned(node)
    assert code(refused) == (429, "throttled")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert code(node.post("challenges", key=Ed25519PrivateKey.generate())) == (429, "throttled")
    assert code(node.post("challenges", headers={"Signature": "althing=:AAAA:"})) == (
        429,
        "throttled",
    )
    # The node at the same address is none of them.
    assert node.attest().status_code == 201


def test_a_fault_of_ours_is_not_counted_for_the_address(
    make_node: MakeNode, rates: Callable[..., None]
) -> None:
    from chain.models import Cursor

    node = make_node(gpu_count=1)
    rates(write="1/min")
    cursor = Cursor.objects.get()
    Cursor.objects.all().delete()
    for _ in range(3):
        assert code(node.post("challenges")) == (503, "policy_unavailable")
    cursor.save(force_insert=True)
    assert code(unsigned(node)) == (401, "signature_missing")


@pytest.mark.django_db(transaction=True)
def test_more_reports_at_once_than_slots_are_told_to_come_back(
    make_node: MakeNode, settings: Any
) -> None:
    """The only slot is held by another connection, as a process judging a large report does."""
    settings.ATTEST_CONCURRENCY = 1
    node = make_node(gpu_count=1)
    raw = json.dumps(node.report(node.challenge())).encode()

    def hold(_: int) -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s, 1)", [LOCK_CLASS])
            main = in_threads(1, lambda _: send())[0]
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 1)", [LOCK_CLASS])
            return main
        finally:
            connection.close()

    def send() -> Any:
        try:
            return node.post("attestations", raw=raw, idempotency_key="round-00001")
        finally:
            connection.close()

    busy = in_threads(1, hold)[0]
    assert code(busy) == (503, "judging_busy")
    assert busy.headers["Retry-After"] == "2"
    assert not Attestation.objects.exists()
    # The very same request is judged when there is room; and the slot is free after it.
    for _ in range(2):
        answer = node.post("attestations", raw=raw, idempotency_key="round-00001")
        assert answer.status_code == 201, answer.content
    assert node.attest().status_code == 201
    assert Attestation.objects.count() == 2


def test_what_can_be_read_again_is_not_kept_with_the_answer(make_node: MakeNode) -> None:
    node = make_node()
    body = node.report(node.challenge())
    first = node.post("attestations", body, idempotency_key="round-00001")
    row = IdempotencyKey.objects.get(key="round-00001")
    kept, whole = json.dumps(row.response), first.content
    assert row.response["verdict"]["id"] == first.json()["verdict"]["id"]
    assert not {"findings", "policy", "ear_jwt"} & set(row.response["verdict"])
    assert len(kept) < len(whole) / 4
    again = node.post("attestations", body, idempotency_key="round-00001")
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
