"""Whenever the service dies, a repeated report loses nothing and counts once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from network.errors import Conflict
from network.models import Attestation, IdempotencyKey, Verdict
from network.services.requests import (
    StoredAnswer,
    idempotency_begin,
    idempotency_finish,
    idempotency_release,
)
from tests.chain.test_crashes import BASE_DIR, KILLED, environment, keeper
from tests.network.conftest import World
from tests.network.nodes import TestNode, later

__all__ = ["environment", "keeper"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]
MakeNode = Callable[..., TestNode]
KEY = "round-00001"


def die_at(point: str, request: dict[str, Any], environment: dict[str, str]) -> None:
    """Have another process handle the request and kill itself at the point."""
    folders = {
        "ALTHING_EMULATOR_ROOT": str(django_settings.EMULATOR_ROOT_DIR),
        "ALTHING_EAR_KEY": str(django_settings.EAR_KEY_PATH),
    }
    assert all(Path(folder).exists() for folder in folders.values())
    ended = subprocess.run(
        [sys.executable, "-m", "tests.network.crash_worker", point],
        cwd=BASE_DIR,
        env=environment | folders,
        input=json.dumps(request | {"data": request["data"].decode()}),
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == KILLED, ended.stdout + ended.stderr


@pytest.mark.parametrize("point", ["worked", "answered", "committed"])
def test_a_service_killed_at_a_point_still_answers_the_repetition(
    make_node: MakeNode, service: World, environment: dict[str, str], point: str
) -> None:
    node = make_node()
    raw = json.dumps(node.report(node.challenge())).encode()
    request = node.signed("attestations", raw=raw, idempotency_key=KEY)
    die_at(point, request, environment)

    stored = Attestation.objects.count()
    assert stored == (1 if point == "committed" else 0)
    if not stored:
        early = node.post("attestations", raw=raw, idempotency_key=KEY)
        assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_flight")
    with later(61):
        again = node.post("attestations", raw=raw, idempotency_key=KEY)
    assert again.status_code == 201, again.content
    assert again.headers.get("Idempotency-Replayed") == ("true" if stored else None)
    verdict = Verdict.objects.get()
    assert again.json()["verdict"]["id"] == verdict.pk
    assert again.json()["attestation"]["id"] == Attestation.objects.get().pk
    # The chain of reports goes on from there.
    assert node.attest().status_code == 201


def test_the_first_answer_stands(make_node: MakeNode) -> None:
    """A request that was taken over after a minute, and comes to its end after all."""
    from chain import clock

    node_id = make_node().node_id

    def begin() -> StoredAnswer | IdempotencyKey:
        return idempotency_begin(
            node_id=node_id, key=KEY, request_sha256=b"\x01" * 32, at=clock.now()
        )

    slow = begin()
    assert isinstance(slow, IdempotencyKey)
    with pytest.raises(Conflict):
        begin()
    with later(61):
        quick = begin()
        assert isinstance(quick, IdempotencyKey)
        idempotency_finish(row=quick, status_code=201, body={"verdict": 1})
        idempotency_finish(row=slow, status_code=409, body={"code": "seq_conflict"})
        assert begin() == StoredAnswer(201, {"verdict": 1})
        idempotency_release(row=slow)
        assert begin() == StoredAnswer(201, {"verdict": 1})
