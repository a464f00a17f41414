"""The ids OpenZeppelin's governor and timelock give a proposal, from its raw bytes.

Sources: OpenZeppelin Contracts 5, ``Governor.hashProposal``,
``TimelockController.hashOperationBatch`` and ``GovernorTimelockControl._timelockSalt``.
"""

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak


def description_hash(description: bytes) -> bytes:
    """keccak-256 of a description's exact bytes (``chain.contracts.text_to_bytes``)."""
    return bytes(keccak(description))


def proposal_id(
    *,
    targets: Sequence[bytes],
    values_wei: Sequence[int],
    calldatas: Sequence[bytes],
    description: bytes,
) -> int:
    """keccak256(abi.encode(targets, values, calldatas, keccak256(description))) as a number."""
    encoded = encode(
        ["address[]", "uint256[]", "bytes[]", "bytes32"],
        [list(targets), list(values_wei), list(calldatas), description_hash(description)],
    )
    return int.from_bytes(keccak(encoded), "big")


def timelock_salt(*, governor: bytes, description: bytes) -> bytes:
    """bytes32(bytes20(governor)) ^ keccak256(description): two governors on one timelock never
    meet in an operation."""
    padded = int.from_bytes(governor.ljust(32, b"\0"), "big")
    return (padded ^ int.from_bytes(description_hash(description), "big")).to_bytes(32, "big")


def timelock_operation_id(
    *,
    governor: bytes,
    targets: Sequence[bytes],
    values_wei: Sequence[int],
    calldatas: Sequence[bytes],
    description: bytes,
) -> bytes:
    """The id (32 bytes) under which the timelock holds a queued proposal."""
    salt = timelock_salt(governor=governor, description=description)
    encoded = encode(
        ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"],
        [list(targets), list(values_wei), list(calldatas), bytes(32), salt],
    )
    return bytes(keccak(encoded))
