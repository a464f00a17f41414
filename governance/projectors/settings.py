"""The governor's rules over time: numbers, guardian, routine list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chain.projections import DecodedLog, History, Projector
from governance.models import GovernorSettingChange, GuardianTerm, RoutineCall
from governance.projectors.times import moment

GOVERNOR = "AlthingGovernor"
GUARDIAN_KEY = "guardian"
ROUTINE_KEY = "routine"

#: (contract, event) -> (our name of the setting, argument before, argument after).
_NUMBERS = {
    (GOVERNOR, "VotingDelaySet"): ("voting_delay_s", "oldVotingDelay", "newVotingDelay"),
    (GOVERNOR, "VotingPeriodSet"): ("voting_period_s", "oldVotingPeriod", "newVotingPeriod"),
    (GOVERNOR, "ProposalThresholdSet"): (
        "proposal_threshold_wei",
        "oldProposalThreshold",
        "newProposalThreshold",
    ),
    (GOVERNOR, "QuorumNumeratorUpdated"): (
        "quorum_numerator",
        "oldQuorumNumerator",
        "newQuorumNumerator",
    ),
    (GOVERNOR, "LateQuorumVoteExtensionSet"): (
        "late_quorum_extension_s",
        "oldVoteExtension",
        "newVoteExtension",
    ),
    ("TimelockController", "MinDelayChange"): ("timelock_delay_s", "oldDuration", "newDuration"),
}


def _fixed(key: str) -> Callable[[dict[str, Any]], Iterable[str]]:
    return lambda args: (key,)


class SettingsProjector(Projector):
    """Writes GovernorSettingChange, GuardianTerm and RoutineCall.

    Keys: a setting's name, ``guardian``, ``routine``.
    """

    name = "governance.settings"
    models = (GovernorSettingChange, GuardianTerm, RoutineCall)
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {
        **{place: _fixed(names[0]) for place, names in _NUMBERS.items()},
        (GOVERNOR, "GuardianSet"): _fixed(GUARDIAN_KEY),
        (GOVERNOR, "RoutineSet"): _fixed(ROUTINE_KEY),
    }

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild every row of one setting, of the guardian, or of the routine list."""
        logs = history.logs()
        if key == GUARDIAN_KEY:
            GuardianTerm.objects.all().delete()
            GuardianTerm.objects.bulk_create(_guardian_row(log) for log in logs)
        elif key == ROUTINE_KEY:
            RoutineCall.objects.all().delete()
            RoutineCall.objects.bulk_create(_routine_row(log) for log in logs)
        else:
            GovernorSettingChange.objects.filter(name=key).delete()
            GovernorSettingChange.objects.bulk_create(_number_row(log) for log in logs)


def routine_calls(logs: list[DecodedLog], *, until: int) -> set[tuple[bytes, bytes]]:
    """The (target, selector) pairs on the routine list after block ``until``."""
    allowed: set[tuple[bytes, bytes]] = set()
    for log in logs:
        if log.block_number > until:
            break
        call = (log.args["target"], log.args["selector"])
        if log.args["allowed"]:
            allowed.add(call)
        else:
            allowed.discard(call)
    return allowed


def _where(log: DecodedLog) -> dict[str, Any]:
    return {
        "block_number": log.block_number,
        "log_index": log.log_index,
        "tx": log.transaction_hash,
        "changed_at": moment(log.block_timestamp),
    }


def _number_row(log: DecodedLog) -> GovernorSettingChange:
    name, old, new = _NUMBERS[(log.contract, log.event)]
    return GovernorSettingChange(
        name=name, old_value=log.args[old], new_value=log.args[new], **_where(log)
    )


def _guardian_row(log: DecodedLog) -> GuardianTerm:
    until = log.args["until"]
    return GuardianTerm(
        guardian=log.args["guardian"], until=moment(until) if until else None, **_where(log)
    )


def _routine_row(log: DecodedLog) -> RoutineCall:
    return RoutineCall(
        target=log.args["target"],
        selector=log.args["selector"],
        allowed=log.args["allowed"],
        **_where(log),
    )
