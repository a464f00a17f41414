"""The OpenAPI description against the running API: valid, complete, and true under fuzzing."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema

from tests.network.conftest import World
from tests.network.fuzzing import (
    Tally,
    described,
    open_connection,
    operations_fuzz,
    without_rates,
)
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
#: Cases for each operation; a nightly run sets more.
EXAMPLES = int(os.environ.get("ALTHING_FUZZ_EXAMPLES", "12"))


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


#: The first words of the API's addresses, each fuzzed on its own.
PARTS = [
    "attestations",
    "auth",
    "comments",
    "compute",
    "delegates",
    "drafts",
    "epochs",
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
    ("part", "mode"),
    [
        pytest.param("compute", "signed", id="compute-signed"),
        *(pytest.param(part, "unsigned", id=part) for part in PARTS),
    ],
)
def test_no_case_meets_a_fault_or_an_undocumented_answer(
    make_node: Callable[..., TestNode], settings: Any, part: str, mode: str
) -> None:
    """Reports, as nodes sign them, have a test of their own: ``test_api_fuzz.py``."""
    node = make_node()
    node.attest()
    signer = node if mode == "signed" else None
    tally = Tally()
    with without_rates(settings), open_connection():
        schema = described()
        path = f"^(/api/v1)?/{part}/"
        count = len(list(schema.include(path_regex=path).get_all_operations()))
        operations_fuzz(schema, path, mode=mode, node=signer, cases=EXAMPLES * count, tally=tally)
    # An operation without parameters has a single case.
    assert len({label for _, label, _ in tally.cases}) == count


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
        ("/api/v1/epochs/", 3),
        ("/api/v1/network/trust/", 6),
    ):
        # One more for the header that tells where the index stands.
        with django_assert_max_num_queries(most + 1):
            answer = Client().get(path)
        assert answer.status_code == 200, (path, answer.content)
