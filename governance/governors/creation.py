"""Finds the block in which a contract got its code."""

from __future__ import annotations

from collections.abc import Sequence

from chain.addresses import to_checksum
from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import BlockUnknown, Permanent, RpcError, StateUnavailable
from chain.rpc.types import BlockHeader, hex_bytes
from governance.governors.errors import GovernorProbeError, HistoryMissing, StartInFuture

#: Blocks looked at in one exchange: twenty million blocks take six exchanges.
POINTS = 16


def creation_block_find(*, client: RpcClient, address: bytes, head: BlockHeader) -> int:
    """The first block after which ``address`` (20 bytes) has code, by bisection.

    It has code at ``head``. A node that dropped the states of the oldest blocks is enough where it
    keeps that of the block before. A contract that was destroyed and made again gives one of its
    beginnings; then ``--from-block`` is the way.

    Raises:
        HistoryMissing: the node does not keep the state of the block before.
        RpcError: the node failed otherwise.
    """
    # Code is present at `high`, and absent at `low` or not known there. Before the first block
    # there is none.
    low, high, absent = -1, head.number, True
    while high - low > 1:
        step = max(1, (high - low) // (POINTS + 1))
        points = list(range(low + step, high, step))[:POINTS]
        for point, present in zip(points, _code_at(client, address, points), strict=True):
            if present:
                high = point
                break
            low, absent = point, present is False
    if not absent:
        raise _history_missing(address, low)
    return high


def start_check(
    *, client: RpcClient, address: bytes, head: BlockHeader, from_block: int
) -> bool | None:
    """Whether the contract began before ``from_block``; None where the node cannot tell.

    Raises:
        StartInFuture: the chain is not there yet.
        GovernorProbeError: ``governor_start_invalid``.
        RpcError: the node failed.
    """
    if from_block > head.number:
        raise StartInFuture(
            f"Block {from_block} does not exist yet; the chain's head is {head.number}. "
            "Begin at the block the governor was deployed in, or leave --from-block out."
        )
    if from_block < 0:
        raise GovernorProbeError(
            f"{from_block} is no block. Begin at 0 or later, or leave --from-block out.",
            code="governor_start_invalid",
        )
    if from_block == 0:
        return False
    return _code_at(client, address, [from_block - 1])[0]


def _code_at(client: RpcClient, address: bytes, blocks: Sequence[int]) -> list[bool | None]:
    """Whether there is code after each block; None where the node no longer knows."""
    place = f"0x{address.hex()}"
    results = client.batch([Call("eth_getCode", (place, hex(block))) for block in blocks])
    found: list[bool | None] = []
    for result in results:
        if isinstance(result, StateUnavailable | BlockUnknown | Permanent):
            found.append(None)
        elif isinstance(result, RpcError):
            raise result
        else:
            found.append(bool(hex_bytes(result)))
    return found


def _history_missing(address: bytes, block: int) -> HistoryMissing:
    return HistoryMissing(
        f"The node does not keep the state of block {block}, so the block in which "
        f"{to_checksum(address)} was created cannot be found. Give it with --from-block, "
        "or name an archive node with --rpc.",
        block=block,
    )
