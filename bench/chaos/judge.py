"""The oracles: raw JSON-RPC, receipts by nonce, and a fresh index. None asks the code under test
what it believes without comparing it with one of these."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.chaos.run import Run

Place = tuple[str, int]


def logs_judge(run: Run) -> None:
    """Every log the node has is stored once as canonical, byte for byte, and no other."""
    from chain.models import Log

    expected = {(item["blockHash"], int(item["logIndex"], 16)): item for item in run.chain.logs()}
    stored: Counter[Place] = Counter()
    differing: list[str] = []
    for row in Log.objects.filter(canonical=True):
        place = (f"0x{row.block_hash.hex()}", row.log_index)
        stored[place] += 1
        found = expected.get(place)
        if found is None:
            differing.append(f"{row} is not on the chain")
        elif not _same(row, found):
            differing.append(f"{row} differs from the chain's")
    missing = [place for place in expected if place not in stored]
    twice = [place for place, count in stored.items() if count > 1]
    run.counts.add("lost", f"logs not stored: {missing[:3]}", len(missing))
    run.counts.add("doubled", f"logs stored twice: {twice[:3]}", len(twice))
    run.counts.add("wrong", f"logs: {differing[:3]}", len(differing))


def _same(row: Any, found: dict[str, Any]) -> bool:
    topics = "".join(item[2:] for item in found["topics"])
    return (row.address.hex(), row.topics.hex(), row.data.hex(), row.transaction_hash.hex()) == (
        found["address"][2:].lower(),
        topics,
        found["data"][2:],
        found["transactionHash"][2:],
    )


def payments_judge(run: Run) -> None:
    """Each payment asked for is on chain once; the keeper's nonces hold nothing we do not know."""
    from chain.models import TxAttempt, TxIntent

    for to, count in run.wanted.items():
        paid = run.chain.balance(to)
        run.counts.add("lost", f"{to} was paid {paid} of {count}", max(0, count - paid))
        run.counts.add("doubled", f"{to} was paid {paid} of {count}", max(0, paid - count))
    ours = {f"0x{row.hash.hex()}": row for row in TxAttempt.objects.select_related("intent")}
    by_intent: Counter[int] = Counter()
    for nonce, sent in run.chain.sent_by(run.chain.keeper).items():
        if nonce < run.world.first_nonce or sent in run.forgotten:
            continue
        attempt = ours.get(sent)
        if attempt is None:
            run.counts.add("doubled", f"nonce {nonce} of the keeper holds {sent}, not ours")
        else:
            by_intent[attempt.intent_id] += 1
            if attempt.intent.nonce != nonce:
                run.counts.add("wrong", f"nonce {nonce} is stored as {attempt.intent.nonce}")
    twice = [pk for pk, count in by_intent.items() if count > 1]
    run.counts.add("doubled", f"intents mined twice: {twice}", len(twice))
    for intent in TxIntent.objects.filter(state="finalized_ok"):
        receipt = run.chain.receipt(f"0x{intent.mined_attempt.hash.hex()}")
        if receipt is None or receipt["blockHash"] != f"0x{intent.mined_hash.hex()}":
            run.counts.add("wrong", f"{intent} is called final and its receipt is {receipt}")


def balances_judge(run: Run) -> None:
    """Balances and voting power are the node's own at the head."""
    from governance.models import Delegate, Holder

    token = run.chain.address("AlthingToken")
    wrong = [
        f"balance of 0x{row.address.hex()}"
        for row in Holder.objects.all()
        if run.chain.balance(f"0x{row.address.hex()}") != row.balance_wei
    ]
    wrong += [
        f"power of 0x{row.address.hex()}"
        for row in Delegate.objects.all()
        if run.chain.call(token, "getVotes(address)", f"0x{row.address.hex()}") != row.power_wei
    ]
    run.counts.add("wrong", f"not the chain's: {wrong[:4]}", len(wrong))


def fresh_judge(run: Run) -> None:
    """What is stored is what an index from nothing stores, row for row."""
    from bench.chaos.digest import differences, digest_of_live

    expected = run.stage.fresh_digest()
    run.index()
    for text in differences(digest_of_live(), expected):
        run.counts.add("wrong", text)


def intents_text() -> str:
    """The open intents, for a person."""
    from chain.models import TxIntent

    rows = TxIntent.objects.filter(state__in=["planned", *TxIntent.OPEN_STATES])
    return "; ".join(f"{row.kind} {row.state} ({row.why_waiting})" for row in rows[:4])
