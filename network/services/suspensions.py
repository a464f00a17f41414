"""From an open incident to a suspension on chain, and back: plan, follow, never decide twice.

What is shown of the chain follows the registry's events alone, so a reorganisation takes a
suspension back here as it does there; the outbox sends its transaction again by itself.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from chain import clock, conf
from chain.contracts import contract, deployment
from chain.models import Cursor, TxIntent
from chain.outbox import SendingAccount, account_missing, intent_obsolete, intent_submit
from network.errors import PolicyUnavailable
from network.models import (
    AttestationState,
    Incident,
    IncidentAction,
    IncidentState,
    Node,
    NodeEvent,
    NodeStatus,
    Strike,
)
from network.selectors.policy import PolicySnapshot, policy_current
from network.selectors.suspensions import PENDING, suspension_stop
from network.services.breakers import build_note
from network.services.incidents import SERVICE, event_write, incident_cure, incident_open

SUSPEND: Final = "attest.suspend"
RESUME: Final = "attest.resume"
REGISTRY: Final = "NodeRegistry"
#: How long after a transaction ended without effect the next is planned.
RETRY_AFTER: Final = timedelta(hours=1)
#: How long a suspension may wait to be sent; a day later its reason is stale.
DEADLINE: Final = timedelta(days=1)

_State, _Action = TxIntent.State, IncidentAction
_LIVE: Final = (_State.PLANNED, *TxIntent.OPEN_STATES)
#: Closed incidents with these have nothing left to do.
_SETTLED: Final = (_Action.RESUMED, _Action.NOT_NEEDED, _Action.CAP_REACHED)
_SENTENCE: Final = 500


def suspensions_tick() -> int:
    """Look at every incident that is not settled; return how many intents were submitted."""
    at = clock.now()
    build_note(at=at)
    try:
        incidents_follow_policy(policy_current(), at=at)
    except PolicyUnavailable:
        return 0
    due = Incident.objects.filter(state=IncidentState.OPEN) | Incident.objects.exclude(
        action__in=_SETTLED
    )
    submitted = 0
    for pk in due.order_by("id").values_list("pk", flat=True):
        submitted += incident_follow(pk, at=at)
    return submitted


def incidents_follow_policy(policy: PolicySnapshot, *, at: datetime) -> None:
    """Open and close what a vote on ``slash.strikes`` alone decides."""
    open_ids = Incident.objects.filter(state=IncidentState.OPEN).values("node_id")
    late = AttestationState.objects.filter(strikes__gte=policy.strikes_max)
    for node_id in late.exclude(node_id__in=open_ids).values_list("node_id", flat=True):
        _open_late(bytes(node_id), policy, at)
    early = AttestationState.objects.filter(node_id__in=open_ids, strikes__lt=policy.strikes_max)
    for node_id in early.values_list("node_id", flat=True):
        reason = f"Policy {policy.version} lets a node count below {policy.strikes_max} strikes."
        with transaction.atomic():
            state = AttestationState.objects.select_for_update().get(node_id=node_id)
            if state.strikes < policy.strikes_max:
                incident_cure(node_id=bytes(node_id), reason=reason, at=at)


@transaction.atomic
def _open_late(node_id: bytes, policy: PolicySnapshot, at: datetime) -> None:
    state = AttestationState.objects.select_for_update().get(node_id=node_id)
    strike = Strike.objects.filter(node_id=node_id).select_related("verdict").first()
    if strike is None or state.strikes < policy.strikes_max:
        return
    verdict = strike.verdict
    if verdict is not None:
        incident_open(
            node_id=node_id,
            code=strike.code,
            verdict=verdict,
            strikes=state.strikes,
            policy=policy,
            at=at,
        )


@transaction.atomic
def incident_follow(incident_id: int, *, at: datetime) -> bool:
    """Bring one incident as far as it goes now; whether an intent was submitted.

    An incident that another worker holds is left to it.
    """
    rows = Incident.objects.select_for_update(of=("self",), skip_locked=True)
    incident = rows.select_related("suspend_intent", "resume_intent").filter(pk=incident_id).first()
    if incident is None:
        return False
    node = Node.objects.filter(node_id=incident.node_id).first()
    if node is None:  # its registration was reorganised away
        return False
    if incident.state == IncidentState.OPEN:
        return _follow_open(incident, node, at)
    return _follow_closed(incident, node, at)


# --- open: suspend ----------------------------------------------------------------------------


def _follow_open(incident: Incident, node: Node, at: datetime) -> bool:
    intent, status = incident.suspend_intent, node.status_at(at)
    if status in (NodeStatus.EXITING, NodeStatus.EXITED):
        _note(incident, _Action.NOT_NEEDED, "The node is leaving; a suspension stops no exit.", at)
    elif status == NodeStatus.SUSPENDED:
        until = f"{node.suspended_until:%Y-%m-%d %H:%M} UTC" if node.suspended_until else "later"
        _note(incident, _Action.SUSPENDED, f"Suspended on chain until {until}.", at)
    elif intent is not None and _under_way(intent):
        words = intent.why_waiting or "The suspension is on its way to the chain."
        _note(incident, _Action.SENT, words, at)
    elif intent is not None and _resumed_by_hand(incident, intent):
        _note(incident, _Action.RESUMED, "Somebody resumed the node on chain.", at)
    elif intent is not None and at - intent.updated_at < RETRY_AFTER:
        _note_ended(incident, intent, at)
    else:
        return _suspend(incident, at)
    return False


def _suspend(incident: Incident, at: datetime) -> bool:
    if incident.action not in PENDING:  # a new try: it counts among what would be suspended
        _note(incident, _Action.WAITING, "It is to be suspended again.", at)
    held = suspension_stop(at) or account_missing(SendingAccount.ATTESTOR)
    if held:
        _note(incident, _Action.HELD, held, at)
        return False
    incident.suspend_tries += 1
    incident.suspend_intent = intent_submit(
        idem_key=_key(SUSPEND, incident, incident.suspend_tries),
        kind=SUSPEND,
        to=deployment().address(REGISTRY),
        data=suspend_data(incident),
        deadline=at + DEADLINE,
    )
    incident.save(update_fields=["suspend_tries", "suspend_intent"])
    _note(incident, _Action.SENT, "The suspension is planned.", at)
    return True


# --- closed: resume ---------------------------------------------------------------------------


def _follow_closed(incident: Incident, node: Node, at: datetime) -> bool:
    suspend, resume = incident.suspend_intent, incident.resume_intent
    if suspend is not None and suspend.state in (_State.PLANNED, *TxIntent.UNMINED_STATES):
        intent_obsolete(intent=suspend, reason="The incident is closed.")
        _note(incident, _Action.SENT, "Closed before the suspension was mined; it is stopped.", at)
    elif suspend is None or suspend.mined_ok is not True:
        _note(incident, _Action.NOT_NEEDED, "Closed before anything came on chain.", at)
    elif not _indexed(suspend):
        _note(incident, _Action.RESUMING, "The suspension is being indexed.", at)
    elif node.status_at(at) != NodeStatus.SUSPENDED:
        _note(incident, _Action.RESUMED, "The node is not suspended any more.", at)
    elif Incident.objects.filter(node_id=incident.node_id, state=IncidentState.OPEN).exists():
        _note(incident, _Action.NOT_NEEDED, "Another incident of the node is open.", at)
    elif resume is not None and _under_way(resume):
        _note(incident, _Action.RESUMING, resume.why_waiting or "It is being resumed.", at)
    elif resume is None or at - resume.updated_at >= RETRY_AFTER:
        return _resume(incident, at)
    return False


def _resume(incident: Incident, at: datetime) -> bool:
    missing = account_missing(SendingAccount.ATTESTOR)
    if missing:
        _note(incident, _Action.RESUMING, f"The suspension runs out by itself. {missing}", at)
        return False
    incident.resume_tries += 1
    incident.resume_intent = intent_submit(
        idem_key=_key(RESUME, incident, incident.resume_tries),
        kind=RESUME,
        to=deployment().address(REGISTRY),
        data=resume_data(incident),
    )
    incident.save(update_fields=["resume_tries", "resume_intent"])
    _note(incident, _Action.RESUMING, "It is being resumed.", at)
    return True


# --- shared -----------------------------------------------------------------------------------


def suspend_data(incident: Incident) -> bytes:
    """Calldata: ``suspend(nodeId, reason, evidenceHash)``."""
    reason = incident.code.encode("ascii").ljust(32, b"\0")
    arguments = (bytes(incident.node_id), reason, bytes(incident.evidence_hash))
    return contract(REGISTRY).encode("suspend", arguments)


def resume_data(incident: Incident) -> bytes:
    """Calldata: ``resume(nodeId)``."""
    return contract(REGISTRY).encode("resume", (bytes(incident.node_id),))


def key_incident_id(key: str) -> int:
    """The incident that an intent's key names."""
    return int(key.split(":")[3])


def _key(kind: str, incident: Incident, number: int) -> str:
    registry = deployment().address(REGISTRY).hex()
    return f"{kind}:{conf.chain_id()}:0x{registry}:{incident.pk}:{number}"


def _under_way(intent: TxIntent) -> bool:
    """It may still have its effect, or has had one that the index does not show yet."""
    return intent.state in _LIVE or (intent.state == _State.FINALIZED_OK and not _indexed(intent))


def _indexed(intent: TxIntent) -> bool:
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    return cursor is not None and cursor.projected_number >= (intent.mined_number or 0)


def _resumed_by_hand(incident: Incident, intent: TxIntent) -> bool:
    if intent.state != _State.FINALIZED_OK or intent.mined_at is None:
        return False
    return NodeEvent.objects.filter(
        node_id=incident.node_id, event="NodeResumed", occurred_at__gte=intent.mined_at
    ).exists()


def _note_ended(incident: Incident, intent: TxIntent, at: datetime) -> None:
    """Why the newest transaction ended without effect, in the words of who ended it."""
    ended = intent.history.order_by("-pk").first()
    words = ended.detail if ended else ""
    if intent.state == _State.SATISFIED_EXTERNALLY:
        action = _Action.NOT_NEEDED
    else:
        action = _Action.CAP_REACHED if words.startswith("Cap reached") else _Action.HELD
    _note(incident, action, words or "It ended without effect.", at)


def _note(incident: Incident, action: IncidentAction, sentence: str, at: datetime) -> None:
    before = incident.action
    if (before, incident.action_sentence) == (action.value, sentence[:_SENTENCE]):
        return
    incident.action, incident.action_sentence = action.value, sentence[:_SENTENCE]
    incident.save(update_fields=["action", "action_sentence"])
    if before != action.value:
        event_write(incident, action.value, actor=SERVICE, reason=sentence, at=at)
