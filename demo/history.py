"""The DAO's past: some twenty proposals, each really proposed, voted on and carried out.

The chain starts weeks ago and its clock is moved forward; every rate limit, delay
and quorum of the contracts holds on the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from web3 import Web3

from demo.chain import LocalChain
from demo.episodes import DAY_S, EPISODES, Episode, Outcome

#: The largest holders, who vote for themselves and for those who delegate to them.
DELEGATES = 12


@dataclass(frozen=True)
class Proposal:
    """What the governor hashes: enough to queue, execute and cancel."""

    id: int
    targets: list[str]
    values: list[int]
    calldatas: list[bytes]
    description: str

    @property
    def arguments(self) -> tuple[list[str], list[int], list[bytes], bytes]:
        return self.targets, self.values, self.calldatas, bytes(Web3.keccak(text=self.description))


@dataclass
class Parliament:
    """The DAO's people at work on one local chain."""

    chain: LocalChain
    holders: list[str]
    delegates: list[str]
    guardian: str

    @classmethod
    def reopen(cls, chain: LocalChain) -> "Parliament":
        """Find the people of a chain that was founded at an earlier start."""
        holders = _holders(chain)
        guardian = Web3.to_checksum_address(chain.deployment["settings"]["guardian"])
        return cls(chain, holders, holders[:DELEGATES], guardian)

    def setting(self, name: str) -> int:
        return int(self.chain.deployment["settings"][name])

    def propose(self, episode: Episode, *, proposer: str) -> Proposal:
        built = episode.calls(self.chain)
        description = f"# {episode.title}\n\n{episode.why}\n\n#proposer={proposer}"
        targets, values, calldatas = (list(column) for column in zip(*built, strict=True))
        arguments = (targets, values, calldatas, description)
        proposal_id = self.chain.call(
            "AlthingGovernor", "getProposalId", *arguments[:3], Web3.keccak(text=description)
        )
        self.chain.send("AlthingGovernor", "propose", *arguments, sender=proposer)
        return Proposal(proposal_id, *arguments)

    def vote(self, proposal: Proposal, episode: Episode, *, share: float = 1.0) -> None:
        """Let the delegates vote as the outcome wants; small voters follow with reasons."""
        voters = self.delegates[: max(1, int(len(self.delegates) * share))]
        reasons = list(episode.reasons)
        for position, voter in enumerate(voters):
            support = _support(episode.outcome, position)
            if reasons:
                self.chain.send(
                    "AlthingGovernor",
                    "castVoteWithReason",
                    proposal.id,
                    support,
                    reasons.pop(0),
                    sender=voter,
                )
            else:
                self.chain.send("AlthingGovernor", "castVote", proposal.id, support, sender=voter)

    def vote_fractionally(self, proposal: Proposal, *, voter: str) -> None:
        """Split one voter's power 60/30/10 between for, against and abstain."""
        snapshot = self.chain.call("AlthingGovernor", "proposalSnapshot", proposal.id)
        power = self.chain.call("AlthingGovernor", "getVotes", voter, snapshot)
        against, in_favour = power * 3 // 10, power * 6 // 10
        split = b"".join(
            part.to_bytes(16, "big") for part in (against, in_favour, power - against - in_favour)
        )
        self.chain.send(
            "AlthingGovernor",
            "castVoteWithReasonAndParams",
            proposal.id,
            255,
            "My delegators disagree, so my vote is split as they are.",
            split,
            sender=voter,
        )

    def queue(self, proposal: Proposal, *, sender: str) -> None:
        self.chain.send("AlthingGovernor", "queue", *proposal.arguments, sender=sender)

    def execute(self, proposal: Proposal, *, sender: str) -> None:
        self.chain.advance(self.setting("timelock_delay_s") + 1)
        if self.chain.call("AlthingGovernor", "isConstitutional", proposal.id):
            self.chain.advance(self.setting("constitutional_delay_s") + 1)
        self.chain.send("AlthingGovernor", "execute", *proposal.arguments, sender=sender)

    def play(self, episode: Episode, *, proposer: str) -> Proposal:
        """Carry one episode through to its outcome."""
        chain = self.chain
        proposal = self.propose(episode, proposer=proposer)
        if episode.outcome == "canceled":
            chain.send("AlthingGovernor", "cancel", *proposal.arguments, sender=proposer)
            return proposal
        chain.advance(self.setting("voting_delay_s") + 1)
        if episode.outcome == "no_quorum":
            chain.send("AlthingGovernor", "castVote", proposal.id, 1, sender=self.holders[-1])
        else:
            self.vote(proposal, episode, share=0.5 if episode.outcome == "open" else 1.0)
        if episode.split:
            self.vote_fractionally(proposal, voter=self.holders[DELEGATES])
        if episode.outcome == "vetoed":
            chain.send("AlthingGovernor", "cancel", *proposal.arguments, sender=self.guardian)
        if episode.outcome in {"open", "vetoed"}:
            return proposal
        # Longer than the period: a late quorum may have extended it.
        chain.advance(
            self.setting("voting_period_s") + self.setting("late_quorum_extension_s") + 60
        )
        if episode.outcome in {"executed", "expired", "stuck"}:
            self.queue(proposal, sender=self.delegates[-1])
        if episode.outcome == "executed":
            self.execute(proposal, sender=self.delegates[-1])
        return proposal


def _support(outcome: Outcome, position: int) -> int:
    """Bravo support (0 against, 1 for, 2 abstain) of the delegate at this rank."""
    if outcome == "defeated":
        return 1 if position % 4 == 3 else 0
    if position % 7 == 5:
        return 2
    return 0 if position % 7 == 6 else 1


def _holders(chain: LocalChain) -> list[str]:
    """The genesis list, largest first; equal balances keep the list's order."""
    *_, addresses, amounts = chain.deployment["contracts"]["AlthingToken"]["constructor_arguments"]
    entries = sorted(zip(addresses, amounts, strict=True), key=lambda entry: -int(entry[1]))
    return [address for address, _amount_wei in entries if address in chain.accounts]


def parliament_found(chain: LocalChain) -> Parliament:
    """Let the holders delegate: the large to themselves, most of the small to them."""
    parliament = Parliament.reopen(chain)
    for delegate in parliament.delegates:
        chain.send("AlthingToken", "delegate", delegate, sender=delegate)
    for position, holder in enumerate(parliament.holders[DELEGATES:]):
        # Every sixth small holder never delegated: the pages must tell them.
        if position % 6 == 5:
            continue
        chosen = holder if position % 3 == 0 else parliament.delegates[position % DELEGATES]
        chain.send("AlthingToken", "delegate", chosen, sender=holder)
    return parliament


def history_play(parliament: Parliament, *, started_at: int) -> Iterator[str]:
    """Play every episode at its day; yields a line of progress for each."""
    chain = parliament.chain
    # The treasury's first ETH: a donation by the deployer.
    chain.transact(
        sender=chain.accounts[0], to=chain.address("TimelockController"), value_wei=50 * 10**18
    )
    last = EPISODES[-1]
    for position, episode in enumerate(EPISODES):
        if episode is last:
            return
        chain.advance_to(started_at + episode.day * DAY_S)
        proposer = parliament.delegates[position % 5]
        parliament.play(episode, proposer=proposer)
        yield f"day {episode.day:>2}: {episode.title} ({episode.outcome})"
