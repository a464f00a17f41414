"""Every custom error of our contracts reads as a sentence with a next step."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chain.contracts import abi_names, codec_load
from chain.decoding import ErrorCodec
from chain.errors_text import revert_sentence
from chain.rpc.errors import ContractReverted

SAMPLES: dict[str, Any] = {
    "address": b"\x12" * 20,
    "bytes32": b"\x00" * 31 + b"\x07",
    "string": "text",
}

ERRORS = {
    codec.name: codec
    for name in abi_names()
    for codec in codec_load(name).errors.values()
    if codec.name not in ("Error", "Panic")
}


@pytest.mark.django_db
@pytest.mark.parametrize("codec", ERRORS.values(), ids=list(ERRORS))
def test_every_error_of_the_abis_is_a_sentence(codec: ErrorCodec) -> None:
    arguments = {
        name: SAMPLES.get(kind, 5)
        for name, kind in zip(codec.inputs.names, codec.inputs.types, strict=True)
    }
    text = revert_sentence(ContractReverted("", code=codec.name, arguments=arguments))
    assert codec.name not in text, "no sentence for this error"
    assert text[0].isupper() or text[0].isdigit() or text.startswith("0x")
    assert text.endswith(".")
    assert not re.search(r"[{}]|wei|uint|bytes32", text)


@pytest.mark.django_db
def test_amounts_times_and_states_are_written_for_people() -> None:
    error = ContractReverted(
        "",
        code="GovernorInsufficientProposerVotes",
        arguments={
            "proposer": b"\x12" * 20,
            "votes": 15 * 10**17,
            "threshold": 10_000 * 10**18,
        },
    )
    assert "needs 10,000 votes" in revert_sentence(error)
    assert "has 1.5." in revert_sentence(error)
    state = ContractReverted(
        "",
        code="GovernorUnexpectedProposalState",
        arguments={"proposalId": 1, "current": 3, "expectedStates": b"\0" * 32},
    )
    assert "The proposal is defeated" in revert_sentence(state)
    later = ContractReverted(
        "",
        code="AlthingGovernorConstitutionalDelay",
        arguments={"proposalId": 1, "executableAt": 1_800_000_000},
    )
    assert "2027-01-15 08:00 UTC" in revert_sentence(later)


@pytest.mark.django_db
def test_what_is_unknown_still_says_something() -> None:
    assert "gave no reason" in revert_sentence(ContractReverted("execution reverted"))
    assert "SomethingNew" in revert_sentence(ContractReverted("", code="SomethingNew"))
    panic = ContractReverted("", code="Panic", arguments={"reason": 0x11})
    assert "overflowed" in revert_sentence(panic)
    plain = ContractReverted("not today.", code="Error", arguments={"reason": "not today."})
    assert revert_sentence(plain) == "The contract refused: not today."
