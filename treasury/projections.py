"""Build the treasury's tables: transfers from the logs, balances by reading the chain.

Logs are never summed into a balance. A balance is read from the chain at a
block's hash, and the sum of the logs is only ever compared with it
(``treasury.selectors.reconciliation``).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Model

from chain.contracts import deployment
from chain.projections import ETH_BALANCE, DecodedLog, Projector, Read
from treasury.assets import ALT, ASSETS, ETH, AssetSpec, asset_spec
from treasury.models import Asset, Balance, Transfer, TransferDirection

if TYPE_CHECKING:
    from chain.indexer.history import History
    from chain.rpc.types import BlockHeader

#: Plain ETH reaches the timelock without a log, so its balance is read again
#: after this many blocks even when nothing was logged.
ETH_REREAD_BLOCKS = 60

_LOG_INDEX_BITS = 20


def treasury_address() -> bytes:
    """Return the 20 bytes of the account that holds the funds: the timelock."""
    return deployment().address("TimelockController")


class TreasuryProjector(Projector):
    """Writes Asset, Transfer and Balance.

    Keys: ``transfers:<asset code>:<counterparty hex>`` and ``balance:<asset code>``.
    """

    name = "treasury"
    models: tuple[type[Model], ...] = (Transfer, Balance, Asset)

    @property
    def events(  # type: ignore[override]
        self,
    ) -> Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]]:
        return {
            ("AlthingToken", "Transfer"): _token_transfer_keys,
            ("TimelockController", "CallExecuted"): _call_executed_keys,
        }

    def due_keys(self, *, block: "BlockHeader") -> Iterable[str]:
        """Name the balances never read so far, and ETH's when its reading has grown old."""
        read_at = dict(Balance.objects.values_list("asset_id", "block_number"))
        for spec in ASSETS:
            if spec.contract is not None and block.number < _deployed_at(spec.contract):
                continue
            number = read_at.get(spec.code)
            if number is None or (spec is ETH and block.number - number >= ETH_REREAD_BLOCKS):
                yield f"balance:{spec.code}"

    def reads(self, *, keys: list[str], block: "BlockHeader") -> Iterable[Read]:
        """Ask for the balance of every asset whose balance key is among the touched ones."""
        for key in keys:
            kind, _, code = key.partition(":")
            if kind == "balance":
                yield _balance_read(asset_spec(code))

    def recompute(self, *, key: str, history: "History") -> None:
        """Rebuild one counterparty's transfers of one asset, or one balance."""
        kind, _, rest = key.partition(":")
        if kind == "balance":
            _balance_recompute(asset_spec(rest), history)
            return
        code, _, counterparty = rest.partition(":")
        _transfers_recompute(asset_spec(code), bytes.fromhex(counterparty), history)


def _deployed_at(contract_name: str) -> int:
    # Before it, the call would answer nothing: there is no code to ask.
    return deployment().contracts[contract_name].block_number


def _token_transfer_keys(args: dict[str, Any]) -> Iterable[str]:
    treasury = treasury_address()
    sender, recipient = args["from"], args["to"]
    if treasury not in (sender, recipient):
        return []
    counterparty = recipient if sender == treasury else sender
    return [f"transfers:{ALT.code}:{counterparty.hex()}", f"balance:{ALT.code}"]


def _call_executed_keys(args: dict[str, Any]) -> Iterable[str]:
    if args["value"] == 0:
        return []
    return [f"transfers:{ETH.code}:{args['target'].hex()}", f"balance:{ETH.code}"]


def _balance_read(spec: AssetSpec) -> Read:
    if spec.contract is None:
        return Read("", ETH_BALANCE, (treasury_address(),))
    return Read(spec.contract, "balanceOf", (treasury_address(),))


def _asset_ensure(spec: AssetSpec) -> Asset:
    address = None if spec.contract is None else deployment().address(spec.contract)
    asset, _ = Asset.objects.update_or_create(
        code=spec.code,
        defaults={"name": spec.name, "address": address, "decimals": spec.decimals},
    )
    return asset


def _balance_recompute(spec: AssetSpec, history: "History") -> None:
    found = history.read_at(_balance_read(spec))
    if found is None:
        Balance.objects.filter(asset_id=spec.code).delete()
        return
    amount_wei, block_number = found
    Balance.objects.update_or_create(
        asset=_asset_ensure(spec),
        defaults={"amount_wei": amount_wei, "block_number": block_number},
    )


def _transfers_recompute(spec: AssetSpec, counterparty: bytes, history: "History") -> None:
    rows = [_transfer_row(spec, log) for log in history.logs()]
    stale = Transfer.objects.filter(asset_id=spec.code, counterparty=counterparty)
    stale.exclude(position__in=[row.position for row in rows]).delete()
    if not rows:
        return
    _asset_ensure(spec)
    # Upsert, not insert: after a reorg a row of another key, not yet rebuilt, may still
    # stand at the same place of the chain.
    Transfer.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["position"],
        update_fields=[
            field.name for field in Transfer._meta.concrete_fields if not field.primary_key
        ],
    )


def _transfer_row(spec: AssetSpec, log: DecodedLog) -> Transfer:
    treasury = treasury_address()
    if spec is ETH:
        sender, recipient, amount_wei = treasury, log.args["target"], log.args["value"]
    else:
        sender, recipient, amount_wei = log.args["from"], log.args["to"], log.args["value"]
    direction = TransferDirection.OUT if sender == treasury else TransferDirection.IN
    if sender == recipient:
        direction = TransferDirection.SELF
    return Transfer(
        position=(log.block_number << _LOG_INDEX_BITS) | log.log_index,
        asset_id=spec.code,
        direction=direction,
        sender=sender,
        recipient=recipient,
        counterparty=recipient if sender == treasury else sender,
        amount_wei=amount_wei,
        block_number=log.block_number,
        log_index=log.log_index,
        transaction_hash=log.transaction_hash,
        transferred_at=datetime.fromtimestamp(log.block_timestamp, tz=UTC),
    )
