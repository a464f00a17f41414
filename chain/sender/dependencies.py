"""What waits for another intent: ``TxIntent.depends_on``, as for queue before execute."""

from dataclasses import dataclass

from chain.models import TxAttempt, TxIntent

State = TxIntent.State

_ENDED_WITHOUT_EFFECT = (
    State.FINALIZED_REVERTED,
    State.FINALIZED_CANCELED,
    State.REJECTED,
    State.NONCE_STOLEN,
)


@dataclass(frozen=True, slots=True)
class Dependency:
    """How it stands with what an intent depends on. ``waits`` or ``broken`` is a sentence; both
    empty: go on."""

    waits: str = ""
    broken: str = ""


def dependency_state(intent: TxIntent) -> Dependency:
    """Read the other intent's row and say whether this one may go on."""
    if intent.depends_on_id is None:
        return Dependency()
    other = TxIntent.objects.select_related("mined_attempt").get(pk=intent.depends_on_id)
    state = State(other.state)
    if state in (State.FINALIZED_OK, State.SATISFIED_EXTERNALLY):
        return Dependency()
    if state in _ENDED_WITHOUT_EFFECT:
        label = state.label.lower()
        return Dependency(broken=f"What it depends on ({other.kind}) ended: {label}.")
    if state is State.MINED and _has_effect(other) and not intent.depends_on_final:
        return Dependency()
    until = "final" if intent.depends_on_final else "in a block"
    return Dependency(waits=f"Waits until what it depends on ({other.kind}) is {until}.")


def _has_effect(other: TxIntent) -> bool:
    attempt = other.mined_attempt
    return bool(other.mined_ok) and (attempt is None or attempt.kind != TxAttempt.Kind.CANCEL)
