"""Cases of the OpenAPI description against the running API: unsigned, half signed and signed.

Every answer has to be one that the description knows, in its form; none may be a fault of ours.
"""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
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
from network.models import Challenge
from tests.network.nodes import TestNode

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: The operations that a node signs.
SIGNED_PATHS: Final = r"^(/api/v1)?/attestations/"
#: Those, and the reading of what they lead to.
LINKED_PATHS: Final = r"^(/api/v1)?/(attestations/|verdicts/\{verdict_id\}/$)"
#: Requests of one run through the links.
STEPS: Final = 6
QUIET: Final = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
}


@dataclass
class Tally:
    """How many cases were sent, by mode, operation and status."""

    cases: Counter[tuple[str, str, int]] = field(default_factory=Counter)

    def add(self, mode: str, case: Any, response: Any) -> None:
        self.cases[mode, case.operation.label, response.status_code] += 1

    def total(self, mode: str | None = None) -> int:
        return sum(n for (of, _, _), n in self.cases.items() if mode in (None, of))

    def statuses(self, mode: str) -> set[int]:
        return {status for of, _, status in self.cases if of == mode}

    def lines(self) -> list[str]:
        """For people."""
        rows = [f"{n:7} {mode:11} {status} {label}" for (mode, label, status), n in self._sorted()]
        return [*rows, f"{self.total():7} cases; no fault, no undocumented answer"]

    def _sorted(self) -> list[tuple[tuple[str, str, int], int]]:
        return sorted(self.cases.items())


@contextmanager
def open_connection() -> Iterator[None]:
    """The WSGI handler ends a request by closing the connection, on which the test's own
    transaction runs; Django's test client keeps it open in the same way.

    Cases that are refused before anything is read leave that transaction idle for minutes."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@contextmanager
def without_rates(fixture: Any) -> Iterator[None]:
    """``fixture`` is pytest-django's: cases come faster than any client may."""
    scopes = fixture.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    rates = dict.fromkeys(scopes, "1000000/min")
    fixture.REST_FRAMEWORK = fixture.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    yield


def described() -> Any:
    """The description, as schemathesis reads it."""
    return schemathesis.openapi.from_wsgi("/api/v1/schema/", application)


def signature(case: Any, node: TestNode, **options: Any) -> dict[str, str]:
    """Sign the very bytes that the case will send."""
    request = EnvironBuilder(**case.as_transport_kwargs()).get_request()
    return sign_request(
        method=request.method,
        url=settings.SITE_URL + request.full_path.rstrip("?"),
        body=request.get_data(),
        private_key=node.key,
        idempotency_key=secrets.token_hex(8),
        now_s=clock.now_s(),
        **({"ml_dsa_65": node.ml_dsa} | options),
    )


def operations_fuzz(
    schema: Any, paths: str, *, mode: str, node: TestNode | None, cases: int, tally: Tally
) -> None:
    """Send ``cases`` to the operations whose path matches, each on its own.

    With a ``node`` they are signed by it; in the mode "half signed" without its second key.
    """
    found = [one.ok() for one in schema.include(path_regex=paths).get_all_operations()]
    assert found, paths
    for operation in found:
        _operation_fuzz(operation, mode, node, -(-cases // len(found)), tally)


def _operation_fuzz(
    operation: Any, mode: str, node: TestNode | None, cases: int, tally: Tally
) -> None:
    options = {"ml_dsa_65": None} if mode == "half signed" else {}

    @hypothesis_settings(max_examples=cases, **QUIET)
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        if node is not None:
            _challenges_answer(node)
            case.headers = {**(case.headers or {}), **signature(case, node, **options)}
        tally.add(mode, case, case.call_and_validate(checks=CHECKS))

    run()


def links_fuzz(schema: Any, *, node: TestNode, cases: int, tally: Tally) -> None:
    """Follow the links from challenge to report to verdict, with what a node really sends."""
    machine = schema.include(path_regex=LINKED_PATHS).as_state_machine()

    class Linked(machine):  # type: ignore[misc, valid-type]  # made at run time
        def before_call(self, case: Any) -> None:
            if case.operation.method.lower() != "post":
                return
            _challenges_answer(node)
            if isinstance(case.body, dict):
                case.body = _filled(case, node)
            case.headers = {**(case.headers or {}), **signature(case, node)}

        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            tally.add("linked", case, response)
            case.validate_response(response, checks=CHECKS)

    run_state_machine_as_test(
        Linked,
        settings=hypothesis_settings(
            max_examples=-(-cases // STEPS), stateful_step_count=STEPS, **QUIET
        ),
    )


def _filled(case: Any, node: TestNode) -> dict[str, Any]:
    """The case's body with the node's devices in it: as a challenge is asked for, or as evidence
    where the nonce is one of the service's."""
    if case.operation.path.endswith("/challenges/"):
        return {**case.body, "devices": node.identities()}
    nonce = case.body.get("nonce")
    if not isinstance(nonce, str):
        return dict(case.body)
    try:
        raw = bytes.fromhex(nonce.removeprefix("0x"))
    except ValueError:
        return dict(case.body)
    if len(raw) != 32 or not Challenge.objects.filter(nonce=raw).exists():
        return dict(case.body)
    devices = [
        {
            "evidence": base64.b64encode(evidence.report).decode(),
            "certificate": base64.b64encode(evidence.certificate_chain).decode(),
        }
        for evidence in (gpu.evidence(raw) for gpu in node.gpus)
    ]
    return {**case.body, "devices": devices, "inventory": node.inventory()}


def _challenges_answer(node: TestNode) -> None:
    """Let the node never hold as many open challenges as it may."""
    mine = Challenge.objects.filter(node_id=node.node_id, purpose="attest", used_at=None)
    if mine.count() > 12:
        oldest = list(mine.order_by("issued_at").values_list("pk", flat=True)[:8])
        Challenge.objects.filter(pk__in=oldest).delete()


def hybrid() -> MLDSA65PrivateKey:
    """A second key, so that the cases meet the second signature too."""
    return MLDSA65PrivateKey.generate()
