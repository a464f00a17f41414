"""The demo's life while a person looks: nodes keep attesting and a vote is always open."""

import logging
import threading
from types import TracebackType

from demo.build import World
from demo.chain import ActorReverted
from demo.episodes import Episode, calls, parameter, pay_alt
from demo.fleet import Fleet
from demo.history import Proposal

LOGGER = logging.getLogger(__name__)
LOOK_EVERY_S = 10.0
#: Votes that follow the open one of the history, in turn; a rate limit skips to the next.
IDEAS = (
    Episode(0, "Accept up to eight pending withdrawals", "Ten invite spam; eight were ever used.",
            calls(parameter("stake.max_pending_unbonds", 8))),
    Episode(0, "Translate the operator's guide", "Spanish and Korean, paid on delivery.",
            calls(pay_alt(36, 3_000))),
    Episode(0, "Watch one more node for a month", "A probe run by a volunteer.",
            calls(pay_alt(37, 1_200))),
)  # fmt: skip
#: ProposalState values of OpenZeppelin's Governor that count as open.
OPEN_STATES = {0, 1}


class Life:
    """Two threads that end with the demo."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ended = threading.Event()
        self._fleet = Fleet(world.folder, world.url, world.environment["RPC_URL"])
        self._threads = [
            threading.Thread(target=self._fleet.run, args=(self._ended,), name="fleet"),
            threading.Thread(target=self._votes_keep_open, name="votes"),
        ]

    def __enter__(self) -> "Life":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _votes_keep_open(self) -> None:
        turn = 0
        while not self._ended.wait(LOOK_EVERY_S):
            if self._is_any_open():
                continue
            idea = IDEAS[turn % len(IDEAS)]
            turn += 1
            try:
                self._propose_and_vote(idea)
            except ActorReverted as error:
                # A person at the demo may have changed what the idea builds on.
                LOGGER.warning("The demo's next proposal was refused: %s", error)

    def _is_any_open(self) -> bool:
        chain = self.world.chain
        count = chain.call("AlthingGovernor", "proposalCount")
        newest = (
            chain.call("AlthingGovernor", "proposalDetailsAt", index)[0]
            for index in range(max(0, count - 3), count)
        )
        return any(chain.call("AlthingGovernor", "state", item) in OPEN_STATES for item in newest)

    def _propose_and_vote(self, idea: Episode) -> Proposal:
        parliament = self.world.parliament
        proposal = parliament.propose(idea, proposer=parliament.delegates[1])
        self._ended.wait(parliament.setting("voting_delay_s") + 2)
        for voter in parliament.delegates[2:6]:
            if self._ended.is_set():
                break
            parliament.chain.send("AlthingGovernor", "castVote", proposal.id, 1, sender=voter)
            self._ended.wait(LOOK_EVERY_S)
        return proposal
