"""Does an answer hold together? A node behind a load balancer may lag, and a bad one may lie.

Every failed check raises ``Inconsistent`` and nothing of the answer is stored.
"""

from collections.abc import Collection, Iterable, Sequence

from eth_utils.crypto import keccak

from chain.rpc.errors import Inconsistent
from chain.rpc.types import BlockHeader, RawLog


def bloom_bits(item: bytes) -> tuple[int, int, int]:
    """The three bits an address or topic sets in a 2048-bit bloom (Yellow Paper 4.4.1)."""
    digest = keccak(item)
    first, second, third = (int.from_bytes(digest[i : i + 2], "big") & 2047 for i in (0, 2, 4))
    return first, second, third


def bloom_may_hold(bloom: bytes, item: bytes) -> bool:
    """Whether the bloom may contain ``item``; False is certain, True is not."""
    return all(bloom[255 - bit // 8] >> (bit % 8) & 1 for bit in bloom_bits(item))


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


def check_logs(logs: Sequence[RawLog], addresses: Collection[bytes]) -> None:
    """Check that logs are ours and that no place in a block is taken twice."""
    places: set[tuple[bytes, int]] = set()
    for log in logs:
        if log.address not in addresses:
            raise Inconsistent(f"A log of 0x{log.address.hex()}, which was not asked for.")
        place = (log.block_hash, log.log_index)
        if place in places:
            raise Inconsistent(f"Log index {log.log_index} twice in block {log.block_number}.")
        places.add(place)


def check_block_logs(header: BlockHeader, logs: Sequence[RawLog]) -> None:
    """Check the logs of one block against its header: hash, number, bloom."""
    for log in logs:
        if log.block_hash != header.hash or log.block_number != header.number:
            raise Inconsistent(
                f"A log of block {log.block_number} (0x{log.block_hash.hex()[:8]}) in the "
                f"answer for block {header.number} (0x{header.hash.hex()[:8]})."
            )
        if header.logs_bloom is None:
            continue
        for item in (log.address, *log.topics):
            if not bloom_may_hold(header.logs_bloom, item):
                raise Inconsistent(
                    f"Log {log.log_index} of block {header.number} is not in the block's bloom."
                )


def check_bloom_met(
    header: BlockHeader, logs: Sequence[RawLog], addresses: Sequence[bytes]
) -> bool:
    """Whether an empty answer is believable: the bloom names none of our addresses.

    False is a doubt, not a proof: blooms have false positives.
    """
    return bool(logs) or not bloom_may_hold_any(header, addresses)
