"""What counts as final: the node's word, or a depth; and, with a second node, both their words.

Where two nodes disagree about a block, or the second is silent, finality stays where they last
agreed: nothing final is ever taken from one node alone. That holds for hashes and for logs: a
window of final blocks is stored only if both nodes give the same logs of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chain import conf
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RangeTooLarge, RpcError
from chain.rpc.header_hash import HeaderTrust
from chain.rpc.pool import ProviderPool
from chain.rpc.transport import HttpTransport
from chain.rpc.types import RawLog


class NodesDisagree(Inconsistent):
    """The second node tells another history. Nothing of it is stored until they agree."""

    code = "nodes_disagree"


@dataclass(frozen=True, slots=True)
class Finality:
    """Number of the newest final block; ``complaint`` says why it does not advance."""

    number: int
    complaint: str = ""


class FinalityGuard:
    """Compares two nodes' hashes at the finalized number. One per process."""

    def __init__(self, second: RpcClient) -> None:
        self.second = second
        self._agreed = 0
        self._seen: tuple[int, Finality] = (-1, Finality(0))

    def check(self, client: RpcClient, number: int) -> Finality:
        """Finality as both nodes see it, given the first one's.

        Raises:
            RpcError: the first node could not be asked.
        """
        if self._seen[0] != number or self._seen[1].complaint:
            self._seen = (number, self._compare(client, number))
        return self._seen[1]

    def _compare(self, client: RpcClient, number: int) -> Finality:
        ours = client.header(number)
        try:
            theirs = self.second.header(number)
        except RpcError as error:
            return Finality(
                self._agreed, f"The second node does not confirm block {number}: {error.detail}"
            )
        if theirs.hash != ours.hash:
            return Finality(
                self._agreed,
                f"The two nodes disagree about block {number}; nothing further counts as final.",
            )
        self._agreed = number
        return Finality(number)


@lru_cache(maxsize=2)
def _guard(url: str) -> FinalityGuard:
    pool = ProviderPool([HttpTransport(url)], chain_id=conf.chain_id())
    # What it says is only compared, never taken: its headers prove nothing to us.
    return FinalityGuard(RpcClient(pool, headers=HeaderTrust("off")))


def finality(client: RpcClient, *, finalized_number: int) -> Finality:
    """Finality by the configured nodes.

    Raises:
        RpcError: the first node could not be asked.
    """
    url = conf.rpc_url_second()
    if not url:
        return Finality(finalized_number)
    return _guard(url).check(client, finalized_number)


def logs_agree(*, start: int, end: int, addresses: Sequence[bytes], logs: Sequence[RawLog]) -> None:
    """Compare ``logs``, all that the first node gave of ``addresses`` in final blocks
    ``start``..``end``, with what the second node gives, byte by byte. Without a second node
    nothing is compared: by number windows one node can hide a log.

    Raises:
        NodesDisagree: with the first difference as evidence; store nothing of these blocks.
        RpcError: the second node could not be asked; nothing is confirmed.
    """
    url = conf.rpc_url_second()
    if not url:
        return
    theirs = _logs_split(_guard(url).second, start, end, addresses)
    if list(logs) == theirs:
        return
    first, second = set(logs), set(theirs)
    only_ours = [log for log in logs if log not in second]
    only_theirs = [log for log in theirs if log not in first]
    place = min(log.block_number for log in (*only_ours, *only_theirs))
    raise NodesDisagree(
        f"The two nodes disagree about the logs of block {place}: {len(only_ours)} only from the "
        f"first, {len(only_theirs)} only from the second, in blocks {start} to {end}. Nothing of "
        "them is stored until they agree; find out which is wrong and replace it.",
        evidence={"first": only_ours[:3], "second": only_theirs[:3]},
    )


def _logs_split(
    client: RpcClient, start: int, end: int, addresses: Sequence[bytes]
) -> list[RawLog]:
    """Logs of a range, in halves where the node finds it too large."""
    try:
        return client.logs_of_range(start, end, addresses)
    except RangeTooLarge:
        if start == end:
            raise
    middle = (start + end) // 2
    first = _logs_split(client, start, middle, addresses)
    return first + _logs_split(client, middle + 1, end, addresses)
