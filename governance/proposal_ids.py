"""Ids the chain computes from a proposal's raw bytes, computed here again.

Sources: ``Governor.hashProposal`` = keccak256(abi.encode(targets, values, calldatas,
keccak256(description))); ``TimelockController.hashOperationBatch`` = keccak256(abi.encode(
targets, values, payloads, predecessor, salt)), with ``GovernorTimelockControl``'s salt =
bytes20(governor) ^ descriptionHash (OpenZeppelin Contracts 5). Both functions take exactly what
they hash, so their calldata without the selector is the encoding.
"""

from __future__ import annotations

from collections.abc import Sequence

from chain.contracts import contract, deployment
from chain.signatures import keccak


def proposal_id_compute(
    targets: Sequence[bytes],
    values_wei: Sequence[int],
    calldatas: Sequence[bytes],
    description_hash: bytes,
) -> int:
    """The governor's id of these calls and this text."""
    data = contract("AlthingGovernor").encode(
        "hashProposal", (tuple(targets), tuple(values_wei), tuple(calldatas), description_hash)
    )
    return int.from_bytes(keccak(data[4:]), "big")


def timelock_operation_id(
    targets: Sequence[bytes],
    values_wei: Sequence[int],
    calldatas: Sequence[bytes],
    description_hash: bytes,
) -> bytes:
    """The timelock's id (32 bytes) of the batch the governor schedules for a proposal."""
    data = contract("TimelockController").encode(
        "hashOperationBatch",
        (
            tuple(targets),
            tuple(values_wei),
            tuple(calldatas),
            bytes(32),
            timelock_salt(deployment().address("AlthingGovernor"), description_hash),
        ),
    )
    return keccak(data[4:])


def timelock_salt(governor: bytes, description_hash: bytes) -> bytes:
    """bytes32(bytes20(governor)) ^ descriptionHash."""
    padded = governor.ljust(32, b"\0")
    return bytes(a ^ b for a, b in zip(padded, description_hash, strict=True))
