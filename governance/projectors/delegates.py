"""Who holds tokens, who delegates to whom, and how much power each delegate has.

Balances and power are read from the chain at the block's hash. OpenZeppelin's logs of
one transaction can overlap (a transfer and a delegation move the same votes), so sums of them
drift; several indexers have shown negative power that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Count, Model

from chain.addresses import ZERO_ADDRESS
from chain.projections import BlockHeader, History, Projector, Read
from chain.tables import rows_insert, table_of
from governance.models import Delegate, Holder
from governance.projectors.times import moment

TOKEN = "AlthingToken"  # noqa: S105 - a contract


def _hex_keys(*addresses: bytes) -> Iterable[str]:
    return [address.hex() for address in addresses if address != ZERO_ADDRESS]


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
    # A transfer says that two balances changed; what they are now, the chain says.
    touch_only = frozenset({(TOKEN, "Transfer")})
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
        self.recompute_many({key: history})

    def recompute_many(self, histories: Mapping[str, History]) -> None:
        """Rebuild some holders."""
        rows = [_holder_row(bytes.fromhex(key), history) for key, history in histories.items()]
        rows_replace(Holder, histories, [row for row in rows if row is not None])


def _holder_row(address: bytes, history: History) -> tuple[Any, ...] | None:
    newest = history.last_log
    if newest is None:
        return None
    delegate = history.read(Read(TOKEN, "delegates", (address,)))
    delegations = history.logs("DelegateChanged")
    last = delegations[-1] if delegations else None
    return (
        address,
        history.read(Read(TOKEN, "balanceOf", (address,))) or 0,
        None if delegate in (None, ZERO_ADDRESS) else delegate,
        moment(last.block_timestamp) if last else None,
        last.block_number if last else None,
        newest.block_number,
    )


def rows_replace(
    model: type[Model], histories: Mapping[str, History], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write accounts' rows, and delete those of accounts that have no history left."""
    gone = {bytes.fromhex(key) for key in histories} - {row[0] for row in rows}
    if gone:
        model._default_manager.filter(address__in=gone).delete()
    rows_insert(model, rows, unique=("address",), update=table_of(model).columns[1:])


class DelegateProjector(Projector):
    """Writes Delegate. Keys: the delegate's address, hex."""

    name = "governance.delegates"
    depends_on = ("governance.holders",)
    models = (Delegate,)
    touch_only = frozenset({(TOKEN, "DelegateVotesChanged"), (TOKEN, "DelegateChanged")})
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
        self.recompute_many({key: history})

    def recompute_many(self, histories: Mapping[str, History]) -> None:
        """Rebuild some delegates."""
        accounts = [bytes.fromhex(key) for key in histories]
        counted = (
            Holder.objects.filter(delegate__in=accounts)
            .values_list("delegate")
            .annotate(holders=Count("pk"))
            .order_by()
        )
        delegators = dict(counted)
        rows = [
            (
                address,
                history.read(Read(TOKEN, "getVotes", (address,))) or 0,
                delegators.get(address, 0),
                history.last_log.block_number,
                moment(history.last_log.timestamp),
            )
            for address, history in zip(accounts, histories.values(), strict=True)
            if history.last_log is not None
        ]
        rows_replace(Delegate, histories, rows)
