"""What the chain says about our transactions, in few exchanges per tick."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chain import conf
from chain.client import chain_finalized
from chain.models import TxIntent
from chain.rpc.client import Call, RpcClient, block_param
from chain.rpc.errors import Inconsistent, RpcError, StateUnavailable
from chain.rpc.types import BlockHeader, Receipt, hex_int
from chain.sender.fees import Fees, fees_suggest

#: Blocks below the head whose state every full node keeps (geth 128), with a margin. A rollup's
#: finalized block is often older than that.
_STATE_BLOCKS = 100


@dataclass(frozen=True, slots=True)
class ChainView:
    """The chain as one tick sees it. Receipts are only those of canonical blocks; ``blocks`` are
    the canonical headers at the heights where receipts, or our rows, say that ours are."""

    head: BlockHeader
    finalized_number: int
    #: Nonce at ``settled_number``, which is the finalized block, or the deepest with a state.
    nonce_settled: int
    settled_number: int
    nonce_latest: int
    balance_wei: int
    tip_wei: int
    receipts: Mapping[bytes, Receipt]
    blocks: Mapping[int, BlockHeader]

    @property
    def head_at(self) -> datetime:
        """The chain's time: deadlines and budgets follow it, not a server's clock."""
        return datetime.fromtimestamp(self.head.timestamp, UTC)

    @property
    def suggested(self) -> Fees:
        """What the network asks now."""
        return fees_suggest(
            base_fee_wei=self.head.base_fee_wei,
            tip_wei=self.tip_wei,
            tip_floor_wei=conf.keeper_min_tip_wei(),
        )


def chain_view(client: RpcClient, *, address: bytes, intents: Sequence[TxIntent]) -> ChainView:
    """Look at the chain for one signer's intents (their attempts prefetched).

    Nonces come before receipts: a nonce seen as spent by one of ours then has its receipt.

    Raises:
        RpcError: also where the node serves another chain than ``CHAIN_ID``.
    """
    chain_id = client.chain_id()
    if chain_id != conf.chain_id():
        raise Inconsistent(
            f"The node serves chain {chain_id}, CHAIN_ID is {conf.chain_id()}: nothing is sent. "
            "Point RPC_URL to a node of the right chain."
        )
    head = client.header("latest")
    finalized = chain_finalized(head)
    settled, nonce_settled = _nonce_settled(client, address, finalized, head)
    nonce_latest = client.nonce(address, "latest")
    balance = client.balance_wei(address)
    hashes = [attempt.hash for intent in intents for attempt in intent.attempts.all()]
    receipts = [receipt for receipt in client.receipts(hashes) if receipt is not None]
    numbers = {receipt.block_number for receipt in receipts}
    numbers |= {intent.mined_number for intent in intents if intent.mined_number is not None}
    blocks = _headers(client, sorted(numbers))
    return ChainView(
        head=head,
        finalized_number=finalized,
        nonce_settled=nonce_settled,
        settled_number=settled,
        nonce_latest=nonce_latest,
        balance_wei=balance,
        tip_wei=client.priority_fee_wei(),
        receipts={
            receipt.transaction_hash: receipt
            for receipt in receipts
            if receipt.block_number in blocks
            and blocks[receipt.block_number].hash == receipt.block_hash
        },
        blocks=blocks,
    )


def nonce_stolen(
    client: RpcClient, view: ChainView, *, address: bytes, nonce: int, hashes: Sequence[bytes]
) -> bool:
    """Whether a settled block has spent ``nonce`` and none of ``hashes`` is mined.

    Asked in one exchange and by the settled block's hash, so that one node that has the block
    answers both: nonce and receipts of two nodes, one of them behind, would look like a theft.

    Raises:
        RpcError
    """
    final = client.header(view.settled_number)
    count = Call("eth_getTransactionCount", (f"0x{address.hex()}", block_param(final.hash)))
    asked = [Call("eth_getTransactionReceipt", (f"0x{item.hex()}",)) for item in hashes]
    spent, *receipts = client.batch([count, *asked])
    for answer in (spent, *receipts):
        if isinstance(answer, RpcError):
            raise answer
    return hex_int(spent) > nonce and not any(receipts)


def _nonce_settled(
    client: RpcClient, address: bytes, finalized: int, head: BlockHeader
) -> tuple[int, int]:
    """(block, nonce there): at the finalized block, or as deep as the node keeps states."""
    try:
        return finalized, client.nonce(address, finalized)
    except StateUnavailable:
        deepest = max(finalized, head.number - _STATE_BLOCKS)
        return deepest, client.nonce(address, deepest)


def _headers(client: RpcClient, numbers: Sequence[int]) -> dict[int, BlockHeader]:
    if not numbers:
        return {}
    headers = client.headers(numbers)
    return {header.number: header for header in headers if header is not None}
