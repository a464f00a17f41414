"""The policy is read once a block and once a request, and never for a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chain.models import Cursor
from network.http_signatures import MAX_SKEW_S
from network.models import Parameter
from network.selectors import policy_at, policy_current
from network.selectors.policy import policy_cache_clear
from tests.network.conftest import World
from tests.network.nodes import TestNode, later

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
MakeNode = Callable[..., TestNode]
#: Statements of a signed report without savepoints: key and node, the policy's five, the
#: signature's nonce, the idempotency key, a slot, the challenge, the report, its devices and
#: collateral, its verdict, the answer.
REPORT_QUERIES_MAX = 30


def asked(caught: CaptureQueriesContext, table: str) -> int:
    """How many of the statements read a table."""
    return sum(f'FROM "{table}"' in query["sql"] for query in caught)


def test_a_block_is_read_once(indexed: World, django_assert_num_queries: Any) -> None:
    policy_cache_clear()
    with django_assert_num_queries(5):
        first = policy_current()
    with django_assert_num_queries(2):
        assert policy_current() is first
    assert first == policy_at(block_number=first.block_number)


def test_a_newer_block_is_another_policy(indexed: World) -> None:
    before = policy_current()
    indexed.parameters_set(attest__ttl=1800)
    indexed.index()
    assert policy_current().ttl_s == 2700
    indexed.settle()
    after = policy_current()
    assert (after.ttl_s, after.version) == (1800, before.version + 1)
    assert after == policy_at(block_number=after.block_number)
    assert before.ttl_s == 2700


def test_what_a_catch_up_has_not_computed_yet_is_not_kept(indexed: World) -> None:
    cursor = Cursor.objects.get()
    indexed.parameters_set(attest__ttl=1800)
    indexed.settle()
    whole = policy_current()
    # As in the middle of a catch-up: the blocks are there, the tables are as before.
    Cursor.objects.update(projected_number=cursor.number)
    parts = policy_current()
    assert parts is not whole
    Cursor.objects.update(projected_number=Cursor.objects.get().number)
    assert policy_current() is whole


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        ({"key": Ed25519PrivateKey.generate()}, "key_unknown"),
        ({"headers": {"Signature": "althing=:AAAA:"}}, "signature_invalid"),
        ({"headers": {"Signature": None}}, "signature_missing"),
    ],
)
def test_a_stranger_does_not_make_us_read_the_policy(
    make_node: MakeNode, spoil: dict[str, Any], code: str
) -> None:
    node = make_node()
    policy_cache_clear()
    with CaptureQueriesContext(connection) as caught:
        answer = node.post("challenges", **spoil)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    tables = {Parameter._meta.db_table, "network_parameterchange", "network_parametertightening"}
    assert [table for table in tables if asked(caught, table)] == []


def test_a_clock_is_judged_by_the_policy_once_the_signature_is_good(make_node: MakeNode) -> None:
    node = make_node()
    skew_s = policy_current().clock_skew_s
    assert skew_s < MAX_SKEW_S
    for ahead_s, expected in ((skew_s - 5, 201), (skew_s + 5, 401), (MAX_SKEW_S + 5, 401)):
        with later(-ahead_s):
            request = node.signed("challenges", lifetime_s=60)
        with later(60):
            answer = node.client.post(**request)
        assert answer.status_code == expected, (ahead_s, answer.content)
        if expected == 401:
            assert answer.json()["code"] == "clock_skew"


def test_a_report_reads_the_policy_once(make_node: MakeNode) -> None:
    node = make_node()
    assert node.attest().status_code == 201
    request = node.signed("attestations", node.report(node.challenge()))
    policy_cache_clear()
    with CaptureQueriesContext(connection) as caught:
        answer = node.client.post(**request)
    assert answer.status_code == 201, answer.content
    assert asked(caught, Parameter._meta.db_table) == 1
    assert asked(caught, "network_parameterchange") == 1
    statements = [query["sql"][:120] for query in caught if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= REPORT_QUERIES_MAX, "\n".join(statements)
    # And a page of a verdict, too.
    policy_cache_clear()
    with CaptureQueriesContext(connection) as caught:
        detail = Client().get(f"/api/v1/verdicts/{answer.json()['verdict']['id']}/")
    assert detail.status_code == 200
    assert asked(caught, Parameter._meta.db_table) == 1
