"""Signed bytes to the node, again and again until a receipt says it is done.

Always the same bytes: preparing them anew after a lost reply could make two transactions.
"""

from collections.abc import Callable

from django.db.models import F

from chain import clock
from chain.models import TxAttempt, TxIntent
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RpcError
from chain.rpc.send_errors import SendOutcome, send_outcome
from chain.sender.transitions import State, Wait, intent_move, intent_wait

#: Seconds until the same bytes go out again: doubling from the first to the second.
_RESEND_S = (1.0, 15.0)

Reached = Callable[[str], None]

_TAKEN = (SendOutcome.ACCEPTED, SendOutcome.KNOWN)

#: What a node's word means for the one who waits. An underpriced attempt is replaced at once.
_WAITS: dict[SendOutcome, tuple[str, str]] = {
    SendOutcome.NONCE_TOO_LOW: (
        Wait.NONCE_SPENT,
        "The chain has a transaction with this nonce; its receipt will say whose.",
    ),
    SendOutcome.NONCE_GAP: (
        Wait.NONCE_GAP,
        "The node waits for an earlier transaction of the same account; that is sent again too.",
    ),
    SendOutcome.INSUFFICIENT_FUNDS: (
        Wait.LOW_BALANCE,
        "The sending account has too little to pay for gas. Fund it.",
    ),
    SendOutcome.REFUSED: (
        Wait.REFUSED,
        "The node refuses the transaction as it is. A person has to look at its last error.",
    ),
    SendOutcome.UNKNOWN: (
        Wait.SEND_UNKNOWN,
        "The node did not confirm that it took the transaction; trying again.",
    ),
}


def send_due(attempt: TxAttempt) -> bool:
    """Whether to send an attempt (again) now: pools forget, and a reply may have been lost."""
    if attempt.last_sent_at is None:
        return True
    wait_s = min(_RESEND_S[0] * 2 ** min(attempt.sends - 1, 10), _RESEND_S[1])
    since_s = (clock.now() - attempt.last_sent_at).total_seconds()
    # A last send in the future: this machine's clock was set back. Known bytes do no harm.
    return not 0 <= since_s < wait_s


def attempt_send(
    client: RpcClient, *, intent: TxIntent, attempt: TxAttempt, reached: Reached
) -> SendOutcome:
    """Broadcast one attempt's bytes and note what the node said."""
    outcome, error = _broadcast(client, attempt)
    reached("sent")
    _note(attempt, outcome, error)
    if intent.state == State.SIGNED and outcome in _TAKEN:
        intent_move(intent, to=State.BROADCAST, detail=f"0x{attempt.hash.hex()} {outcome}")
    elif intent.state in TxIntent.UNMINED_STATES:
        if outcome in _WAITS:
            intent_wait(intent, *_WAITS[outcome])
        elif outcome in _TAKEN and intent.wait_code in {code for code, _ in _WAITS.values()}:
            intent_wait(intent, Wait.NONE, "")
    reached("recorded")
    return outcome


def _broadcast(client: RpcClient, attempt: TxAttempt) -> tuple[SendOutcome, str]:
    try:
        answer = client.send_raw(attempt.raw)
    except Inconsistent as failure:
        return SendOutcome.UNKNOWN, failure.detail
    except RpcError as failure:
        return send_outcome(failure), failure.detail
    if answer != attempt.hash:
        return SendOutcome.UNKNOWN, f"The node answered with another hash, 0x{answer.hex()}."
    return SendOutcome.ACCEPTED, ""


def _note(attempt: TxAttempt, outcome: SendOutcome, error: str) -> None:
    moment = clock.now()
    attempt.first_sent_at = attempt.first_sent_at or moment
    attempt.last_sent_at = moment
    attempt.accepted = attempt.accepted or outcome in _TAKEN
    attempt.last_error = "" if outcome in _TAKEN else f"{outcome}: {error}"[:1000]
    TxAttempt.objects.filter(pk=attempt.pk).update(
        first_sent_at=attempt.first_sent_at,
        last_sent_at=moment,
        accepted=attempt.accepted,
        last_error=attempt.last_error,
        sends=F("sends") + 1,
    )
    attempt.sends += 1
