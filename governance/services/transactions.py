"""Transactions people sent from their wallets, watched until final: no tab has to stay open.

A hash is all a browser may say; everything else is asked of the node. The row is the sender's
convenience: what the pages say of proposals and votes comes from the index alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q

from chain import clock, conf
from chain.client import call_simulate, rpc_client
from chain.errors_text import revert_sentence
from chain.models import Block, Cursor
from chain.rpc.client import Call
from chain.rpc.errors import ContractReverted, RpcError
from chain.rpc.types import Receipt
from governance.errors import InputInvalid, NotFound
from governance.models import PendingTransaction, Proposal, TransactionSender

State = PendingTransaction.State

PURPOSES = ("propose", "vote", "delegate", "queue", "execute", "cancel", "other")
#: Rows looked at in one tick; two batches of requests.
TICK_ROWS = 50
#: Seconds a transaction the node never knew stays pending: broadcasts take a moment to spread.
UNSEEN_S = 120
#: Hours after which a dropped transaction is no longer looked for.
GIVE_UP_H = 24
#: Blocks searched for the transaction that took a replaced one's nonce.
REPLACEMENT_BLOCKS = 32

_DROPPED = (
    "The network no longer knows this transaction. Look in your wallet whether it was cancelled "
    "before you send it again."
)
_NEVER_SEEN = "Our node never saw this transaction. Look in your wallet whether it was really sent."
_REVERTED = "The chain refused the transaction. Nothing changed; only the gas was spent."


@dataclass(frozen=True, slots=True)
class Seen:
    """What a node says of a transaction it knows."""

    sender: bytes
    to: bytes | None
    nonce: int
    value_wei: int
    data: bytes


def transaction_watch(
    *, transaction_hash: bytes, purpose: str = "other", proposal_id: int | None = None
) -> PendingTransaction:
    """Watch a transaction from now on. Posting it again changes nothing.

    Raises:
        InputInvalid: an unknown purpose.
    """
    if purpose not in PURPOSES:
        raise InputInvalid(f"A purpose is one of {', '.join(PURPOSES)}.", code="purpose_unknown")
    row, created = PendingTransaction.objects.get_or_create(
        transaction_hash=transaction_hash,
        defaults={
            "purpose": purpose,
            "proposal_id": proposal_id,
            "submitted_at": clock.now(),
        },
    )
    if created:
        try:
            transactions_check([row])
        except RpcError:
            pass  # the tick asks again; the hash is kept, which is what matters now
    return row


def transaction_get(*, transaction_hash: bytes) -> PendingTransaction:
    """How a watched transaction is doing.

    Raises:
        NotFound: nobody asked us to watch it.
    """
    row = PendingTransaction.objects.filter(transaction_hash=transaction_hash).first()
    if row is None:
        raise NotFound("This transaction is not watched here.", code="transaction_unknown")
    return row


def transactions_tick() -> int:
    """Look at the watched transactions that are not settled; return how many."""
    moment = clock.now()
    finalized = Cursor.objects.filter(chain_id=conf.chain_id()).values("finalized_number")[:1]
    open_states = Q(state__in=[State.PENDING, State.MINED, State.INDEXED])
    young_drop = Q(state=State.DROPPED, submitted_at__gt=moment - timedelta(hours=GIVE_UP_H))
    unsettled_revert = Q(state=State.REVERTED, block_number__gt=finalized)
    rows = list(
        PendingTransaction.objects.filter(open_states | young_drop | unsettled_revert).order_by(
            F("checked_at").asc(nulls_first=True)
        )[:TICK_ROWS]
    )
    transactions_check(rows)
    return len(rows)


def transactions_check(rows: Sequence[PendingTransaction]) -> None:
    """Ask the node about each and write down what it says.

    Raises:
        RpcError: the node could not be asked; nothing was written.
    """
    if not rows:
        return
    hashes = [bytes(row.transaction_hash) for row in rows]
    seen = _transactions(hashes)
    receipts = rpc_client().receipts(hashes)
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    for row, known, receipt in zip(rows, seen, receipts, strict=True):
        _note_sender(row, known)
        if receipt is not None:
            _mined(row, receipt, known, cursor)
        elif known is not None:
            row.state, row.seen_at, row.sentence = State.PENDING, clock.now(), ""
            row.block_number = row.block_hash = None
        else:
            _vanished(row)
        row.checked_at = clock.now()
        row.save()


def senders_fill() -> int:
    """Learn who executed proposals, for "Executed by 0x…"; return how many were learnt."""
    known = TransactionSender.objects.values("transaction_hash")
    missing = (
        Proposal.objects.filter(executed_tx__isnull=False)
        .exclude(executed_tx__in=known)
        .order_by("-executed_at")
        .values_list("executed_tx", flat=True)[:TICK_ROWS]
    )
    hashes = list(dict.fromkeys(bytes(item) for item in missing if item is not None))
    rows = [
        TransactionSender(transaction_hash=item, sender=seen.sender)
        for item, seen in zip(hashes, _transactions(hashes), strict=True)
        if seen is not None
    ]
    TransactionSender.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _note_sender(row: PendingTransaction, known: Seen | None) -> None:
    if known is None:
        return
    row.sender, row.nonce, row.to = known.sender, known.nonce, known.to
    TransactionSender.objects.get_or_create(
        transaction_hash=row.transaction_hash, defaults={"sender": known.sender}
    )


def _mined(
    row: PendingTransaction, receipt: Receipt, known: Seen | None, cursor: Cursor | None
) -> None:
    row.block_number, row.block_hash = receipt.block_number, receipt.block_hash
    row.seen_at = clock.now()
    if not receipt.ok:
        if row.state != State.REVERTED:
            row.sentence = _why_reverted(known, receipt.block_number)
        row.state = State.REVERTED
        return
    row.sentence = ""
    row.state = State.MINED
    if cursor is None or cursor.number < receipt.block_number:
        return
    left = Block.objects.filter(
        chain_id=conf.chain_id(), number=receipt.block_number, canonical=True
    ).exclude(hash=receipt.block_hash)
    if left.exists():
        return  # the index stands on another block of that height; it will follow
    is_final = receipt.block_number <= cursor.finalized_number
    row.state = State.FINALIZED if is_final else State.INDEXED


def _vanished(row: PendingTransaction) -> None:
    """Neither pool nor chain knows it: replaced, dropped, or not spread yet."""
    row.block_number = row.block_hash = None
    if row.sender is not None and row.nonce is not None:
        if rpc_client().nonce(bytes(row.sender)) > row.nonce:
            row.state = State.REPLACED
            row.replaced_by = _replacement(bytes(row.sender), row.nonce)
            row.sentence = "Another transaction of your wallet took its place."
            return
    silent_since = row.seen_at or row.submitted_at
    if clock.now() - silent_since > timedelta(seconds=UNSEEN_S):
        row.state = State.DROPPED
        row.sentence = _NEVER_SEEN if row.sender is None else _DROPPED
    else:
        row.state = State.PENDING


def _replacement(sender: bytes, nonce: int) -> bytes | None:
    """The hash that used ``nonce``, if one of the newest blocks has it."""
    head = rpc_client().header("latest").number
    numbers = range(head, max(-1, head - REPLACEMENT_BLOCKS), -1)
    calls = [Call("eth_getBlockByNumber", (hex(number), True)) for number in numbers]
    wanted = f"0x{sender.hex()}"
    for block in rpc_client().batch(calls):
        if not isinstance(block, dict):
            continue
        for item in block.get("transactions", ()):
            if isinstance(item, dict) and str(item.get("from", "")).lower() == wanted:
                if int(item["nonce"], 16) == nonce:
                    return bytes.fromhex(item["hash"][2:])
    return None


def _why_reverted(known: Seen | None, block_number: int) -> str:
    """Run it again on the state before its block; the reason is usually still there."""
    if known is None or known.to is None:
        return _REVERTED
    try:
        call_simulate(
            to=known.to,
            data=known.data,
            sender=known.sender,
            value_wei=known.value_wei,
            block=block_number - 1,
        )
    except ContractReverted as error:
        return f"{revert_sentence(error)} Only the gas was spent."
    except RpcError:
        return _REVERTED
    return (
        "The chain refused the transaction; something changed just before it. It may work now. "
        "Only the gas was spent."
    )


def _transactions(hashes: Iterable[bytes]) -> list[Seen | None]:
    calls = [Call("eth_getTransactionByHash", (f"0x{item.hex()}",)) for item in hashes]
    found: list[Seen | None] = []
    for result in rpc_client().batch(calls) if calls else ():
        if isinstance(result, RpcError):
            raise result
        found.append(_seen(result) if isinstance(result, dict) else None)
    return found


def _seen(source: dict[str, Any]) -> Seen:
    return Seen(
        sender=bytes.fromhex(source["from"][2:]),
        to=bytes.fromhex(source["to"][2:]) if source.get("to") else None,
        nonce=int(source["nonce"], 16),
        value_wei=int(source.get("value", "0x0"), 16),
        data=bytes.fromhex(source.get("input", "0x")[2:]),
    )


def transactions_expire(*, before: datetime) -> int:
    """Forget rows nobody will ask for any more; return how many."""
    return PendingTransaction.objects.filter(submitted_at__lt=before).delete()[0]
