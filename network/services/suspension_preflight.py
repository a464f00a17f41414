"""The last look at the registry before a node is suspended or resumed, at one block."""

from chain import clock
from chain.client import call_simulate, chain_call, chain_head
from chain.errors_text import revert_sentence
from chain.formatting import amount_text
from chain.models import TxIntent
from chain.outbox import (
    AlreadyDone,
    Go,
    Reject,
    SendingAccount,
    Wait,
    account_address,
    intent_kind_register,
)
from chain.rpc.errors import ContractReverted
from chain.rpc.types import BlockHeader
from chain.signatures import keccak
from chain.status import freshness
from network.models import Incident, IncidentState
from network.selectors.suspensions import suspension_stop
from network.services.suspensions import (
    REGISTRY,
    RESUME,
    SUSPEND,
    key_incident_id,
    resume_data,
    suspend_data,
)

Verdict = Go | AlreadyDone | Wait | Reject
ROLE = keccak(b"ATTESTOR_ROLE")


def register_intent_kinds() -> None:
    """Tell the outbox what the attestor may send to the registry. Called when apps are ready."""
    for name, preflight, signature in (
        (SUSPEND, preflight_suspend, "suspend"),
        (RESUME, preflight_resume, "resume"),
    ):
        intent_kind_register(
            name=name,
            preflight=preflight,
            calls=((REGISTRY, signature),),
            account=SendingAccount.ATTESTOR,
        )


def preflight_suspend(intent: TxIntent) -> Verdict:
    """Ask whether the suspension is still wanted, needed and allowed.

    Raises:
        RpcError: the node could not be asked; the outbox asks again.
    """
    incident = Incident.objects.filter(pk=key_incident_id(intent.idem_key)).first()
    if incident is None or bytes(intent.data) != suspend_data(incident):
        return Reject("Its bytes are not those of the incident. A person has to look.")
    if incident.state != IncidentState.OPEN:
        return Reject("The incident is closed.")
    stop = _index_halted() or suspension_stop(clock.now())
    if stop:
        return Wait(stop, TxIntent.Wait.PAUSED)
    head = chain_head()
    try:
        node = chain_call(REGISTRY, "node", (bytes(incident.node_id),), head.hash)
    except ContractReverted as error:
        return Reject(f"Not needed: {revert_sentence(error)}")
    if node["exitRequestedAt"]:
        return AlreadyDone("Not needed: the node is leaving, and a suspension stops no exit.")
    if node["suspendedUntil"] > head.timestamp:
        return AlreadyDone("Not needed: the node is suspended already.")
    room_wei = int(chain_call(REGISTRY, "suspendableStake", (), head.hash))
    if int(node["stake"]) > room_wei:
        return Reject(
            "Cap reached: in one epoch at most 10 % of all stake may be suspended. "
            f"{amount_text(room_wei)} ALT are left of it, the node has "
            f"{amount_text(int(node['stake']))} ALT. The next try is in a later epoch."
        )
    return _allowed(intent, head)


def preflight_resume(intent: TxIntent) -> Verdict:
    """Ask whether there is still a suspension to end.

    Raises:
        RpcError: as above.
    """
    incident = Incident.objects.filter(pk=key_incident_id(intent.idem_key)).first()
    if incident is None or bytes(intent.data) != resume_data(incident):
        return Reject("Its bytes are not those of the incident. A person has to look.")
    if incident.state == IncidentState.OPEN:
        return Reject("The incident is open.")
    halted = _index_halted()
    if halted:
        return Wait(halted, TxIntent.Wait.PAUSED)
    head = chain_head()
    try:
        node = chain_call(REGISTRY, "node", (bytes(incident.node_id),), head.hash)
    except ContractReverted as error:
        return Reject(f"Not needed: {revert_sentence(error)}")
    if node["suspendedUntil"] <= head.timestamp:
        return AlreadyDone("Not needed: the suspension is over.")
    return _allowed(intent, head)


def _allowed(intent: TxIntent, head: BlockHeader) -> Verdict:
    """Whether the attestor's account may, and what a trial run says."""
    sender = account_address(SendingAccount.ATTESTOR)
    if sender is None:
        return Wait("The attestor's address is not known yet.")
    if not chain_call(REGISTRY, "hasRole", (ROLE, sender), head.hash):
        return Wait(
            "The attestor's account does not hold the registry's attestor role: the guardian may "
            "have revoked it, or another account was named at the deployment."
        )
    try:
        call_simulate(to=intent.to, data=intent.data, sender=sender, block=head.hash)
    except ContractReverted as error:
        if error.code == "NodeSuspensionTimeExceeded":
            return Reject(
                "Cap reached: without a case a node is suspended for at most 7 days in 30, and "
                "these are used up. Open a slashing case, or propose one to the DAO."
            )
        reason = f"The simulation would revert: {revert_sentence(error)}"
        return Wait(reason, TxIntent.Wait.WOULD_REVERT)
    return Go()


def _index_halted() -> str:
    known = freshness()
    return known.detail if known.state == "halted" else ""
