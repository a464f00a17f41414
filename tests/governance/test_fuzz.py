"""Any JSON at any writing endpoint: a coded refusal or an answer, never a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.governance.conftest import Dao
from tests.governance.wallets import JSON, sign_in

pytestmark = [pytest.mark.chain, pytest.mark.django_db]

FIELDS = (
    "address signature title description actions step version hash purpose proposal_id from to "
    "data value_wei body parent_id reason note proposer type changes name value asset recipient "
    "amount_wei target calldata function args"
).split()
ADDRESS = "0x" + "1f" * 20
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**300), 2**300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40),
    st.sampled_from(
        [
            ADDRESS,
            "0x",
            "0xzz",
            "0x" + "00" * 32,
            "0",
            "1",
            "-1",
            str(2**256),
            "attest.ttl",
            "ETH",
            "ALT",
            "parameter_set",
            "transfer",
            "custom_call",
            "vote",
            "scam",
            "setVotingDelay",
        ]
    ),
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(FIELDS), inner, max_size=8),
    ),
    max_leaves=20,
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), OBJECTS, max_size=10)
PATHS = (
    ("post", "/auth/siwe/start"),
    ("post", "/auth/siwe"),
    ("post", "/api/v1/drafts/"),
    ("put", "/api/v1/drafts/00000000-0000-0000-0000-000000000000/"),
    ("post", "/api/v1/proposals/preview/"),
    ("post", "/api/v1/transactions/"),
    ("post", "/api/v1/transactions/simulate/"),
    ("post", "/api/v1/proposals/1/comments/"),
    ("patch", "/api/v1/comments/1/"),
    ("post", "/api/v1/proposals/1/report/"),
)


@pytest.fixture
def member(dao: Dao, client: Client) -> Client:
    """Signed in, beside one proposal."""
    dao.propose()
    dao.index()
    sign_in(client, dao.accounts[0])
    client.raise_request_exception = True
    return client


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES, path=st.sampled_from(PATHS))
def test_no_body_fails_the_service(member: Client, body: dict[str, Any], path: Any) -> None:
    method, address = path
    answer = getattr(member, method)(address, json.dumps(body), content_type=JSON)
    assert answer.status_code < 500, answer.content
    if answer.status_code >= 400:
        assert set(answer.json()) == {"code", "detail", "data"}


ACTIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["parameter_set", "transfer", "custom_call"])},
    optional={
        "changes": st.lists(
            st.fixed_dictionaries(
                {
                    "name": st.sampled_from(["attest.ttl", "attest.nonce_ttl", "no.such", ""]),
                    "value": st.one_of(
                        st.integers(0, 2**260).map(str), st.just("0x" + "ab" * 32), st.just("-1")
                    ),
                }
            ),
            max_size=3,
        ),
        "asset": st.sampled_from(["ETH", "ALT", ADDRESS, "DOGE"]),
        "recipient": st.sampled_from([ADDRESS, "0x" + "00" * 20, "0x12"]),
        "amount_wei": st.integers(0, 2**256).map(str),
        "target": st.sampled_from([ADDRESS, "0x" + "00" * 19 + "01"]),
        "value_wei": st.integers(0, 2**256).map(str),
        "calldata": st.binary(max_size=100).map(lambda data: f"0x{data.hex()}"),
        "function": st.sampled_from(["setVotingDelay", "propose", "x"]),
        "args": st.lists(OBJECTS, max_size=4),
    },
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(actions=st.lists(ACTIONS, min_size=1, max_size=4), title=st.text(min_size=1, max_size=30))
def test_no_proposal_fails_the_preview(
    member: Client, actions: list[dict[str, Any]], title: str
) -> None:
    body = {"title": title, "description": "Pay 5 ALT.", "actions": actions}
    answer = member.post("/api/v1/proposals/preview/", json.dumps(body), content_type=JSON)
    assert answer.status_code in (200, 400), answer.content
