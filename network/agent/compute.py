"""Compute rounds on the node's side: ask, begin with all GPUs at once, commit, open.

Times are the service's: what is here waits and answers as fast as it can, and a round that it
misses is only a round that it did not pass.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from network.agent.client import ServiceClient
from network.agent.compute_backends import backend_open
from network.agent.errors import AgentError, ComputeUnavailable, ServiceUnreachable
from network.agent.home import NodeKeys
from network.agent.rounds import Node
from network.agent.sources import Source
from network.compute import Backend, Challenge, Prover

logger = logging.getLogger(__name__)

#: Seconds to the next question where the service could not be asked.
ASK_AGAIN_S: Final = 60.0
#: Seconds: the bounds of what the service may ask for.
ASK_BOUNDS_S: Final = (1.0, 3600.0)
#: Times that one message is sent while no answer comes. The clock runs.
SEND_TRIES: Final = 3
SEND_WAIT_S: Final = 0.2
#: Seconds that a round under way has when the agent is stopped.
COMPUTE_END_S: Final = 5.0
_OCTETS: Final = "application/octet-stream"


def challenger_start(
    node: Node, choice: str, *, wait: Callable[[float], bool]
) -> threading.Thread | None:
    """Answer a node's rounds beside its reports; None where that is switched off, or where
    nothing on this machine multiplies exactly, which is said."""
    if choice == "auto" and node.source.emulated:
        choice = "numpy"
    if choice == "off":
        return None
    try:
        backend_open(choice)
    except ComputeUnavailable as error:
        logger.warning("compute rounds will be missed: %s (%s)", error.detail, error.code)
        return None
    challenger = Challenger(
        client=node.client,
        keys=node.keys,
        source=node.source,
        backend_for=lambda device: backend_open(choice, device),
        wait=wait,
    )
    thread = threading.Thread(target=challenger.run, name="compute rounds", daemon=True)
    thread.start()
    return thread


def gpus_listed(source: Source) -> dict[str, int]:
    """The GPUs' ids, as the service names them, and their numbers on this machine."""
    gpus = source.inventory().get("gpus")
    return {
        str(gpu["uuid"]).strip().lower(): int(gpu.get("index", place))
        for place, gpu in enumerate(gpus if isinstance(gpus, list) else [])
        if gpu.get("uuid")
    }


@dataclass
class Challenger:
    """Answers this node's rounds. ``wait`` sleeps and returns True when the process should stop;
    ``backend_for`` gives the tested backend of a GPU by its number."""

    client: ServiceClient
    keys: NodeKeys
    source: Source
    backend_for: Callable[[int], Backend]
    wait: Callable[[float], bool]
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.9, 1.0))
    _backends: dict[int, Backend] = field(default_factory=dict)

    def run(self) -> None:
        """Ask and answer until told to stop."""
        pause_s = 0.0
        while not self.wait(pause_s):
            try:
                pause_s = self.once() * self.jitter()
            except AgentError as error:
                logger.warning("compute round: %s (%s)", error.detail, error.code)
                pause_s = ASK_AGAIN_S * self.jitter()
            except Exception:
                # Reports go on in another thread; rounds must go on like them.
                logger.exception("a compute round failed on this side")
                pause_s = ASK_AGAIN_S * self.jitter()

    def once(self) -> float:
        """Ask once, and play the round that is near; return the seconds to the next question.

        Raises:
            ServiceRefused, ServiceUnreachable, GpuError
        """
        answer = self._post("next", {}, name=f"next-{uuid.uuid4().hex}")
        asked_at = self.monotonic()
        ask_again_s = _seconds(answer.get("ask_again_s"))
        ahead = answer.get("round")
        if not isinstance(ahead, Mapping):
            return ask_again_s
        starts_in_s = _number(ahead.get("starts_in_ms")) / 1000 - (self.monotonic() - asked_at)
        if starts_in_s <= 0 or not self.wait(starts_in_s):
            self.play(_round_id(ahead.get("id")))
        return ask_again_s

    def play(self, round_id: str) -> None:
        """Play one round whose instant has come."""
        devices = gpus_listed(self.source)
        echo = self._post(f"{round_id}/ready", {}, name=f"ready-{uuid.uuid4().hex}").get("echo")
        begun = self._post(f"{round_id}/begin", {"echo": echo}, name=f"begin-{round_id}")
        challenges = _challenges(begun)
        with ThreadPoolExecutor(max_workers=max(len(challenges), 1)) as pool:
            made = pool.map(lambda item: self._commit(item[1], devices), challenges.items())
            provers = {
                place: found
                for place, found in zip(challenges, made, strict=True)
                if found is not None
            }
            if not provers:
                logger.error("round %s: no GPU could compute", round_id)
                return
            commitments = [
                {"position": place, "commitment": f"0x{message.hex()}"}
                for place, (_, message) in provers.items()
            ]
            committed = self._post(
                f"{round_id}/commit", {"commitments": commitments}, name=f"commit-{round_id}"
            )
            drawn = _drawn(committed)
            list(
                pool.map(
                    lambda place: self._open(round_id, place, drawn[place], provers[place][0]),
                    sorted(drawn.keys() & provers.keys()),
                )
            )
        logger.info("round %s: %d of %d GPUs answered", round_id, len(provers), len(challenges))

    def _commit(
        self, challenge: Challenge, devices: Mapping[str, int]
    ) -> tuple[Prover, bytes] | None:
        """One GPU's product; None where it cannot, which must not keep the others from it."""
        try:
            prover = Prover(challenge, self._backend(devices[challenge.gpu_id]))
            return prover, prover.commit()
        except Exception:
            logger.exception("GPU %s could not compute", challenge.gpu_id)
            return None

    def _backend(self, device: int) -> Backend:
        if device not in self._backends:
            self._backends[device] = self.backend_for(device)
        return self._backends[device]

    def _open(self, round_id: str, place: int, rows: list[int], prover: Prover) -> None:
        self._send(
            f"{round_id}/gpus/{place}/open",
            prover.open(rows),
            name=f"open-{round_id}-{place}",
            content_type=_OCTETS,
        )

    def _post(self, step: str, content: Mapping[str, Any], *, name: str) -> dict[str, Any]:
        return self._send(step, json.dumps(content).encode("utf-8"), name=name)

    def _send(
        self, step: str, body: bytes, *, name: str, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Send one message; the very same again while no answer comes."""
        for attempt in range(SEND_TRIES):
            try:
                return self.client.post_signed(
                    f"compute/rounds/{step}/",
                    body,
                    keys=self.keys,
                    idempotency_key=name,
                    content_type=content_type,
                )
            except ServiceUnreachable:
                if attempt == SEND_TRIES - 1 or self.wait(SEND_WAIT_S):
                    raise
        raise AssertionError("unreachable")


def _round_id(value: Any) -> str:
    """A round's id, as it may stand in an address."""
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise _senseless() from error


def _challenges(begun: Mapping[str, Any]) -> dict[int, Challenge]:
    """By position. Raises ServiceUnreachable for an answer that makes no sense."""
    try:
        return {int(item["position"]): Challenge.from_json(item) for item in begun["challenges"]}
    except (KeyError, TypeError, ValueError) as error:
        raise _senseless() from error


def _drawn(committed: Mapping[str, Any]) -> dict[int, list[int]]:
    """The rows to open, by position. Raises ServiceUnreachable likewise."""
    try:
        return {
            int(item["position"]): [int(index) for index in item["indices"]]
            for item in committed["drawn"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise _senseless() from error


def _senseless() -> ServiceUnreachable:
    return ServiceUnreachable("challenge_malformed", "The service's challenge makes no sense.")


def _seconds(value: Any) -> float:
    low, high = ASK_BOUNDS_S
    return min(max(_number(value), low), high)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
