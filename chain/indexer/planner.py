"""What to do next, from what the node just said. Pure: no database, no network.

Two lanes. Far behind, blocks that cannot be reorganised any more are taken by number, many at
once. Near the head they are taken one by one, by hash, each following its parent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chain.rpc.types import BlockHeader

#: Headers asked for ahead of the cursor while catching up in the hot lane.
HOT_BATCH_MAX = 64
#: Blocks per eth_getLogs: where a provider's refusals and our growth settle between.
WINDOW_MAX = 5000
#: Logs a window should hold: some 30 MB of JSON, and a second's work or less.
WINDOW_LOGS = 40_000


@dataclass(frozen=True, slots=True)
class Position:
    """Where the cursor stands."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the node: its block at the cursor's number, its head, what is final there,
    and the blocks after the cursor. ``complaint`` says why finality does not advance."""

    at_cursor: BlockHeader | None
    head: BlockHeader
    finalized_number: int
    next: Sequence[BlockHeader]
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing new. ``stale``: the node is behind what we have already indexed."""

    stale: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Index the blocks up to ``end`` by number; all are final and deep enough."""

    end: int


@dataclass(frozen=True, slots=True)
class Hot:
    """Index these blocks by hash, one after the other; each is its predecessor's child."""

    blocks: Sequence[BlockHeader]


@dataclass(frozen=True, slots=True)
class Reorg:
    """The node left the block at the cursor."""


Plan = Idle | Window | Hot | Reorg


def plan(
    *,
    position: Position,
    seen: Observation,
    reorg_window: int,
    hash_at_head: bytes | None,
) -> Plan:
    """Choose the next step.

    ``hash_at_head`` is our canonical hash at the number of the node's head, where we have one:
    it tells a node that lags behind us from a chain that became shorter.
    """
    if seen.head.number < position.number:
        return Idle(stale=True) if hash_at_head == seen.head.hash else Reorg()
    if seen.at_cursor is None:
        return Idle(stale=True)
    if seen.at_cursor.hash != position.hash:
        return Reorg()
    if not seen.next:
        return Idle()
    if seen.next[0].parent_hash != position.hash:
        return Reorg()
    deep_enough = min(seen.finalized_number, seen.head.number - reorg_window)
    if deep_enough > position.number:
        return Window(deep_enough)
    return Hot(chained(position.hash, seen.next))


def chained(parent: bytes, headers: Sequence[BlockHeader]) -> list[BlockHeader]:
    """The leading headers that each follow the one before; a reorganisation between two
    answers of the node breaks the chain there, and the next look finds it."""
    chained: list[BlockHeader] = []
    for header in headers:
        if header.parent_hash != parent:
            break
        chained.append(header)
        parent = header.hash
    return chained


def hot_ahead(*, position: int, head: int) -> int:
    """How many headers to ask for after the cursor, given the head last seen.

    Half of what is missing: batches grow small towards the head, where a reorganisation is likely,
    so that it takes back little more than the blocks that changed.
    """
    return max(1, min(HOT_BATCH_MAX, (head - position + 1) // 2))


def window_next(window_blocks: int, *, part: int, logs_count: int) -> int:
    """The window after one that was answered in pieces of ``part`` blocks, with so many logs.

    It follows the logs, not the time: how many there are tells what an answer weighs.
    """
    if part < window_blocks // 2:
        return max(1, part)  # refused as too large
    wanted = window_blocks * WINDOW_LOGS // max(1, logs_count)
    return max(1, min(WINDOW_MAX, max(window_blocks // 2, min(wanted, window_blocks * 2))))
