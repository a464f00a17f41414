"""The OpenAPI description against the running API: valid, complete, and true under fuzzing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.test import EnvironBuilder

from chain import clock
from config.wsgi import application
from network.http_signatures import sign_request
from tests.network.conftest import World
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
#: Cases for each operation; a nightly run sets more.
EXAMPLES = int(os.environ.get("ALTHING_FUZZ_EXAMPLES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def description() -> dict[str, Any]:
    answer = Client().get("/api/v1/schema/")
    assert answer.status_code == 200
    return dict(answer.json())


def test_the_description_is_valid_and_without_warnings(db: None, tmp_path: Any) -> None:
    target = tmp_path / "schema.yml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(target))
    schema = description()
    validate_schema(schema)
    names = [op["operationId"] for path in schema["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


def test_every_operation_documents_its_errors(db: None) -> None:
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            answers = operation["responses"]
            assert any(code.startswith("2") for code in answers), where
            assert {"400", "429", "503"} <= set(answers), where
            if "{" in path:
                assert "404" in answers, where
            if method != "get":
                assert {"413", "415"} <= set(answers), where
            for code, answer in answers.items():
                if code >= "400":
                    reference = answer["content"]["application/json"]["schema"]["$ref"]
                    assert reference.endswith("/Error"), (where, code)


@contextmanager
def open_connection() -> Iterator[None]:
    """The WSGI handler ends a request by closing the connection, on which the test's own
    transaction runs; Django's test client keeps it open in the same way."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


#: The first words of the API's addresses, each fuzzed on its own.
PARTS = [
    "attestations",
    "auth",
    "comments",
    "compute",
    "delegates",
    "drafts",
    "governors",
    "moderation",
    "network",
    "nodes",
    "parameters",
    "policy",
    "proposals",
    "status",
    "transactions",
    "treasury",
    "verdicts",
]
UNLISTED = {"schema"}


def test_every_part_of_the_api_is_fuzzed(db: None) -> None:
    paths = [path.removeprefix("/api/v1/").lstrip("/") for path in description()["paths"]]
    parts = {path.split("/")[0] for path in paths}
    assert parts - UNLISTED == set(PARTS)


@pytest.mark.parametrize(
    ("part", "is_signed"),
    [
        pytest.param("attestations", True, id="attestations-signed"),
        pytest.param("compute", True, id="compute-signed"),
        *((part, False) for part in PARTS),
    ],
)
def test_no_case_meets_a_fault_or_an_undocumented_answer(
    make_node: Callable[..., TestNode], part: str, is_signed: bool
) -> None:
    node = make_node()
    node.attest()
    fuzzed = 0
    with open_connection():
        schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", application)
        for found in schema.include(path_regex=f"^(/api/v1)?/{part}/").get_all_operations():
            fuzz(found.ok(), node if is_signed else None)
            fuzzed += 1
    assert fuzzed


def fuzz(operation: Any, node: TestNode | None) -> None:
    """Try one operation with ``EXAMPLES`` cases; about half of them name what exists."""

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        if node is not None:
            case.headers = {**(case.headers or {}), **signature(case, node)}
        case.call_and_validate(checks=CHECKS)

    run()


def signature(case: Any, node: TestNode) -> dict[str, str]:
    """Sign the very bytes that the case will send."""
    request = EnvironBuilder(**case.as_transport_kwargs()).get_request()
    return sign_request(
        method=request.method,
        url=settings.SITE_URL + request.full_path.rstrip("?"),
        body=request.get_data(),
        private_key=node.key,
        idempotency_key=secrets.token_hex(8),
        now_s=clock.now_s(),
    )


def test_the_read_views_need_few_queries(
    make_node: Callable[..., TestNode], django_assert_max_num_queries: Any, service: World
) -> None:
    nodes = [make_node(operator=index) for index in (3, 4, 5)]
    for node in nodes:
        assert node.attest().status_code == 201
    verdict = Client().get(f"{nodes[0].path}/verdicts/").json()["results"][0]["id"]
    for path, most in (
        ("/api/v1/parameters/", 4),
        ("/api/v1/parameters/attest.ttl/", 4),
        ("/api/v1/parameters/attest.ttl/changes/", 4),
        ("/api/v1/nodes/", 7),
        (f"{nodes[0].path}/", 7),
        (f"{nodes[0].path}/verdicts/", 3),
        (f"/api/v1/verdicts/{verdict}/", 8),
        ("/api/v1/network/summary/", 9),
        ("/api/v1/network/trust/", 6),
    ):
        # One more for the header that tells where the index stands.
        with django_assert_max_num_queries(most + 1):
            answer = Client().get(path)
        assert answer.status_code == 200, (path, answer.content)
