"""A node in a compute round, through the API: an honest one, with every step open to spoiling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from chain import clock
from network.compute import Challenge, NumpyBackend, Prover
from network.models import ComputeCohort, ComputeRound, Node
from network.selectors import policy_current
from network.services.compute_plan import notice
from network.services.compute_schedule import schedule_run
from tests.network.nodes import TestNode

ROUNDS = "/api/v1/compute/rounds"


@dataclass
class Clock:
    """A clock that goes only when it is told to."""

    now: Any

    def __call__(self) -> Any:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@contextmanager
def stopped_clock() -> Iterator[Clock]:
    """The service's clock, standing still from now on."""
    made = Clock(clock.now())
    with clock.clock_override(made):
        yield made


def schedule(hands: Clock) -> int:
    return schedule_run(policy=policy_current(), at=hands.now)


def round_formed(hands: Clock, node: TestNode) -> ComputeRound:
    """Let a node that has reported be told of its first round; the clock stands at that moment."""
    schedule(hands)
    operator = Node.objects.get(pk=node.node_id).operator
    cohort = ComputeCohort.objects.get(formed_at=None, operator=operator)
    hands.now = max(hands.now, cohort.starts_at - notice())
    schedule(hands)
    return ComputeRound.objects.get(node_id=node.node_id, status="scheduled")


def round_due(hands: Clock, node: TestNode) -> ComputeRound:
    """The same, with the clock at the round's own instant."""
    found = round_formed(hands, node)
    hands.now = found.starts_at
    return found


@dataclass
class Player:
    """Plays a node's rounds. ``provers`` are made when the round begins, in order of position."""

    node: TestNode
    backend: Any = field(default_factory=NumpyBackend)
    provers: list[Prover] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        answer = self.node.post("", path=f"{ROUNDS}/next/")
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def post(self, round_id: Any, step: str, body: Any = None, **options: Any) -> Any:
        return self.node.post("", body, path=f"{ROUNDS}/{round_id}/{step}/", **options)

    def ready(self, round_id: Any) -> Any:
        return self.post(round_id, "ready")

    def begin(self, round_id: Any, **options: Any) -> Any:
        """Ready and begin; makes the provers where it begins."""
        ready = self.ready(round_id)
        assert ready.status_code == 201, ready.content
        answer = self.post(round_id, "begin", {"echo": ready.json()["echo"]}, **options)
        if answer.status_code == 201:
            asked = answer.json()["challenges"]
            self.provers = [Prover(Challenge.from_json(item), self.backend) for item in asked]
        return answer

    def commitments(self) -> list[dict[str, Any]]:
        return [
            {"position": place, "commitment": f"0x{prover.commit().hex()}"}
            for place, prover in enumerate(self.provers)
        ]

    def commit(self, round_id: Any, commitments: Any = None, **options: Any) -> Any:
        body = {"commitments": self.commitments() if commitments is None else commitments}
        return self.post(round_id, "commit", body, **options)

    def open(self, round_id: Any, position: int, data: bytes, **options: Any) -> Any:
        return self.post(
            round_id,
            f"gpus/{position}/open",
            raw=data,
            content_type="application/octet-stream",
            **options,
        )

    def committed(self, round_id: Any) -> list[list[int]]:
        """Play up to the drawn rows; by position."""
        assert self.begin(round_id).status_code == 201
        answer = self.commit(round_id)
        assert answer.status_code == 201, answer.content
        return [item["indices"] for item in answer.json()["drawn"]]

    def play(self, round_id: Any) -> ComputeRound:
        """The whole round, honestly."""
        self.opened(round_id, self.committed(round_id))
        return ComputeRound.objects.get(pk=round_id)

    def opened(self, round_id: Any, drawn: Sequence[Sequence[int]]) -> None:
        for place, rows in enumerate(drawn):
            answer = self.open(round_id, place, self.provers[place].open(rows))
            assert answer.status_code == 201, answer.content
