"""Does an answer hold together? A node behind a load balancer may lag, and a bad one may lie.

Every failed check raises ``Inconsistent`` and nothing of the answer is stored.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from chain.hashing import keccak
from chain.rpc.errors import Inconsistent
from chain.rpc.types import BlockHeader, RawLog


@lru_cache(maxsize=65536)
def bloom_mask(item: bytes) -> int:
    """The three bits an address or topic sets in a 2048-bit bloom, as one big-endian number
    (Yellow Paper 4.4.1). Kept, because the same addresses come again and again."""
    digest = keccak(item)
    first, second, third = (int.from_bytes(digest[i : i + 2], "big") & 2047 for i in (0, 2, 4))
    return 1 << first | 1 << second | 1 << third


def bloom_may_hold(bloom: bytes, item: bytes) -> bool:
    """Whether the bloom may contain ``item``; False is certain, True is not."""
    mask = bloom_mask(item)
    return int.from_bytes(bloom, "big") & mask == mask


def bloom_may_hold_any(header: BlockHeader, addresses: Iterable[bytes]) -> bool:
    """Whether a block may hold logs of any of ``addresses``. True where it has no bloom."""
    if header.logs_bloom is None:
        return True
    return any(bloom_may_hold(header.logs_bloom, address) for address in addresses)


def check_header(header: BlockHeader, *, number: int | None = None, hash: bytes = b"") -> None:
    """Check that a header is of the block that was asked for."""
    if number is not None and header.number != number:
        raise Inconsistent(f"Asked for block {number}, got {header.number}.")
    if hash and header.hash != hash:
        raise Inconsistent(f"Asked for block 0x{hash.hex()}, got 0x{header.hash.hex()}.")


def check_block_logs(header: BlockHeader, logs: Sequence[RawLog]) -> None:
    """Check the logs of one block against its header: hash, number, bloom."""
    items: set[bytes] = set()
    for log in logs:
        if log.block_hash != header.hash or log.block_number != header.number:
            raise Inconsistent(
                f"A log of block {log.block_number} (0x{log.block_hash.hex()[:8]}) in the "
                f"answer for block {header.number} (0x{header.hash.hex()[:8]})."
            )
        items.add(log.address)
        items.update(log.topics)
    if header.logs_bloom is None:
        return
    wanted = 0
    for item in items:
        wanted |= bloom_mask(item)
    if int.from_bytes(header.logs_bloom, "big") & wanted != wanted:
        raise Inconsistent(f"A log of block {header.number} is not in the block's bloom.")
