"""The ids that governors of every kind and their timelocks give a proposal.

All of it from raw bytes: descriptions and signatures are bytes, for they need not be UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass

from chain.proposal_id import (
    calldata_signed,
    description_hash,
    operation_batch_id,
    proposal_id,
    timelock_salt,
    transaction_hash_compound,
)
from governance.governors.kinds import Family, TimelockSalt


class ContentInvalid(ValueError):
    """A proposal's lists do not belong together, so it has no id."""

    code = "proposal_content_invalid"


@dataclass(frozen=True, slots=True)
class ProposalContent:
    """What a proposal does, as its event has it. Targets are 20 bytes, values wei.

    ``signatures`` is as long as ``targets``, or empty where the governor knows none.
    """

    targets: tuple[bytes, ...]
    values_wei: tuple[int, ...]
    calldatas: tuple[bytes, ...]
    description: bytes
    signatures: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.targets), len(self.values_wei), len(self.calldatas)}
        # GHSA-93hq-5wgc-jc82: fewer signatures than calls drops calls without a word.
        if len(lengths) != 1 or len(self.signatures) not in (0, len(self.targets)):
            raise ContentInvalid(
                f"{len(self.targets)} targets, {len(self.values_wei)} values, "
                f"{len(self.signatures)} signatures and {len(self.calldatas)} calldatas."
            )

    @property
    def called(self) -> tuple[bytes, ...]:
        """The calldata each target receives."""
        signatures = self.signatures or (b"",) * len(self.targets)
        return tuple(
            calldata_signed(signature=signature, data=data)
            for signature, data in zip(signatures, self.calldatas, strict=True)
        )


def proposal_hash(content: ProposalContent) -> int:
    """OpenZeppelin's ``hashProposal``: the id, or what stands for it where ids are numbers."""
    return proposal_id(
        targets=content.targets,
        values_wei=content.values_wei,
        calldatas=content.called,
        description=content.description,
    )


def proposal_id_expected(
    *, family: Family, sequential_ids: bool, content: ProposalContent
) -> int | None:
    """The id a proposal must have; None where the governor counts and any number may come."""
    if family is Family.BRAVO or sequential_ids:
        return None
    return proposal_hash(content)


def controller_operation_id(
    *, governor: bytes, salt: TimelockSalt, content: ProposalContent
) -> bytes:
    """The id of a proposal's operation in a TimelockController, 32 bytes."""
    if salt is TimelockSalt.DESCRIPTION:
        used = description_hash(content.description)
    else:
        used = timelock_salt(governor=governor, description=content.description)
    return operation_batch_id(
        targets=content.targets,
        values_wei=content.values_wei,
        calldatas=content.called,
        salt=used,
    )


def compound_transaction_hashes(
    *, family: Family, content: ProposalContent, eta: int
) -> tuple[bytes, ...]:
    """The hashes of a proposal's calls in Compound's Timelock, in order, 32 bytes each.

    Governor Bravo hands signatures on; OpenZeppelin puts them into the calldata first. ``eta`` in
    Unix seconds, as ``ProposalQueued`` gives it.
    """
    if family is Family.BRAVO and content.signatures:
        pairs = tuple(zip(content.signatures, content.calldatas, strict=True))
    else:
        pairs = tuple((b"", data) for data in content.called)
    return tuple(
        transaction_hash_compound(
            target=target, value_wei=value, signature=signature, data=data, eta=eta
        )
        for target, value, (signature, data) in zip(
            content.targets, content.values_wei, pairs, strict=True
        )
    )
