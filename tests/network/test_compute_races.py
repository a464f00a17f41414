"""Two at once, with real connections: one round is begun once, one cohort is formed once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from network.compute import Challenge, NumpyBackend, Prover
from network.models import ComputeCohort, ComputeRound, ComputeTask
from network.selectors import policy_current
from network.services.compute_openings import openings_judge
from network.services.compute_schedule import fleet_ahead, schedule_run
from tests.network.compute_player import Player, schedule, stopped_clock
from tests.network.nodes import TestNode, in_threads

pytestmark = [pytest.mark.chain, pytest.mark.django_db(transaction=True)]


def closing(work: Callable[[], object]) -> object:
    """Do it on a connection of the thread's own."""
    try:
        return work()
    finally:
        connection.close()


def test_two_requests_two_judges_and_two_schedulers_at_once(
    make_node: Callable[..., TestNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(gpu_class="consumer_24g", gpu_count=2)
    node.can_attest = False
    assert node.attest().status_code == 201
    with stopped_clock() as hands:
        in_threads(4, lambda _: closing(lambda: fleet_ahead(policy=policy_current(), at=hands.now)))
        assert ComputeCohort.objects.filter(reason="fleet").count() == 1
        schedule(hands)
        cohort = ComputeCohort.objects.get(reason="first")
        hands.now = cohort.starts_at
        formed = in_threads(
            4, lambda _: closing(lambda: schedule_run(policy=policy_current(), at=hands.now))
        )
        assert sum(formed) >= 1
        due = ComputeRound.objects.get()
        hands.now = due.starts_at
        player = Player(node)
        echo = player.ready(due.pk).json()["echo"]
        begun = in_threads(
            4, lambda _: closing(lambda: player.post(due.pk, "begin", {"echo": echo}))
        )
        assert sorted(answer.status_code for answer in begun) == [201, 409, 409, 409]
        first = next(answer for answer in begun if answer.status_code == 201)
        player.provers = [
            Prover(Challenge.from_json(item), NumpyBackend()) for item in first.json()["challenges"]
        ]
        commitments = player.commitments()
        drawn = in_threads(4, lambda _: closing(lambda: player.commit(due.pk, commitments)))
        assert {answer.status_code for answer in drawn} == {201}
        assert len({answer.content for answer in drawn}) == 1
        rows = [item["indices"] for item in drawn[0].json()["drawn"]]
        data = player.provers[0].open(rows[0])
        monkeypatch.setattr("network.api.views.compute.is_cheap", lambda params: False)
        opened = in_threads(4, lambda _: closing(lambda: player.open(due.pk, 0, data)))
        assert sorted(answer.status_code for answer in opened) == [201, 409, 409, 409]
        player.open(due.pk, 1, player.provers[1].open(rows[1]))
        judged = in_threads(4, lambda _: closing(lambda: openings_judge(at=hands.now)))
        assert sum(judged) == 2
    assert ComputeRound.objects.get().status == "passed"
    assert set(ComputeTask.objects.values_list("status", flat=True)) == {"passed"}
