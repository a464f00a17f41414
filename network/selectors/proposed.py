"""Proposed parameter values: read, held to the bounds on chain, and what they ask of verdicts.

A stored verdict answers some questions (would this finding refuse, is this tier enough, is this
report too old) and not others (how fast does the node answer, is its driver in a list of which the
chain holds only the root). Which is which is decided here, once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from django.db.models.enums import TextChoices

from network.attestation import Policy
from network.errors import NetworkError, Refused
from network.models import Parameter
from network.selectors.policy import PolicySnapshot
from network.services.validation import value_parse
from network.units import value_human

#: What the parameters begin with that can decide over a node's report.
PREVIEWED: Final = ("attest.", "quantum.pq_", "slash.strikes")
#: Parameters one preview may change.
CHANGES_MAX: Final = 64
#: Fields of the policy that a preview re-judges; beside them every ``enforce_`` switch.
_JUDGED_FIELDS: Final = frozenset(
    {"version", "ttl_s", "rim_expired", "max_gpus_per_node", "required_tiers"}
)


class Bearing(TextChoices):
    """What a stored verdict can say of a changed parameter."""

    JUDGED = "judged", "Judged from the stored verdicts"
    UNANSWERED = "unanswered", "Stored verdicts do not answer it"
    NONE = "none", "No verdict depends on it"


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """One parameter of a preview. ``current`` is in force at the policy's block; values are text
    in the parameter's own unit; ``note`` says plainly what cannot be told, or is empty."""

    parameter: Parameter
    current: str
    proposed: str
    bearing: str
    note: str = ""

    @property
    def name(self) -> str:
        return self.parameter.name

    @property
    def current_human(self) -> str:
        return value_human(self.parameter, self.current)

    @property
    def proposed_human(self) -> str:
        return value_human(self.parameter, self.proposed)


def _number_falls(current: str, proposed: str) -> bool:
    return int(proposed) < int(current)


def _number_rises(current: str, proposed: str) -> bool:
    return int(proposed) > int(current)


def _list_set(current: str, proposed: str) -> bool:
    return any(bytes.fromhex(proposed[2:]))


_LIST_NOTE: Final = (
    "The chain holds only the root of this list, so whether a node's {what} is in it cannot be "
    "told before the node reports again."
)
#: Parameters that rule later reports and that no stored verdict answers: when a change of one can
#: make a node fall out, and why that cannot be told. The other direction harms nobody.
_UNANSWERED: Final[Mapping[str, tuple[Callable[[str, str], bool], str]]] = {
    "attest.nonce_ttl": (
        _number_falls,
        "A verdict does not say how fast the node answered its challenge.",
    ),
    "attest.clock_skew": (
        _number_falls,
        "A verdict does not say how far the node's clock was off.",
    ),
    "attest.driver_digest_root": (_list_set, _LIST_NOTE.format(what="driver")),
    "attest.rim_root": (_list_set, _LIST_NOTE.format(what="reference manifest")),
    "attest.image_root": (_list_set, _LIST_NOTE.format(what="image")),
    "quantum.pq_mode": (
        _number_rises,
        "A verdict does not say whether the node signs with a post-quantum key as well.",
    ),
}


def proposed_changes(
    values: Mapping[str, str], *, policy: PolicySnapshot
) -> tuple[list[ProposedChange], PolicySnapshot]:
    """Read proposed values by name against ``policy``; return them and the policy they make.

    Values are text as ``parameters_validate`` takes it. How far one vote may move a value is not
    asked: a preview may look further ahead than one step. A guardian's tightening of the same
    parameter is left aside. 1 query.

    Raises:
        NetworkError: ``preview_empty``, ``preview_too_many``, ``parameter_unknown``,
            ``value_malformed``, ``value_out_of_bounds`` or ``value_off_step``.
    """
    if not values:
        raise NetworkError("preview_empty", "Name at least one parameter and its proposed value.")
    if len(values) > CHANGES_MAX:
        raise NetworkError(
            "preview_too_many",
            f"A preview changes {CHANGES_MAX} parameters at most.",
            {"max": CHANGES_MAX},
        )
    known = _known(values)
    read = {name: _read(known[name], text) for name, text in values.items()}
    proposed = replace(policy, version=policy.version + 1, values={**policy.values, **read})
    try:
        proposed.appraisal_policy()
    except ValueError as error:
        raise NetworkError(
            "value_malformed", "One of the values is none that its parameter can have."
        ) from error
    changes = [_change(known[name], value, policy) for name, value in read.items()]
    return changes, proposed


def _known(values: Mapping[str, str]) -> dict[str, Parameter]:
    # PostgreSQL holds no NUL and no broken text; a name with either is no parameter's.
    askable = [name for name in values if name.isascii() and name.isprintable()]
    known = {row.name: row for row in Parameter.objects.filter(name__in=askable)}
    for name in values:
        if name not in known:
            shown = name[:80].encode("unicode_escape").decode("ascii")
            raise NetworkError(
                "parameter_unknown", f"No parameter is named '{shown}'.", {"name": shown}
            )
    return known


def _read(parameter: Parameter, text: str) -> str:
    """The value in the form that snapshots hold; refuse what the chain could never hold."""
    try:
        raw = value_parse(parameter, text)
    except Refused as error:
        raise NetworkError(error.code, error.detail, error.data) from error
    if not parameter.is_numeric:
        return f"0x{raw.hex()}"
    number = int.from_bytes(raw, "big")
    if not parameter.min <= number <= parameter.max:
        raise NetworkError(
            "value_out_of_bounds",
            f"{parameter.name} may be {value_human(parameter, str(parameter.min))} to "
            f"{value_human(parameter, str(parameter.max))}.",
            {"name": parameter.name, "min": str(parameter.min), "max": str(parameter.max)},
        )
    if parameter.step and (number - parameter.min) % parameter.step:
        raise NetworkError(
            "value_off_step",
            f"{parameter.name} moves in steps of {value_human(parameter, str(parameter.step))} "
            f"from {value_human(parameter, str(parameter.min))}.",
            {"name": parameter.name, "min": str(parameter.min), "step": str(parameter.step)},
        )
    return str(number)


def _change(parameter: Parameter, value: str, policy: PolicySnapshot) -> ProposedChange:
    current = policy.values.get(parameter.name, parameter.defined_value)
    bearing, note = _bearing(parameter.name, current, value, policy)
    return ProposedChange(parameter, current, value, bearing, note)


def _bearing(name: str, current: str, proposed: str, policy: PolicySnapshot) -> tuple[Bearing, str]:
    if current == proposed:
        return Bearing.NONE, "It has this value already."
    moved = policy_fields_changed(
        policy.appraisal_policy(),
        replace(policy, values={**policy.values, name: proposed}).appraisal_policy(),
    )
    if any(field not in _JUDGED_FIELDS and not field.startswith("enforce_") for field in moved):
        return Bearing.UNANSWERED, "Stored verdicts do not hold what this parameter asks about."
    if moved or name == "slash.strikes":
        return Bearing.JUDGED, ""
    if name in _UNANSWERED:
        can_harm, note = _UNANSWERED[name]
        if can_harm(current, proposed):
            return Bearing.UNANSWERED, note
    return Bearing.NONE, ""


def policy_fields_changed(before: Policy, after: Policy) -> set[str]:
    """The names of the fields in which two policies differ."""
    return {
        field.name
        for field in fields(Policy)
        if getattr(before, field.name) != getattr(after, field.name)
    }
