"""Incidents: opened when a node reaches ``slash.strikes``, closed by its own good reports or by a
person. Each act leaves its audit row. What happens on chain is ``network.services.suspensions``.
"""

from datetime import datetime

from django.db import transaction

from network.attestation.codes import CODES
from network.errors import Conflict, NotFound, Refused
from network.models import (
    AttestationState,
    Incident,
    IncidentEvent,
    IncidentState,
    Verdict,
)
from network.selectors.policy import PolicySnapshot, policy_current

SERVICE = "service"
#: Characters: what a bytes32 holds with a final zero.
REASON_CHARACTERS = 31
_SENTENCE = 500


@transaction.atomic
def incident_open(
    *,
    node_id: bytes,
    code: str,
    verdict: Verdict,
    strikes: int,
    policy: PolicySnapshot,
    at: datetime,
) -> Incident:
    """Open the node's incident, or note one strike more in the one that is open.

    The caller holds the lock of the node's ``AttestationState``.
    """
    sentence = f"{strikes} reports refused since the last cure. The newest: {verdict.sentence}"
    known = Incident.objects.filter(node_id=node_id, state=IncidentState.OPEN)
    incident = known.select_for_update(of=("self",)).first()
    if incident is not None:
        incident.strikes, incident.sentence = strikes, sentence[:_SENTENCE]
        incident.save(update_fields=["strikes", "sentence"])
        return incident
    incident = Incident.objects.create(
        node_id=node_id,
        code=reason_code(code),
        sentence=sentence[:_SENTENCE],
        next_step=next_step(code, policy)[:_SENTENCE],
        verdict=verdict,
        evidence_hash=verdict.verdict_hash,
        strikes=strikes,
        policy_version=policy.version,
        opened_at=at,
    )
    event_write(incident, "opened", actor=SERVICE, reason=sentence, at=at)
    return incident


def incident_cure(*, node_id: bytes, reason: str, at: datetime) -> None:
    """Close the node's open incident, if it has one: what it was opened for is over."""
    with transaction.atomic():
        incident = _open_of(node_id)
        if incident is not None:
            _close(incident, IncidentState.CURED, actor=SERVICE, reason=reason, at=at)


def incident_release(*, incident_id: int, actor: str, reason: str, at: datetime) -> Incident:
    """Let a node count again before it is cured; one strike more suspends it again.

    Raises:
        NotFound: ``incident_unknown``.
        Refused: ``reason_missing``.
        Conflict: ``incident_closed`` already.
    """
    strikes = max(0, policy_current().strikes_max - 1)
    return _decide(incident_id, IncidentState.RELEASED, strikes, actor, reason, at)


def incident_dismiss(*, incident_id: int, actor: str, reason: str, at: datetime) -> Incident:
    """Say that the incident was no fault of the node: it closes and all strikes are cleared.

    Raises:
        NotFound: ``incident_unknown``.
        Refused: ``reason_missing``.
        Conflict: ``incident_closed`` already.
    """
    return _decide(incident_id, IncidentState.DISMISSED, 0, actor, reason, at)


def reason_code(code: str) -> str:
    """A finding's code as the registry takes it: at most 31 characters of printable ASCII."""
    return "".join(c for c in code if c.isascii() and c.isprintable())[:REASON_CHARACTERS]


def next_step(code: str, policy: PolicySnapshot) -> str:
    """What the operator does about a finding, and what ends the incident."""
    known = CODES.get(code)
    step = known.next_step if known else "Look at the finding in the node's last report."
    return (
        f"{step} Then keep reporting: {policy.trust_consecutive} accepted reports in a row clear "
        "the strikes and end the suspension."
    )


def event_write(
    incident: Incident, action: str, *, actor: str, reason: str, at: datetime
) -> IncidentEvent:
    """Add one line to the incident's audit."""
    return IncidentEvent.objects.create(
        incident=incident, action=action, actor=actor, reason=reason[:_SENTENCE], occurred_at=at
    )


def _open_of(node_id: bytes) -> Incident | None:
    rows = Incident.objects.filter(node_id=node_id, state=IncidentState.OPEN)
    return rows.select_for_update(of=("self",)).first()


@transaction.atomic
def _decide(
    incident_id: int, to: IncidentState, strikes: int, actor: str, reason: str, at: datetime
) -> Incident:
    if not reason.strip():
        raise Refused("reason_missing", "Say why; the reason is kept and shown.")
    node_id = Incident.objects.filter(pk=incident_id).values_list("node_id", flat=True).first()
    if node_id is None:
        raise NotFound("incident_unknown", "There is no such incident.")
    # The same order of locks as a report's: the node's row first.
    state = AttestationState.objects.select_for_update().get(node_id=node_id)
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    if incident.state != IncidentState.OPEN:
        raise Conflict("incident_closed", "The incident is closed already.")
    state.strikes, state.good_in_row = min(state.strikes, strikes), 0
    state.save(update_fields=["strikes", "good_in_row"])
    _close(incident, to, actor=actor, reason=reason, at=at)
    return incident


def _close(incident: Incident, to: IncidentState, *, actor: str, reason: str, at: datetime) -> None:
    incident.state, incident.closed_at = to, at
    incident.save(update_fields=["state", "closed_at"])
    event_write(incident, to.value, actor=actor, reason=reason, at=at)
