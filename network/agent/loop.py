"""Reporting for ever: on the interval that the network voted for, patient when it must be."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from network.agent.client import ServiceClient
from network.agent.errors import AgentError, ServiceRefused, ServiceUnreachable
from network.agent.rounds import Node, Outcome

logger = logging.getLogger(__name__)

#: Used until the service has told ``attest.report_interval``.
DEFAULT_INTERVAL_S: Final = 900
#: Seconds: the bounds of attest.report_interval in the registry.
INTERVAL_BOUNDS_S: Final = (60, 86_400)
BACKOFF_FIRST_S: Final = 5.0
BACKOFF_MAX_S: Final = 300.0
#: Refusals that a new challenge cures at once.
STALE_CODES: Final = frozenset(
    {
        "seq_conflict",
        "previous_hash_conflict",
        "challenge_expired",
        "challenge_used",
        "challenge_unknown",
        # A GPU fell out, or came back, between the question and the report.
        "challenge_devices_differ",
    }
)


@dataclass
class Loop:
    """Runs rounds. ``wait`` sleeps and returns True when the process should stop."""

    node: Node
    wait: Callable[[float], bool]
    report: Callable[[Outcome], None]
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = field(default=lambda: random.uniform(0.95, 1.0))
    max_rounds: int | None = None

    def run(self) -> int:
        """Report until told to stop; return the number of verdicts received."""
        verdicts = failures = rounds = 0
        while self.max_rounds is None or rounds < self.max_rounds:
            rounds += 1
            started = self.monotonic()
            try:
                self.report(self.node.attest())
                verdicts, failures = verdicts + 1, 0
                pause_s = self._interval_s() * self.jitter() - (self.monotonic() - started)
            except AgentError as error:
                failures += 1
                pause_s = backoff_s(error, failures)
                logger.warning(
                    "no report: %s (%s); trying again in %.0f s", error.detail, error.code, pause_s
                )
            if (self.max_rounds is None or rounds < self.max_rounds) and self.wait(max(pause_s, 0)):
                break
        return verdicts

    def _interval_s(self) -> int:
        try:
            return report_interval_s(self.node.client)
        except AgentError as error:
            logger.warning("the report interval could not be read: %s", error.detail)
            return DEFAULT_INTERVAL_S


def report_interval_s(client: ServiceClient) -> int:
    """``attest.report_interval`` in force, in seconds, within its bounds."""
    values = client.get("network/policy/").get("values")
    text = values.get("attest.report_interval") if isinstance(values, dict) else None
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        raise ServiceUnreachable(
            "policy_malformed", "The service's policy has no attest.report_interval."
        )
    low, high = INTERVAL_BOUNDS_S
    return min(max(int(text[:9]), low), high)


def backoff_s(error: AgentError, failures: int) -> float:
    """Seconds to wait after the n-th failure in a row; never less than the service asked for."""
    if isinstance(error, ServiceRefused) and error.code in STALE_CODES and failures == 1:
        return 0.0
    grown = min(BACKOFF_FIRST_S * float(2 ** min(failures - 1, 10)), BACKOFF_MAX_S)
    asked = error.retry_after_s if isinstance(error, ServiceUnreachable) else None
    # Up to a quarter more, so that a fleet does not come back in one second.
    return max(grown, asked or 0.0) * random.uniform(1.0, 1.25)
