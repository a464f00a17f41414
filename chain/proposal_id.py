"""The ids governors and timelocks give a proposal, from its raw bytes.

Sources: OpenZeppelin Contracts 5, ``Governor.hashProposal``,
``TimelockController.hashOperationBatch`` and ``GovernorTimelockControl._timelockSalt``;
compound-protocol, ``Timelock.queueTransaction``.
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
    return operation_batch_id(
        targets=targets,
        values_wei=values_wei,
        calldatas=calldatas,
        salt=timelock_salt(governor=governor, description=description),
    )


def operation_batch_id(
    *,
    targets: Sequence[bytes],
    values_wei: Sequence[int],
    calldatas: Sequence[bytes],
    salt: bytes,
    predecessor: bytes = bytes(32),
) -> bytes:
    """``TimelockController.hashOperationBatch``, 32 bytes."""
    encoded = encode(
        ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"],
        [list(targets), list(values_wei), list(calldatas), predecessor, salt],
    )
    return bytes(keccak(encoded))


def transaction_hash_compound(
    *, target: bytes, value_wei: int, signature: bytes, data: bytes, eta: int
) -> bytes:
    """Under what Compound's Timelock holds one queued call, 32 bytes.

    keccak256(abi.encode(target, value, signature, data, eta)); ``eta`` in Unix seconds.
    ``signature`` is the string's raw bytes, which need not be UTF-8.
    """
    # A string and bytes are encoded alike.
    types = ["address", "uint256", "bytes", "bytes", "uint256"]
    return bytes(keccak(encode(types, [target, value_wei, signature, data, eta])))


def calldata_signed(*, signature: bytes, data: bytes) -> bytes:
    """What a target receives from Governor Bravo: the selector of ``signature`` before ``data``,
    or ``data`` as it is where the signature is empty."""
    return bytes(keccak(signature))[:4] + data if signature else data
