"""Anchor epochs: one transaction each, through the outbox, by the attestor's account."""

import logging
from typing import Any

from django.db import transaction

from chain import conf
from chain.client import call_simulate, chain_call, chain_head
from chain.contracts import contract
from chain.errors_text import revert_sentence
from chain.models import Cursor, SendingAccount, Signer, TxIntent
from chain.outbox import (
    AlreadyDone,
    Go,
    Reject,
    Wait,
    account_missing,
    intent_kind_register,
    intent_submit,
)
from chain.rpc.errors import ContractReverted, RpcError
from chain.status import freshness
from network.epochs.pieces import pieces_root
from network.models import Epoch, EpochLedger
from network.selectors.epochs import LEDGER, EpochState, EpochWord, chain_moment, epochs_open
from network.services.epochs import epochs_cut, ledger_ensure

logger = logging.getLogger(__name__)

#: The kind of intent that posts a root.
ANCHOR = "attest.anchor"
#: Times one epoch's transaction is wanted again after one ended without its effect.
RETRIES_MAX = 5
#: Epochs whose transactions are asked for in one tick: the sender looks at some at a time.
WANTED_MAX = 16

_CLOSED_WITHOUT_EFFECT = (
    TxIntent.State.FINALIZED_REVERTED,
    TxIntent.State.FINALIZED_CANCELED,
    TxIntent.State.REJECTED,
    TxIntent.State.SATISFIED_EXTERNALLY,
    TxIntent.State.NONCE_STOLEN,
)


def register_intent_kinds() -> None:
    """Tell the outbox what may be sent to the ledger, and how to check it. Called when apps are
    ready."""
    intent_kind_register(
        name=ANCHOR,
        preflight=preflight,
        calls=((LEDGER, "post"), (LEDGER, "repost")),
        account=SendingAccount.ATTESTOR,
    )


def epochs_tick() -> int:
    """Cut what is over and ask for what is not anchored; return how many transactions are new.

    Raises:
        RpcError: the node could not be asked; the next tick goes on.
    """
    # Who has no key of the attestor anchors nothing, and has not met the nodes' reports either.
    ledger = None if account_missing(SendingAccount.ATTESTOR) else ledger_ensure()
    if ledger is None:
        return 0
    epochs_cut(ledger)
    return sum(_want(item.epoch) for item in epochs_waiting(ledger))


def epochs_waiting(ledger: EpochLedger) -> list[EpochState]:
    """Epochs that were cut and are not on chain yet, the oldest first."""
    at = chain_moment()
    unposted = [] if at is None else epochs_open(ledger, at)
    return [item for item in unposted if item.word is EpochWord.CUT][:WANTED_MAX]


def anchor_key(epoch: Epoch, retry: int = 0) -> str:
    """The idempotency key of an epoch's transaction: one effect, whoever asks how often."""
    ledger = epoch.ledger
    key = f"{ANCHOR}:{ledger.chain_id}:0x{ledger.address.hex()}:{epoch.number}"
    again = f"@{epoch.revision}" if epoch.revision > 1 else ""
    return f"{key}{again}" + (f"#{retry}" if retry else "")


def anchor_calldata(epoch: Epoch) -> bytes:
    """The call that records an epoch: ``post``, or ``repost`` of one that was voided."""
    return contract(LEDGER).encode("repost" if epoch.revision > 1 else "post", _arguments(epoch))


def _arguments(epoch: Epoch) -> tuple[Any, ...]:
    return epoch.number, epoch.root, epoch.count, epoch.total_seconds, epoch.metadata_hash


@transaction.atomic
def _want(epoch: Epoch) -> bool:
    """Ask for an epoch's transaction unless it is asked for; whether this call did."""
    Epoch.objects.select_for_update().only("pk").get(pk=epoch.pk)
    keys = [anchor_key(epoch, retry) for retry in range(RETRIES_MAX + 1)]
    known = {row.idem_key: row for row in TxIntent.objects.filter(idem_key__in=keys)}
    wanted = next(
        (key for key in keys if key not in known or not _ended_without_effect(known[key])), keys[-1]
    )
    if wanted in known:
        return False
    if known and not _still_wanted(epoch):
        # The index has not caught up with what ended the last one: no new one for that.
        return False
    intent = intent_submit(
        idem_key=wanted, kind=ANCHOR, to=epoch.ledger.address, data=anchor_calldata(epoch)
    )
    Epoch.objects.filter(pk=epoch.pk).update(intent=intent)
    return True


def _ended_without_effect(row: TxIntent) -> bool:
    """An epoch waits although its intent has ended. The index tells of an effect, not the
    transaction's own success, and only once it has passed the block."""
    if row.state == TxIntent.State.FINALIZED_OK:
        cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
        return cursor is not None and cursor.finalized_number >= (row.mined_number or 0)
    return row.state in _CLOSED_WITHOUT_EFFECT


def _still_wanted(epoch: Epoch) -> bool:
    try:
        if epoch.revision == 1:
            return int(chain_call(LEDGER, "nextEpoch")) <= epoch.number
        return bool(chain_call(LEDGER, "record", (epoch.number,))["voided"])
    except RpcError:
        return False


def preflight(intent: TxIntent) -> Go | AlreadyDone | Wait | Reject:
    """Ask the chain, at its newest block, whether the root is still to be posted.

    Raises:
        RpcError: the node could not be asked; the outbox asks again.
    """
    if (known := freshness()).state == "halted":
        return Wait(known.detail, TxIntent.Wait.PAUSED)
    if intent.to != contract(LEDGER).address:
        return Reject("It is for another ledger than the deployment's.")
    function, given = contract(LEDGER).decode_input(bytes(intent.data))
    number = int(given["epoch"])
    spoilt = _spoilt(intent, number)
    if spoilt:
        return Reject(spoilt)
    # One block for every question: two answers of different blocks may contradict each other.
    block = chain_head().hash
    following = int(chain_call(LEDGER, "nextEpoch", (), block))
    if following < number:
        return Wait(f"Epoch {following} comes first.")
    if number < following:
        told = _posted(function, given, chain_call(LEDGER, "record", (number,), block))
        if told is not None:
            return told
    return _rehearsed(intent, block)


def _spoilt(intent: TxIntent, number: int) -> str:
    """Why the bytes are not those of the epoch as it is stored; empty where they are."""
    ledger = EpochLedger.objects.filter(address=intent.to, chain_id=intent.chain_id).first()
    epochs = [] if ledger is None else ledger.epochs.filter(number=number).select_related("ledger")
    epoch = next((row for row in epochs if anchor_calldata(row) == bytes(intent.data)), None)
    if epoch is None:
        return "Its bytes are not those of the epoch as stored. A person has to look."
    if pieces_root(epoch.piece_roots) != epoch.root:
        return "The epoch's stored tree does not have its root. A person has to look."
    return ""


def _posted(
    function: str, given: dict[str, Any], record: dict[str, Any]
) -> AlreadyDone | Reject | None:
    """What follows from the ledger's record of the epoch; None where it may be sent."""
    names = ("root", "count", "totalSeconds", "metadataHash")
    same = all(record[name] == given[name] for name in names)
    if record["voided"]:
        # The same figures again are a decision of their own, made by who cut the epoch again.
        return None if function == "repost" else Reject("It was posted, and voided since.")
    if same:
        return AlreadyDone("It is on chain already, with the same root.")
    logger.error(
        "Epoch %s is on chain with the root 0x%s; computed here was 0x%s. A person has to look.",
        given["epoch"],
        record["root"].hex(),
        given["root"].hex(),
    )
    return Reject("The chain holds another root for this epoch. A person has to look.")


def _rehearsed(intent: TxIntent, block: bytes) -> Go | Wait:
    signer = (
        Signer.objects.filter(chain_id=intent.chain_id, account=SendingAccount.ATTESTOR)
        .order_by("-ticked_at", "pk")
        .first()
    )
    if signer is None:
        return Wait("No key of the attestor has been seen yet.", TxIntent.Wait.NO_KEY)
    try:
        call_simulate(to=intent.to, data=intent.data, sender=bytes(signer.address), block=block)
    except ContractReverted as error:
        reason = f"The simulation would revert: {revert_sentence(error)}"
        return Wait(reason, TxIntent.Wait.WOULD_REVERT)
    return Go()
