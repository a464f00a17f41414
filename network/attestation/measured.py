"""Tier T2 from compute rounds: what the service saw of them, and what that proves of a report.

A round proves arithmetic in time and no identity (docs/compute_challenge.md), so it lifts a node to
T2 and never further. Only the last round counts: a node that passes one round and misses the next
may have one card for two claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .errors import Finding, Severity
from .evidence import NodeEvidence
from .policy import Policy, Tier

#: Tiers for which it matters that a round was passed.
_MEASURED_TIERS: Final = frozenset({Tier.T2, Tier.T3})


class RoundOutcome(StrEnum):
    """How a node's round ended."""

    PASSED = "passed"
    FAILED = "failed"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class ComputeFacts:
    """A node's last compute round that has ended when the report arrived.

    ``ended_s`` is Unix time by the service's clock; ``gpu_ids`` are the GPUs that it was for;
    ``whole_gpu_ids`` are those of them that the report lists as whole, a claim; ``calibrated``
    says that there was a time limit to keep; ``codes`` are the findings that failed it.
    """

    round_id: str
    outcome: RoundOutcome
    ended_s: int
    gpu_ids: tuple[str, ...]
    whole_gpu_ids: tuple[str, ...]
    calibrated: bool
    emulated: bool
    codes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The facts as stored with a verdict."""
        return {
            "round_id": self.round_id,
            "outcome": self.outcome.value,
            "ended_s": self.ended_s,
            "gpu_ids": list(self.gpu_ids),
            "whole_gpu_ids": list(self.whole_gpu_ids),
            "calibrated": self.calibrated,
            "emulated": self.emulated,
            "codes": list(self.codes),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ComputeFacts:
        """Read what :meth:`as_json` wrote. Raises ValueError for what it cannot have written."""
        try:
            return cls(
                round_id=_text(stored["round_id"]),
                outcome=RoundOutcome(stored["outcome"]),
                ended_s=_whole_number(stored["ended_s"]),
                gpu_ids=tuple(map(_text, stored["gpu_ids"])),
                whole_gpu_ids=tuple(map(_text, stored["whole_gpu_ids"])),
                calibrated=_flag(stored["calibrated"]),
                emulated=_flag(stored["emulated"]),
                codes=tuple(map(_text, stored["codes"])),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("the compute facts are not as they are written") from error


@dataclass(frozen=True, slots=True)
class Measured:
    """What the rounds say of a report: whether they prove T2, and what is to be told."""

    proven: bool = False
    emulated: bool = False
    findings: tuple[Finding, ...] = ()


def measured(
    facts: ComputeFacts | None, evidence: NodeEvidence, *, policy: Policy, now: datetime
) -> Measured:
    """Weigh the last round. Notes are given where the class must prove T2 or T3; a round that was
    failed or missed is always told, and refuses by ``attest.enforce_challenge``, never where no
    deadline has been measured."""
    if facts is not None and facts.outcome is not RoundOutcome.PASSED:
        return Measured(findings=(_trouble(facts),))
    missing = _missing(facts, evidence, policy=policy, now=now)
    if missing is None:
        return Measured(proven=True, emulated=facts is not None and facts.emulated)
    wanted = policy.required_tier(evidence.gpu_class) in _MEASURED_TIERS
    return Measured(findings=(missing,) if wanted else ())


def _trouble(facts: ComputeFacts) -> Finding:
    data = {"round_id": facts.round_id, "codes": list(facts.codes)}
    severity = Severity.ERROR if facts.calibrated else Severity.INFO
    unrated = "" if facts.calibrated else " No deadline is measured for its class: this only tells."
    if facts.outcome is RoundOutcome.MISSED:
        detail = f"The node did not begin its last compute round.{unrated}"
        return Finding("challenge.missed", detail, severity, data)
    detail = f"The node failed its last compute round ({', '.join(facts.codes)}).{unrated}"
    return Finding("challenge.failed", detail, severity, data)


def _missing(
    facts: ComputeFacts | None, evidence: NodeEvidence, *, policy: Policy, now: datetime
) -> Finding | None:
    """The first thing that T2 still needs; None where nothing is missing."""
    if facts is None:
        return _note(
            "challenge.none", "No compute round has been played yet, so tier T2 is not proven."
        )
    data: dict[str, Any] = {"round_id": facts.round_id}
    if not facts.calibrated:
        return _note(
            "challenge.uncalibrated",
            "The last compute round was passed, but no deadline has been measured for this class, "
            "so it does not prove tier T2.",
            data,
        )
    if now.timestamp() - facts.ended_s > policy.challenge_window_s:
        data["counts_s"] = policy.challenge_window_s
        return _note("challenge.lapsed", "The last passed compute round is too long ago.", data)
    if len(facts.gpu_ids) < evidence.gpu_count:
        return _note(
            "challenge.other_gpus",
            f"The last compute round was for {len(facts.gpu_ids)} of {evidence.gpu_count} "
            "registered GPUs.",
            data,
        )
    doubtful = sorted(set(facts.gpu_ids) - set(facts.whole_gpu_ids))
    if doubtful or not evidence.inventory_signed:
        return _note(
            "challenge.not_whole",
            "The inventory does not list every GPU of the last compute round as whole: MIG and "
            "vGPU both off.",
            data | {"gpu_ids": doubtful},
        )
    return None


def _note(code: str, detail: str, data: Mapping[str, Any] | None = None) -> Finding:
    return Finding(code, detail, Severity.INFO, data or {})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _whole_number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError("neither true nor false")
    return value
