"""The logs of one block, proven complete: by one node alone, whatever else it delivers.

Where the chain's header gives its hash and the receipts their root, a node can hide or change
nothing of a block without being caught. It can still show a block that is not the chain's: only a
second node, or finality, tells that.
"""

from collections.abc import Sequence
from functools import partial

from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import Inconsistent, Permanent, RpcError, StateUnavailable, Transient
from chain.rpc.receipts_root import BlockReceipts, receipts_check
from chain.rpc.types import BlockHeader, RawLog, Receipt
from chain.rpc.validation import bloom_may_hold_any

#: Receipts fetched one by one where a node gives no block's at once; above it costs too much.
SINGLE_RECEIPTS_MAX = 300
#: Blocks whose receipts are asked for at once: some megabytes on a busy chain.
BLOCKS_PER_EXCHANGE = 8


def block_logs_proven(
    client: RpcClient, header: BlockHeader, addresses: Sequence[bytes]
) -> list[RawLog]:
    """All logs of ``addresses`` in one block; see ``blocks_logs_proven``."""
    return blocks_logs_proven(client, [header], addresses)[0]


def blocks_logs_proven(
    client: RpcClient, headers: Sequence[BlockHeader], addresses: Sequence[bytes]
) -> list[list[RawLog]]:
    """All logs of ``addresses`` in each block, by its hash: none where its bloom names none of
    them, else what the block's receipts say, which are fetched for several blocks at once.

    Raises:
        BlockUnknown: the node left a block.
        Inconsistent: the node contradicts itself or a header.
        RpcError
    """
    wanted = set(addresses)
    # A bloom never denies what is there; where the hash is verified, it is the block's own.
    held = [header for header in headers if bloom_may_hold_any(header, addresses)]
    found: dict[bytes, list[RawLog]] = {}
    for start in range(0, len(held), BLOCKS_PER_EXCHANGE):
        part = held[start : start + BLOCKS_PER_EXCHANGE]
        found |= client.checked(partial(_logs, client, part, wanted), together=True)
    return [found.get(header.hash, []) for header in headers]


def _logs(
    client: RpcClient, headers: Sequence[BlockHeader], addresses: set[bytes]
) -> dict[bytes, list[RawLog]]:
    found: dict[bytes, list[RawLog]] = {}
    for header, receipts in zip(headers, _receipts_fetch(client, headers), strict=True):
        expected = [log for log in receipts.logs if log.address in addresses] if receipts else []
        if receipts is None or not receipts.proven:
            # One node's word: that it says the same twice is all there is to ask for.
            logs = client.logs_of_block(header, sorted(addresses))
            if receipts is not None and logs != expected:
                raise Inconsistent(
                    f"The node gives other logs of block {header.number} than its receipts hold.",
                    evidence={"receipts": expected, "logs": logs},
                )
            expected = logs
        found[header.hash] = expected
    return found


def _receipts_fetch(
    client: RpcClient, headers: Sequence[BlockHeader]
) -> list[BlockReceipts | None]:
    if client.block_receipts is False:
        return [receipts_one_by_one(client, header) for header in headers]
    sources = client.batch(
        [Call("eth_getBlockReceipts", (f"0x{header.hash.hex()}",)) for header in headers]
    )
    found: list[BlockReceipts | None] = []
    for header, source in zip(headers, sources, strict=True):
        if source is None:
            client.header(header.hash)  # BlockUnknown, where the node left the block meanwhile
            raise Transient(f"The node has block {header.number} but not its receipts yet.")
        if not isinstance(source, RpcError):
            client.block_receipts = True
            found.append(_believed(client, header, receipts_check(header, source)))
        elif client.block_receipts or not isinstance(source, Permanent):
            raise source
        else:
            client.block_receipts = False  # not every node has that method
            return [receipts_one_by_one(client, header) for header in headers]
    return found


def _believed(client: RpcClient, header: BlockHeader, found: BlockReceipts) -> BlockReceipts:
    """On a chain whose headers must prove themselves, its receipts must too.

    Raises:
        Inconsistent
    """
    if client.header_trust.strict and not found.proven:
        raise Inconsistent(
            f"The receipts of block {header.number} cannot be proven: {found.reason} If this chain "
            "has such by right, set CHAIN_VERIFY_HEADERS=learn."
        )
    return found


def receipts_of_block(client: RpcClient, header: BlockHeader) -> BlockReceipts | None:
    """The receipts of one block, checked; None where the node gives none.

    Raises:
        Inconsistent: they are not that block's.
        RpcError
    """
    return client.checked(lambda: _receipts_fetch(client, [header])[0], together=True)


def receipt_prove(client: RpcClient, receipt: Receipt) -> bool:
    """Whether a receipt is the one its block commits to: outcome and logs. False where its block
    proves nothing. Which transaction stands at its place is the node's word.

    Raises:
        Inconsistent: the block's receipts say otherwise.
        RpcError
    """

    def prove() -> bool:
        header = client.header(receipt.block_hash)
        found = _receipts_fetch(client, [header])[0]
        if found is None:
            return False
        hash = receipt.transaction_hash
        logs = tuple(log for log in found.logs if log.transaction_hash == hash)
        if header.number != receipt.block_number or found.succeeded.get(hash) != receipt.ok:
            raise Inconsistent(
                f"The receipt of 0x{hash.hex()} is not the one that block {header.number} holds."
            )
        if logs != receipt.logs:
            raise Inconsistent(f"Block {header.number} holds other logs of 0x{hash.hex()}.")
        return found.proven

    return client.checked(prove, together=True)


def receipts_one_by_one(client: RpcClient, header: BlockHeader) -> BlockReceipts | None:
    """The receipts of a block's transactions, each by its hash; None where they are unknown, too
    many, or the node keeps them no longer.

    Raises:
        Inconsistent: they are not that block's.
        RpcError
    """
    hashes = header.transactions
    if hashes is None or len(hashes) > SINGLE_RECEIPTS_MAX:
        return None
    results = client.batch([Call("eth_getTransactionReceipt", (item,)) for item in hashes])
    if any(isinstance(result, StateUnavailable) for result in results):
        return None
    for result in results:
        if isinstance(result, RpcError):
            raise result
        if result is None:
            client.header(header.hash)
            raise Transient(f"The node lacks a receipt of block {header.number} yet.")
    return _believed(client, header, receipts_check(header, results))
