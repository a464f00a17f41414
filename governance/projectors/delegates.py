"""Who holds tokens, who delegates to whom, and how much power each delegate has.

Balances and power are read from the chain at the block's hash. OpenZeppelin's logs of
one transaction can overlap (a transfer and a delegation move the same votes), so sums of them
drift; several indexers have shown negative power that way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chain.addresses import ZERO_ADDRESS
from chain.projections import BlockHeader, DecodedLog, History, Projector, Read
from governance.models import Delegate, Holder
from governance.projectors.times import moment

TOKEN = "AlthingToken"  # noqa: S105 - a contract


def _hex_keys(*addresses: bytes) -> Iterable[str]:
    return [address.hex() for address in dict.fromkeys(addresses) if address != ZERO_ADDRESS]


def _transfer_keys(args: dict[str, Any]) -> Iterable[str]:
    return _hex_keys(args["from"], args["to"])


def _delegator_keys(args: dict[str, Any]) -> Iterable[str]:
    return _hex_keys(args["delegator"])


def _delegates_keys(args: dict[str, Any]) -> Iterable[str]:
    return _hex_keys(args["fromDelegate"], args["toDelegate"])


def _power_keys(args: dict[str, Any]) -> Iterable[str]:
    return _hex_keys(args["delegate"])


class HolderProjector(Projector):
    """Writes Holder. Keys: the address, hex."""

    name = "governance.holders"
    models = (Holder,)
    events = {
        (TOKEN, "Transfer"): _transfer_keys,
        (TOKEN, "DelegateChanged"): _delegator_keys,
    }

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """Balance and delegate of each."""
        for key in keys:
            yield Read(TOKEN, "balanceOf", (bytes.fromhex(key),))
            yield Read(TOKEN, "delegates", (bytes.fromhex(key),))

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one holder."""
        address = bytes.fromhex(key)
        logs = history.logs()
        if not logs:
            Holder.objects.filter(address=address).delete()
            return
        delegate = history.read(Read(TOKEN, "delegates", (address,)))
        delegations = [log for log in logs if log.event == "DelegateChanged"]
        last = delegations[-1] if delegations else None
        Holder.objects.update_or_create(
            address=address,
            defaults={
                "balance_wei": history.read(Read(TOKEN, "balanceOf", (address,))) or 0,
                "delegate": None if delegate in (None, ZERO_ADDRESS) else delegate,
                "delegated_at": moment(last.block_timestamp) if last else None,
                "delegated_block": last.block_number if last else None,
                "last_changed_block": logs[-1].block_number,
            },
        )


class DelegateProjector(Projector):
    """Writes Delegate. Keys: the delegate's address, hex."""

    name = "governance.delegates"
    models = (Delegate,)
    events = {
        (TOKEN, "DelegateVotesChanged"): _power_keys,
        (TOKEN, "DelegateChanged"): _delegates_keys,
    }

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """Voting power of each."""
        for key in keys:
            yield Read(TOKEN, "getVotes", (bytes.fromhex(key),))

    def recompute(self, *, key: str, history: History) -> None:
        """Rebuild one delegate."""
        address = bytes.fromhex(key)
        logs = history.logs()
        if not logs:
            Delegate.objects.filter(address=address).delete()
            return
        Delegate.objects.update_or_create(
            address=address,
            defaults={
                "power_wei": history.read(Read(TOKEN, "getVotes", (address,))) or 0,
                "delegators_count": len(_delegators(address, logs)),
                "first_changed_block": logs[0].block_number,
                "last_changed_block": logs[-1].block_number,
                "last_changed_at": moment(logs[-1].block_timestamp),
            },
        )


def _delegators(address: bytes, logs: list[DecodedLog]) -> set[bytes]:
    """Who delegates to ``address`` after its logs: the last word of each delegator counts."""
    found: set[bytes] = set()
    for log in logs:
        if log.event != "DelegateChanged":
            continue
        if log.args["toDelegate"] == address:
            found.add(log.args["delegator"])
        else:
            found.discard(log.args["delegator"])
    return found
