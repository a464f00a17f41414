"""What the chain says about our transactions, in two or three exchanges per tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chain.client import chain_finalized
from chain.models import TxAttempt
from chain.rpc.client import RpcClient
from chain.rpc.types import BlockHeader, Receipt


@dataclass(frozen=True, slots=True)
class ChainView:
    """The chain as one tick sees it. Receipts are only those of canonical blocks."""

    head: BlockHeader
    finalized_number: int
    nonce_finalized: int
    nonce_latest: int
    balance_wei: int
    tip_wei: int
    receipts: Mapping[bytes, Receipt]


def chain_view(client: RpcClient, *, address: bytes, attempts: Sequence[TxAttempt]) -> ChainView:
    """Look at the chain for one signer.

    Nonces come before receipts: a nonce seen as spent by one of ours then has its receipt.

    Raises:
        RpcError
    """
    head = client.header("latest")
    finalized = chain_finalized(head)
    nonce_finalized = client.nonce(address, finalized) if attempts else 0
    nonce_latest = client.nonce(address, "latest")
    balance = client.balance_wei(address)
    receipts = client.receipts([attempt.hash for attempt in attempts])
    return ChainView(
        head=head,
        finalized_number=finalized,
        nonce_finalized=nonce_finalized,
        nonce_latest=nonce_latest,
        balance_wei=balance,
        tip_wei=client.priority_fee_wei(),
        receipts=_canonical(client, [receipt for receipt in receipts if receipt is not None]),
    )


def _canonical(client: RpcClient, receipts: Sequence[Receipt]) -> dict[bytes, Receipt]:
    """Only receipts whose block is the canonical one at its number."""
    numbers = sorted({receipt.block_number for receipt in receipts})
    headers = dict(zip(numbers, client.headers(numbers), strict=True)) if numbers else {}
    found: dict[bytes, Receipt] = {}
    for receipt in receipts:
        header = headers[receipt.block_number]
        if header is not None and header.hash == receipt.block_hash:
            found[receipt.transaction_hash] = receipt
    return found
