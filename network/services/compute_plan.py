"""What is asked of whom and how often: sizes by class, random instants by the voted rate."""

import math
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from network.attestation.inventory import inventory_emulated
from network.compute import Basis, Check, Params, packaged_table
from network.compute.deadlines import EMULATED_CLASS
from network.models import Node
from network.selectors.policy import PolicySnapshot

DAY_S = 86_400
#: Used where the chain does not define a parameter yet; ``contracts/parameters.csv`` has the same.
DEFAULTS = {
    "attest.challenge_rate": 4,
    "attest.challenge_openings": 64,
    "attest.challenge_deadline": 15_000,
    "attest.cohort": 5_000,
}
_BPS = 10_000
_RANDOM = secrets.SystemRandom()
#: The fewest rows that are ever drawn: the lower bound of ``attest.challenge_openings``.
_MIN_OPENINGS = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """One node's challenge: the class whose deadline holds, the sizes, where the deadline is
    from."""

    deadline_class: str
    params: Params
    basis: Basis
    margin_bps: int


def number(policy: PolicySnapshot, name: str) -> int:
    """A parameter of the challenges, in its own unit."""
    return policy.number(name, DEFAULTS[name])


def notice() -> timedelta:
    """How long before its instant a node is told of a round, and nobody else."""
    return timedelta(seconds=settings.COMPUTE_NOTICE_S)


def ask_again_s() -> int:
    """Seconds after which a node asks for its next round: often enough to be told in time."""
    return max(1, min(60, settings.COMPUTE_NOTICE_S * 2 // 3))


def challenged_classes() -> frozenset[str]:
    """The node classes that are challenged: those that the deadline table names."""
    return packaged_table().classes - {EMULATED_CLASS}


def is_emulated(inventory: object) -> bool:
    """Whether a node is challenged as an emulated one: it says so, and this deployment trusts an
    emulator, which production does not."""
    return bool(settings.EMULATOR_ROOT_DIR) and inventory_emulated(inventory)


def plan_for(node: Node, *, emulated: bool, policy: PolicySnapshot) -> Plan:
    """The challenge of a node of a challenged class, each of its GPUs alike."""
    name = EMULATED_CLASS if emulated else node.gpu_class
    sizes = packaged_table().sizes(name)
    size = (settings.COMPUTE_EMULATED_N, 1) if emulated else sizes[-1]
    params = _params(*size, openings=number(policy, "attest.challenge_openings"))
    margin_bps = number(policy, "attest.challenge_deadline")
    deadline = packaged_table().deadline(name, params, margin_bps=margin_bps, rtt_ms=0)
    return Plan(name, params, deadline.basis, margin_bps)


def _params(n: int, rounds: int, *, openings: int) -> Params:
    """The preferred way of checking; where it would be too long or too dear, the other; and only
    where neither is possible, fewer rows."""
    wanted = Check(settings.COMPUTE_CHECK)
    ways = [wanted, *(check for check in Check if check is not wanted)]
    openings = min(openings, n)
    while True:
        for check in ways:
            try:
                return Params(n=n, rounds=rounds, openings=openings, check=check)
            except ValueError:
                if openings <= _MIN_OPENINGS and check is ways[-1]:
                    raise
        openings = max(openings // 2, _MIN_OPENINGS)


def gap_mean_s(policy: PolicySnapshot) -> float:
    """Seconds between two cohorts on average: a GPU is in each with the chance of
    ``attest.cohort`` and so meets ``attest.challenge_rate`` rounds a day."""
    share = number(policy, "attest.cohort") / _BPS
    return DAY_S * share / number(policy, "attest.challenge_rate")


def gap_draw(policy: PolicySnapshot) -> timedelta:
    """Draw the time to the next cohort, evenly from nothing to twice the mean: bounded, so that
    nobody's last round grows too old by chance alone."""
    shortest = 2 * notice().total_seconds()
    longest = max(2 * gap_mean_s(policy) - shortest, shortest)
    return timedelta(seconds=_RANDOM.uniform(shortest, longest))


def overdue_after(policy: PolicySnapshot) -> timedelta:
    """After so long without a round an operator is in the next cohort for certain: with the
    longest gap between cohorts, still within the time for which a passed round counts."""
    window_s = policy.appraisal_policy().challenge_window_s
    return timedelta(seconds=max(window_s - 2 * gap_mean_s(policy) - 3600, window_s / 4))


def chance_drawn(policy: PolicySnapshot) -> bool:
    """Draw whether an operator is in a cohort."""
    return _RANDOM.randrange(_BPS) < number(policy, "attest.cohort")


def first_delay() -> timedelta:
    """Draw the time to a newcomer's first round, after which it can prove T2."""
    return notice() * _RANDOM.uniform(1.0, 2.0)


def again_delay() -> timedelta:
    """Draw the time to the round after one that was not passed: within the hour."""
    return notice() * _RANDOM.uniform(4.0, 40.0)


def milliseconds(duration: timedelta) -> int:
    """Whole milliseconds, rounded down."""
    return math.floor(duration / timedelta(milliseconds=1))
