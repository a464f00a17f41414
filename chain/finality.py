"""What counts as final: the node's word, or a depth; and, with a second node, both their words.

Where two nodes disagree about a block, or the second is silent, finality stays where they last
agreed: nothing final is ever taken from one node alone.
"""

from dataclasses import dataclass
from functools import lru_cache

from chain import conf
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError
from chain.rpc.transport import HttpTransport


@dataclass(frozen=True, slots=True)
class Finality:
    """Number of the newest final block; ``complaint`` says why it does not advance."""

    number: int
    complaint: str = ""


class FinalityGuard:
    """Compares two nodes' hashes at the finalized number. One per process."""

    def __init__(self, second: RpcClient) -> None:
        self._second = second
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
            theirs = self._second.header(number)
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


@lru_cache(maxsize=1)
def _guard(url: str) -> FinalityGuard:
    return FinalityGuard(RpcClient(HttpTransport(url)))


def finality(client: RpcClient, *, finalized_number: int) -> Finality:
    """Finality by the configured nodes.

    Raises:
        RpcError: the first node could not be asked.
    """
    url = conf.rpc_url_second()
    if not url:
        return Finality(finalized_number)
    return _guard(url).check(client, finalized_number)
