"""Ids: of every kind's proposals and operations, against the contracts, and against history."""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import eth_abi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.contracts import codec_load, text_to_bytes
from chain.hashing import keccak
from chain.proposal_id import calldata_signed, transaction_hash_compound
from governance.governors.ids import (
    ContentInvalid,
    ProposalContent,
    compound_transaction_hashes,
    controller_operation_id,
    proposal_hash,
    proposal_id_expected,
)
from governance.governors.kinds import Family, TimelockSalt
from tests.governance.governors.deploy import BRAVO_LAST_ID, COMPOUND_LAST_ID, KINDS
from tests.governance.governors.local import LocalCall, LocalGovernor, LocalProposal

BASE_DIR = Path(__file__).resolve().parents[3]
VECTORS = Path(os.environ.get("ALTHING_VECTORS") or BASE_DIR.parent / "shared" / "vectors")
VOTES_FILE = VECTORS / "uniswap-governor" / "vote_cast_83.csv"

FAMILIES = {"bravo": Family.BRAVO, "compound_governor": Family.COMPOUND_GOVERNOR}
SEQUENTIAL = {"bravo": BRAVO_LAST_ID, "compound_governor": COMPOUND_LAST_ID, "oz5_fractional": 0}
CONTROLLERS = {
    "oz5_timelock": TimelockSalt.GOVERNOR_XOR_DESCRIPTION,
    "oz5_fractional": TimelockSalt.GOVERNOR_XOR_DESCRIPTION,
    "oz4_timelock": TimelockSalt.DESCRIPTION,
}
COMPOUND_TIMELOCKS = ("oz5_compound_timelock", "oz4_bravo_compatible", "compound_governor", "bravo")
#: A description no text field can hold as it is.
RAW = b"# \xff\xfe raw \x00 bytes"


def family(kind: str) -> Family:
    v4 = kind.startswith("oz4")
    return FAMILIES.get(kind, Family.OZ_V4 if v4 else Family.OZ_V5)


def created(governor: LocalGovernor, proposal: LocalProposal) -> ProposalContent:
    """The content as the indexer has it: from the log alone."""
    sent = f"0x{proposal.transaction_hash.hex()}"
    receipt = governor.chain.rpc("eth_getTransactionReceipt", sent)
    args = next(args for name, args in governor.events(receipt) if name == "ProposalCreated")
    return ProposalContent(
        targets=tuple(args["targets"]),
        values_wei=tuple(args["values"]),
        calldatas=tuple(args["calldatas"]),
        description=text_to_bytes(args["description"]),
        signatures=tuple(text_to_bytes(text) for text in args["signatures"]),
    )


def calls(governor: LocalGovernor) -> list[LocalCall]:
    """Two calls; with a signature apart, and one without, where the kind knows signatures."""
    return [governor.call_store(7, signed=governor.has_signatures), governor.call_store(8)]


@pytest.mark.chain
@pytest.mark.parametrize("kind", KINDS)
def test_the_id_recomputes_from_the_log(
    kind: str, governor_factory: Callable[[str], LocalGovernor]
) -> None:
    governor = governor_factory(kind)
    if kind == "bravo":
        proposals = [governor.propose(calls(governor), RAW, who) for who in (1, 2)]
    else:
        proposals = [governor.propose(calls(governor), RAW + end) for end in (b"", b"!")]
    sequential = kind in SEQUENTIAL
    for number, proposal in enumerate(proposals, start=1):
        content = created(governor, proposal)
        assert content.description.startswith(RAW)
        assert content.called == tuple(proposal.content[2])
        expected = proposal_id_expected(
            family=family(kind), sequential_ids=sequential, content=content
        )
        if sequential:
            assert expected is None
            assert proposal.id == SEQUENTIAL[kind] + number
        else:
            assert expected == proposal.id
        if kind != "bravo":
            assert governor.view("hashProposal", *proposal.content) == proposal_hash(content)
    if sequential and kind != "bravo":
        assert governor.view("getProposalId", *proposals[1].content) == proposals[1].id


@pytest.mark.chain
@pytest.mark.parametrize("kind", CONTROLLERS)
def test_the_operation_id_is_that_of_the_real_timelock(
    kind: str, governor_factory: Callable[[str], LocalGovernor]
) -> None:
    governor = governor_factory(kind)
    proposal = governor.propose(calls(governor), RAW)
    governor.pass_vote(proposal)
    receipt = governor.queue(proposal)
    codec = codec_load("TimelockOZ")
    scheduled = {
        args["id"] for name, args in timelock_events(governor, receipt) if name == "CallScheduled"
    }
    content = created(governor, proposal)
    operation = controller_operation_id(
        governor=governor.address, salt=CONTROLLERS[kind], content=content
    )
    assert scheduled == {operation}
    pending = codec.function("isOperationPending")
    answer = governor.chain.call(governor.timelock or b"", pending.encode((operation,)))
    assert pending.decode_output(answer) is True
    other = next(salt for salt in TimelockSalt if salt is not CONTROLLERS[kind])
    wrong = controller_operation_id(governor=governor.address, salt=other, content=content)
    answer = governor.chain.call(governor.timelock or b"", pending.encode((wrong,)))
    assert pending.decode_output(answer) is False


@pytest.mark.chain
@pytest.mark.parametrize("kind", COMPOUND_TIMELOCKS)
def test_the_transaction_hashes_are_those_of_the_real_timelock(
    kind: str, governor_factory: Callable[[str], LocalGovernor]
) -> None:
    governor = governor_factory(kind)
    proposal = governor.propose(calls(governor), RAW)
    governor.pass_vote(proposal)
    receipt = governor.queue(proposal)
    queued = [
        args["txHash"]
        for name, args in timelock_events(governor, receipt)
        if name == "QueueTransaction"
    ]
    eta = next(a["etaSeconds"] for n, a in governor.events(receipt) if n == "ProposalQueued")
    assert eta == governor.eta(proposal)
    hashes = compound_transaction_hashes(
        family=family(kind), content=created(governor, proposal), eta=eta
    )
    assert len(hashes) == 2
    assert list(hashes) == queued
    known = codec_load("TimelockCompound").function("queuedTransactions")
    for one in hashes:
        answer = governor.chain.call(governor.timelock or b"", known.encode((one,)))
        assert known.decode_output(answer) is True
    governor.wait_eta(proposal)
    governor.execute(proposal)
    assert governor.box_value() == 8


def timelock_events(
    governor: LocalGovernor, receipt: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    name = "TimelockOZ" if governor.kind in CONTROLLERS else "TimelockCompound"
    return [
        codec_load(name).event_decode(
            [bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:])
        )
        for log in receipt["logs"]
        if bytes.fromhex(log["address"][2:]) == governor.timelock
    ]


def test_lists_that_do_not_belong_together_have_no_id() -> None:
    one = {"targets": (b"\1" * 20,), "values_wei": (0,), "calldatas": (b"",), "description": b""}
    assert ProposalContent(**one).called == (b"",)
    for wrong in (
        {"values_wei": ()},
        {"calldatas": (b"", b"")},
        {"targets": (), "signatures": (b"f()",)},
        {"signatures": (b"f()", b"g()")},
    ):
        with pytest.raises(ContentInvalid) as caught:
            ProposalContent(**{**one, **wrong})
        assert caught.value.code == "proposal_content_invalid"


@settings(max_examples=60)
@given(
    target=st.binary(min_size=20, max_size=20),
    value=st.integers(0, 2**256 - 1),
    signature=st.text(max_size=40),
    data=st.binary(max_size=100),
    eta=st.integers(0, 2**256 - 1),
)
def test_compounds_hash_is_that_of_the_encoded_text(
    target: bytes, value: int, signature: str, data: bytes, eta: int
) -> None:
    """Our bytes for the string give what an encoder of strings gives."""
    types = ["address", "uint256", "string", "bytes", "uint256"]
    encoded = eth_abi.encode(types, [target, value, signature, data, eta])
    raw = signature.encode()
    mine = transaction_hash_compound(
        target=target, value_wei=value, signature=raw, data=data, eta=eta
    )
    assert mine == keccak(encoded)
    assert calldata_signed(signature=raw, data=data) == (
        keccak(raw)[:4] + data if signature else data
    )


# --- the votes of Uniswap's proposal 83 -------------------------------------------------------


def rows() -> Iterator[dict[str, str]]:
    csv.field_size_limit(sys.maxsize)
    with VOTES_FILE.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def test_the_votes_of_uniswaps_proposal_83_add_up() -> None:
    """Each row as the log it was, decoded by the ABI the indexer uses; against the file's sum."""
    if not VOTES_FILE.is_file():
        pytest.skip(f"vote_cast_83.csv is not in {VECTORS}; set ALTHING_VECTORS to the folder")
    codec = codec_load("GovernorBravo")
    topic = keccak(b"VoteCast(address,uint256,uint8,uint256,string)")
    ours: Counter[int] = Counter()
    independent: Counter[str] = Counter()
    voters, reasons = set(), []
    for row in rows():
        values = [int(row["proposal_id"]), int(row["support"]), int(row["votes"])]
        # Encoded by hand from the row: words, and the reason's bytes padded to words.
        reason = row["reason"].encode()
        words = [*values, 128, len(reason)]
        data = b"".join(word.to_bytes(32, "big") for word in words)
        data += reason + bytes(-len(reason) % 32)
        voter = bytes.fromhex(row["voter"][2:])
        name, args = codec.event_decode([topic, bytes(12) + voter], data)
        assert name == "VoteCast"
        assert (args["voter"], args["proposalId"]) == (voter, 83)
        ours[args["support"]] += args["weight"]
        independent[row["support"]] += int(row["votes"])
        voters.add(args["voter"])
        reasons.append(text_to_bytes(args["reason"]))
    assert {str(support): votes for support, votes in ours.items()} == dict(independent)
    assert len(reasons) == len(voters) == 352
    assert [text.decode() for text in reasons] == [row["reason"] for row in rows()]
