"""A governor on the tests' chain: propose, vote, travel, queue, execute, cancel.

Everything is spoken in the ABIs of ``chain/abi``, those the indexer reads by. Accounts are anvil's,
by index: see ``VOTES``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.contracts import codec_load
from chain.decoding import ContractCodec
from chain.proposal_id import description_hash
from tests.governance.governors.compiled import compiled

Rpc = Callable[..., Any]
UNIT = 10**18
AGAINST, FOR, ABSTAIN = 0, 1, 2
#: Whole tokens by account; all but HOLDER vote with their own. 0 has the rest of ten million
#: (of a thousand million, where the token is UNI).
VOTES = {1: 500_000, 2: 300_000, 3: 200_000, 4: 5}
#: An account whose tokens vote through account 2.
HOLDER, HOLDER_TOKENS = 6, 100_000
WHALE, PROPOSER, ANYONE, GUARDIAN, COUNCIL, WHITELISTER = 0, 1, 5, 7, 8, 9
GAS = 16_000_000


@dataclass(frozen=True, slots=True)
class LocalCall:
    """One call of a proposal. With a ``signature`` (Governor Bravo) ``data`` has no selector."""

    target: bytes
    data: bytes = b""
    value_wei: int = 0
    signature: str = ""


@dataclass(frozen=True, slots=True)
class LocalProposal:
    """A proposal as sent, and the id its event gave it."""

    id: int
    calls: tuple[LocalCall, ...]
    description: bytes
    proposer: bytes
    transaction_hash: bytes

    @property
    def content(self) -> tuple[Any, ...]:
        """Targets, values, what is called, the description's hash: as OpenZeppelin takes them."""
        return (
            tuple(call.target for call in self.calls),
            tuple(call.value_wei for call in self.calls),
            tuple(calldata(call) for call in self.calls),
            description_hash(self.description),
        )


def calldata(call: LocalCall) -> bytes:
    """What the target receives."""
    from chain.hashing import keccak

    return (keccak(call.signature.encode())[:4] if call.signature else b"") + call.data


@dataclass
class LocalChain:
    """Sends from anvil's accounts and waits until it is mined."""

    rpc: Rpc
    accounts: Sequence[Any]

    def send(
        self, who: int, to: bytes | None, data: bytes = b"", value_wei: int = 0
    ) -> dict[str, Any]:
        """Send a transaction; return its receipt, as the node has it."""
        tx = {
            "from": self.accounts[who].checksum,
            "data": f"0x{data.hex()}",
            "value": hex(value_wei),
            "gas": hex(GAS),
        }
        if to is not None:
            tx["to"] = f"0x{to.hex()}"
        sent = self.rpc("eth_sendTransaction", tx)
        # anvil answers before it has mined.
        deadline = time.monotonic() + 20
        while True:
            receipt = self.rpc("eth_getTransactionReceipt", sent)
            if receipt is not None:
                return dict(receipt)
            assert time.monotonic() < deadline, "the transaction was not mined"
            time.sleep(0.003)

    def done(
        self, who: int, to: bytes | None, data: bytes = b"", value_wei: int = 0
    ) -> dict[str, Any]:
        """As ``send``, and it must have succeeded."""
        receipt = self.send(who, to, data, value_wei)
        if receipt["status"] != "0x1":
            tx = {"from": self.accounts[who].checksum, "data": f"0x{data.hex()}", "gas": hex(GAS)}
            self.rpc("eth_call", tx | ({"to": f"0x{to.hex()}"} if to else {}), "latest")
            raise AssertionError("the transaction failed, and does not when called again")
        return receipt

    def deploy(self, name: str, *args: Any, who: int = WHALE) -> bytes:
        """Deploy one of the compiled contracts; return its address."""
        receipt = self.done(who, None, compiled(name).creation(*args))
        return bytes.fromhex(receipt["contractAddress"][2:])

    def call(self, to: bytes, data: bytes, block: str = "latest") -> bytes:
        answer = self.rpc("eth_call", {"to": f"0x{to.hex()}", "data": f"0x{data.hex()}"}, block)
        return bytes.fromhex(answer[2:])

    def block(self) -> tuple[int, int]:
        """Number and time of the newest block."""
        head = self.rpc("eth_getBlockByNumber", "latest", False)
        return int(head["number"], 16), int(head["timestamp"], 16)

    def mine(self, blocks: int = 1) -> None:
        self.rpc("anvil_mine", hex(blocks))

    def travel(self, seconds: int) -> None:
        """One block, ``seconds`` after the newest."""
        self.rpc("evm_setNextBlockTimestamp", hex(self.block()[1] + seconds))
        self.rpc("evm_mine")


@dataclass
class LocalGovernor:
    """One governor of a kind, with its token, timelock and a box to act on."""

    kind: str
    chain: LocalChain
    address: bytes
    token: bytes
    box: bytes
    timelock: bytes | None = None
    #: "block", "timestamp" or "rounds" of ten blocks.
    clock_mode: str = "block"
    #: First block with its code.
    created_at: int = 0
    #: Other addresses of the kind: "implementation", "manager".
    others: dict[str, bytes] = field(default_factory=dict)

    @property
    def is_bravo(self) -> bool:
        return self.kind == "bravo"

    @property
    def has_signatures(self) -> bool:
        return self.kind in ("bravo", "oz4_bravo_compatible")

    @property
    def codec(self) -> ContractCodec:
        return codec_load("GovernorBravo" if self.is_bravo else "GovernorOZ")

    # --- plain speech -----------------------------------------------------------------

    def encode(self, function: str, *args: Any) -> bytes:
        return self.codec.function(function, args).encode(args)

    def view(self, function: str, *args: Any) -> Any:
        """What a view of the governor returns now."""
        codec = self.codec.function(function, args)
        return codec.decode_output(self.chain.call(self.address, codec.encode(args)))

    def token_view(self, function: str, *args: Any) -> Any:
        codec = codec_load("VotesToken").function(function, args)
        return codec.decode_output(self.chain.call(self.token, codec.encode(args)))

    def send(self, who: int, function: str, *args: Any, value_wei: int = 0) -> dict[str, Any]:
        """Call a function of the governor; it must succeed. Returns the receipt."""
        return self.chain.done(who, self.address, self.encode(function, *args), value_wei)

    def call_store(self, value: int = 42, *, signed: bool = False) -> LocalCall:
        """A call that stores a number in the box; ``signed`` with Bravo's signature apart."""
        codec = compiled("Box").codec.function("store")
        whole = codec.encode((value,))
        return (
            LocalCall(self.box, whole[4:], 0, codec.signature)
            if signed
            else LocalCall(self.box, whole)
        )

    def box_value(self) -> int:
        codec = compiled("Box").codec.function("value")
        return int(codec.decode_output(self.chain.call(self.box, codec.encode(()))))

    # --- time --------------------------------------------------------------------------

    def clock(self) -> int:
        """The governor's clock at the newest block."""
        number, timestamp = self.chain.block()
        return {"block": number, "timestamp": timestamp, "rounds": number // 10}[self.clock_mode]

    def travel_to(self, clock: int) -> None:
        """Mine until the governor's clock shows ``clock``; never backwards."""
        number, timestamp = self.chain.block()
        if self.clock_mode == "timestamp":
            if clock > timestamp:
                self.chain.travel(clock - timestamp)
            return
        # The last block of a round: a clock of its own is looked at now and then, not each block.
        wanted = clock * 10 + 9 if self.clock_mode == "rounds" else clock
        if wanted > number:
            self.chain.mine(wanted - number)

    def snapshot(self, proposal: LocalProposal) -> int:
        if self.is_bravo:
            return int(self.view("proposals", proposal.id)[3])
        return int(self.view("proposalSnapshot", proposal.id))

    def deadline(self, proposal: LocalProposal) -> int:
        if self.is_bravo:
            return int(self.view("proposals", proposal.id)[4])
        return int(self.view("proposalDeadline", proposal.id))

    def eta(self, proposal: LocalProposal) -> int:
        """Unix seconds; 0 while not queued."""
        if self.is_bravo:
            return int(self.view("proposals", proposal.id)[2])
        return int(self.view("proposalEta", proposal.id))

    def open_vote(self, proposal: LocalProposal) -> None:
        self.travel_to(self.snapshot(proposal) + 1)

    def close_vote(self, proposal: LocalProposal) -> None:
        self.travel_to(self.deadline(proposal) + 1)

    def wait_eta(self, proposal: LocalProposal) -> None:
        wait = self.eta(proposal) - self.chain.block()[1]
        if wait > 0:
            self.chain.travel(wait)

    # --- a proposal's life ----------------------------------------------------------------

    def propose(
        self,
        calls: Sequence[LocalCall] = (),
        description: bytes | str = "# Local\n\nStore a number.",
        who: int = PROPOSER,
    ) -> LocalProposal:
        """Propose; without ``calls`` to store 42. The description may be any bytes."""
        wanted = tuple(calls) or (self.call_store(signed=self.is_bravo),)
        raw = description.encode() if isinstance(description, str) else description
        signed = self.is_bravo or any(call.signature for call in wanted)
        lists: list[tuple[Any, ...]] = [
            tuple(call.target for call in wanted),
            tuple(call.value_wei for call in wanted),
            tuple(call.data for call in wanted),
        ]
        if signed:
            lists.insert(2, tuple(call.signature for call in wanted))
        kinds = (
            "address[],uint256[],string[],bytes[],string"
            if signed
            else "address[],uint256[],bytes[],string"
        )
        data = self.codec.function(f"propose({kinds})").encode((*lists, "\0" * len(raw)))
        # The encoder takes text; the chain takes any bytes. Put ours in the place of the zeros.
        place = data.rindex(len(raw).to_bytes(32, "big")) + 32 if raw else len(data)
        receipt = self.chain.done(who, self.address, data[:place] + raw + data[place + len(raw) :])
        number = next(
            args["proposalId"] for name, args in self.events(receipt) if name == "ProposalCreated"
        )
        sender = self.chain.accounts[who].address
        sent = bytes.fromhex(receipt["transactionHash"][2:])
        return LocalProposal(number, wanted, raw, sender, sent)

    def events(self, receipt: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The governor's own events in a receipt."""
        return [
            self.codec.event_decode(
                [bytes.fromhex(topic[2:]) for topic in log["topics"]],
                bytes.fromhex(log["data"][2:]),
            )
            for log in receipt["logs"]
            if bytes.fromhex(log["address"][2:]) == self.address
        ]

    def vote(
        self,
        proposal: LocalProposal,
        who: int = PROPOSER,
        support: int = FOR,
        reason: str = "",
        params: bytes = b"",
    ) -> dict[str, Any]:
        """Vote; with ``params`` as castVoteWithReasonAndParams."""
        if params:
            args = (proposal.id, support, reason, params)
            return self.send(who, "castVoteWithReasonAndParams", *args)
        if reason:
            return self.send(who, "castVoteWithReason", proposal.id, support, reason)
        return self.send(who, "castVote", proposal.id, support)

    def vote_split(
        self, proposal: LocalProposal, who: int, against: int, in_favour: int, abstain: int
    ) -> dict[str, Any]:
        """A fractional vote (GovernorCountingFractional), in the token's smallest unit."""
        params = b"".join(share.to_bytes(16, "big") for share in (against, in_favour, abstain))
        return self.vote(proposal, who, 255, "split", params)

    def vote_override(
        self, proposal: LocalProposal, who: int = HOLDER, support: int = AGAINST
    ) -> dict[str, Any]:
        """A holder takes its tokens back from its delegate's vote."""
        return self.send(who, "castOverrideVote", proposal.id, support, "mine")

    def pass_vote(self, proposal: LocalProposal) -> None:
        """Open the vote, let account 1 win it, close it."""
        self.open_vote(proposal)
        self.vote(proposal)
        self.close_vote(proposal)

    def act(self, what: str, proposal: LocalProposal, who: int = ANYONE, value_wei: int = 0) -> Any:
        """queue, execute or cancel, as the kind wants it. Returns the receipt."""
        if self.is_bravo:
            return self.send(who, f"{what}(uint256)", proposal.id, value_wei=value_wei)
        name = f"{what}(address[],uint256[],bytes[],bytes32)"
        return self.send(who, name, *proposal.content, value_wei=value_wei)

    def queue(self, proposal: LocalProposal, who: int = ANYONE) -> dict[str, Any]:
        return dict(self.act("queue", proposal, who))

    def execute(self, proposal: LocalProposal, who: int = ANYONE) -> dict[str, Any]:
        return dict(self.act("execute", proposal, who))

    def cancel(self, proposal: LocalProposal, who: int = PROPOSER) -> dict[str, Any]:
        """By its proposer; OpenZeppelin allows that while it is pending."""
        return dict(self.act("cancel", proposal, who))

    def queued(self, description: bytes | str = "# Local, to be queued") -> LocalProposal:
        """A proposal that has passed and is in the timelock."""
        proposal = self.propose(description=description)
        self.pass_vote(proposal)
        self.queue(proposal)
        return proposal

    # --- past the governor --------------------------------------------------------------------

    def timelock_salt(self, proposal: LocalProposal) -> bytes:
        """The salt as this kind's governor makes it, written here anew."""
        digest = description_hash(proposal.description)
        if self.kind.startswith("oz4"):
            return digest
        mine = self.address.ljust(32, b"\0")
        return bytes(a ^ b for a, b in zip(mine, digest, strict=True))

    def operation_id(self, proposal: LocalProposal) -> bytes:
        """The TimelockController's id of a proposal's operation, as the timelock computes it."""
        assert self.timelock is not None
        args = (*proposal.content[:3], bytes(32), self.timelock_salt(proposal))
        codec = codec_load("TimelockOZ").function("hashOperationBatch")
        return bytes(codec.decode_output(self.chain.call(self.timelock, codec.encode(args))))

    def timelock_execute(self, proposal: LocalProposal, who: int = ANYONE) -> dict[str, Any]:
        """Execute at the TimelockController itself: the governor emits nothing."""
        codec = codec_load("TimelockOZ").function("executeBatch")
        args = (*proposal.content[:3], bytes(32), self.timelock_salt(proposal))
        return self.chain.done(who, self.timelock, codec.encode(args))

    def timelock_cancel(self, proposal: LocalProposal, who: int = COUNCIL) -> dict[str, Any]:
        """Cancel at the TimelockController itself: the governor emits nothing."""
        codec = codec_load("TimelockOZ").function("cancel")
        return self.chain.done(who, self.timelock, codec.encode((self.operation_id(proposal),)))

    # --- what the chain says ----------------------------------------------------------------------

    def state(self, proposal: LocalProposal) -> int:
        """IGovernor.ProposalState; Governor Bravo numbers them alike."""
        return int(self.view("state", proposal.id))

    def tallies(self, proposal: LocalProposal) -> tuple[int, int, int]:
        """Against, for, abstain, in the token's smallest unit."""
        if self.has_signatures:
            row = self.view("proposals", proposal.id)
            return int(row[6]), int(row[5]), int(row[7])
        against, in_favour, abstain = self.view("proposalVotes", proposal.id)
        return int(against), int(in_favour), int(abstain)
