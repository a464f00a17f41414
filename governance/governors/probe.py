"""What kind of governor stands at an address: asked of the contract, never of a list.

First a few views decide whether it is a governor and of which line; only then everything else is
asked. All answers are of one block, by its hash. A contract may answer anything: an answer counts
where it is what the view's type says, and the line of code is believed for what is hard to fake
by accident (``hashProposal`` of a sample must be the hash; a receipt of nobody must read as one).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from chain.addresses import to_checksum
from chain.proposal_id import description_hash
from chain.rpc.client import RpcClient
from chain.rpc.errors import (
    BlockUnknown,
    Inconsistent,
    RpcError,
    StateUnavailable,
    WrongChain,
)
from chain.rpc.types import BlockHeader, hex_bytes
from governance.governors import details
from governance.governors.creation import creation_block_find, start_check
from governance.governors.errors import (
    ChainWrong,
    GovernorUnsupported,
    HistoryMissing,
    NoCode,
    NodeInconsistent,
    NodeUnreachable,
    NotAGovernor,
)
from governance.governors.ids import ProposalContent, proposal_hash
from governance.governors.kinds import (
    CountingMode,
    Family,
    GovernorReport,
    Limit,
    counting_mode_parse,
)
from governance.governors.reads import (
    Answer,
    Question,
    ask,
    int_of,
    questions_at,
    text_of,
    value_of,
)

#: A proposal nobody made, whose hash a governor of OpenZeppelin's line must compute as we do.
SAMPLE = ProposalContent(
    targets=(b"\x11" * 20, b"\x22" * 20),
    values_wei=(0, 7),
    calldatas=(b"", b"\xde\xad\xbe\xef\x01"),
    description=b"Althing asks whether this is a governor.",
)
#: PUSH4 and the selector of castVote(uint256,uint8), and of GovernorAlpha's castVote(uint256,bool).
CAST_VOTE, CAST_VOTE_ALPHA = bytes.fromhex("6356781388"), bytes.fromhex("6315373e3d")
#: ERC-1967: where a proxy keeps its implementation (keccak256("eip1967.proxy.implementation") - 1).
IMPLEMENTATION_SLOT = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
#: ERC-1167: what a minimal proxy's code begins with; the implementation's 20 bytes follow.
MINIMAL_PROXY = bytes.fromhex("363d3d373d3d3d363d73")

_NEXT_CHAIN = "Give a node of this chain with --rpc, or correct CHAIN_ID."
_NEXT_UNREACHABLE = "Check the address given with --rpc (or RPC_URL) and that the node runs."


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being looked at, and at which block."""

    client: RpcClient
    address: bytes
    chain_id: int
    head: BlockHeader
    implementation: bytes | None
    code: bytes


def governor_probe(
    *, client: RpcClient, address: bytes, chain_id: int, from_block: int | None = None
) -> GovernorReport:
    """Ask the chain what stands at ``address`` (20 bytes).

    ``from_block`` is where its history begins; without it the node is asked for every state
    there ever was (an archive node has them).

    Raises:
        GovernorProbeError: by kind; its text names the next step.
    """
    with _node_errors():
        subject = _look(client, address, chain_id)
        early: bool | None = False
        if from_block is not None:
            early = start_check(
                client=client, address=address, head=subject.head, from_block=from_block
            )
        answers = _identity_ask(subject)
        family, counting = _family_decide(subject, answers)
        report = details.report_build(subject, family, counting, answers)
        start = from_block
        if start is None:
            start = creation_block_find(client=client, address=address, head=subject.head)
    return details.report_finish(report, creation_block=start, limits=_start_limits(start, early))


@contextmanager
def _node_errors() -> Iterator[None]:
    """What the node does wrong, in words for the one who adds a governor."""
    try:
        yield
    except WrongChain as error:
        raise ChainWrong(f"{_ended(error)} {_NEXT_CHAIN}") from error
    except Inconsistent as error:
        raise NodeInconsistent(
            f"The node's answers cannot be right: {_ended(error)} Try another node with --rpc."
        ) from error
    except BlockUnknown as error:
        raise NodeInconsistent(
            f"The chain changed while it was asked: {_ended(error)} Nothing is wrong with the "
            "address; run it again."
        ) from error
    except StateUnavailable as error:
        raise HistoryMissing(
            f"The node no longer keeps the state that was asked for: {_ended(error)} "
            "Try again, or name another node with --rpc."
        ) from error
    except RpcError as error:
        raise NodeUnreachable(f"The node: {_ended(error)} {_NEXT_UNREACHABLE}") from error


def _ended(error: RpcError) -> str:
    """What the node said, as a sentence."""
    return f"{error.detail.rstrip('. ')}."


def _look(client: RpcClient, address: bytes, chain_id: int) -> Subject:
    served = client.chain_id()
    if served != chain_id:
        raise ChainWrong(
            f"The node serves chain {served}, this index is of chain {chain_id}. {_NEXT_CHAIN}",
            served=served,
            expected=chain_id,
        )
    head = client.header("latest")
    code = client.code(address, head.hash)
    if not code:
        raise NoCode(
            f"There is no contract at {to_checksum(address)} on chain {chain_id}. "
            "Check the address, and that it is on this chain.",
        )
    implementation = _implementation(client, address, head, code)
    if implementation is not None:
        code += client.code(implementation, head.hash)
    return Subject(client, address, chain_id, head, implementation, code)


def _implementation(
    client: RpcClient, address: bytes, head: BlockHeader, code: bytes
) -> bytes | None:
    """Behind a proxy, whose code runs; None where the contract is no proxy we know."""
    if code.startswith(MINIMAL_PROXY) and len(code) >= 30:
        return code[10:30]
    block = {"blockHash": f"0x{head.hash.hex()}"}
    word = hex_bytes(
        client.call("eth_getStorageAt", f"0x{address.hex()}", IMPLEMENTATION_SLOT, block), 32
    )
    if any(word):
        return word[12:]
    # Governor Bravo's own delegator keeps it elsewhere, and says it.
    asked = ask(
        client, head.hash, questions_at(address, "GovernorBravo", ["implementation", "admin"])
    )
    value = value_of(asked, "implementation")
    return value if isinstance(value, bytes) and any(value) else None


def _identity_ask(subject: Subject) -> dict[str, Answer]:
    """The few views that decide what it is."""
    at = subject.address
    content = (
        SAMPLE.targets,
        SAMPLE.values_wei,
        SAMPLE.calldatas,
        description_hash(SAMPLE.description),
    )
    questions = {
        **questions_at(at, "GovernorOZ", ["COUNTING_MODE", "votingDelay", "votingPeriod"]),
        "hashProposal": Question(at, "GovernorOZ", "hashProposal", content),
        "proposalNeedsQueuing": Question(at, "GovernorOZ", "proposalNeedsQueuing", (0,)),
        **questions_at(at, "GovernorOZ", ["latestProposalId", "getNextProposalId"]),
        **questions_at(at, "GovernorBravo", ["quorumVotes", "proposalCount", "initialProposalId"]),
        "getReceipt": Question(at, "GovernorBravo", "getReceipt", (0, bytes(20))),
    }
    return ask(subject.client, subject.head.hash, questions)


def _family_decide(subject: Subject, answers: Mapping[str, Answer]) -> tuple[Family, CountingMode]:
    """Of which line it is.

    Raises:
        NotAGovernor, GovernorUnsupported
    """
    counting = counting_mode_parse(text_of(answers, "COUNTING_MODE"))
    times = int_of(answers, "votingDelay"), int_of(answers, "votingPeriod")
    if None not in times and counting.support:
        # CompoundGovernor's hashProposal gives a proposal that nobody made the next number.
        known = {proposal_hash(SAMPLE), int_of(answers, "getNextProposalId")}
        if (int_of(answers, "hashProposal") or -1) in known:
            v5 = isinstance(value_of(answers, "proposalNeedsQueuing"), bool)
            return (Family.OZ_V5 if v5 else Family.OZ_V4), counting
        raise GovernorUnsupported(
            f"{to_checksum(subject.address)} counts votes like a governor of OpenZeppelin's line "
            f"({counting.text}), but does not number proposals as any of them does, so its "
            "proposals could not be checked. Follow it with its own application.",
        )
    bravo = ("quorumVotes", "proposalCount", "getReceipt")
    if None not in times and all(value_of(answers, name) is not None for name in bravo):
        if int_of(answers, "initialProposalId") is not None or CAST_VOTE in subject.code:
            return Family.BRAVO, CountingMode("", ("bravo",), ("for",))
        if CAST_VOTE_ALPHA in subject.code:
            raise GovernorUnsupported(
                f"{to_checksum(subject.address)} is a GovernorAlpha: its votes are yes or no, in "
                "an event of their own. Althing follows Governor Bravo and later; add the "
                "governor that replaced it.",
                kind="governor_alpha",
            )
    raise NotAGovernor(_why_not(subject, answers), missing=_missing(answers))


def _missing(answers: Mapping[str, Answer]) -> list[str]:
    return [
        name
        for name in ("COUNTING_MODE", "votingPeriod", "quorumVotes")
        if value_of(answers, name) is None
    ]


def _why_not(subject: Subject, answers: Mapping[str, Answer]) -> str:
    silent = ", ".join(f"{name}()" for name in _missing(answers))
    return (
        f"The contract at {to_checksum(subject.address)} is no governor that is known here: it "
        f"gives no proper answer to {silent or 'what a governor is asked'}. Check that the address "
        "is the governor's own, not its token's or timelock's."
    )


def _start_limits(start: int, early: bool | None) -> tuple[Limit, ...]:
    if early:
        return (
            Limit(
                "history_partial",
                f"The contract is older than block {start}: what happened before is not shown.",
            ),
        )
    if early is None:
        return (
            Limit(
                "history_unchecked",
                f"The node cannot tell whether the contract is older than block {start}; if it "
                "is, what happened before is not shown.",
            ),
        )
    return ()
