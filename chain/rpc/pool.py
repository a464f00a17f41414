"""Several nodes of one chain: which to ask next, by what they did so far. No Django.

A node is scored by success, speed and how far its head lags; one that failed, lagged or lied is
put aside and returns after a while, each time a longer one. A node of another chain is never used.
Which answers fail is decided above (chain.rpc.client); this only keeps the books.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import orjson

from chain.rpc.classifier import error_read
from chain.rpc.errors import Inconsistent, RateLimited, RpcError, Transient, WrongChain
from chain.rpc.transport import Transport
from chain.rpc.types import hex_int

#: Seconds a failed node is left alone, doubling from the first to the second with each failure.
FAILED_ASIDE_S = (0.5, 60.0)
#: The same for one that contradicted itself or a proof: a lie is no accident to sit out quickly.
LIED_ASIDE_S = (30.0, 3600.0)
#: The same for one that serves another chain: somebody must change a setting.
WRONG_CHAIN_ASIDE_S = (15.0, 300.0)
#: Seconds of good behaviour after which earlier lies no longer lengthen the next wait.
FORGIVEN_AFTER_S = 3600.0
#: Seconds between two looks at the heads of all nodes.
PROBE_EVERY_S = 15.0
#: Seconds a node may take to say where its head is.
PROBE_TIMEOUT_S = 3.0
#: Seconds it may take to name its chain, without which it is not used.
CHECK_TIMEOUT_S = 10.0
#: Blocks behind the best head from which a node is put aside.
LAG_ASIDE_BLOCKS = 16
#: How much better another node must be before we leave the one in use: heads of two nodes differ.
STAY_FACTOR = 1.25
#: Weight of the newest observation in the running averages.
_NEWEST = 0.1


class Standing(StrEnum):
    """What a node is good for now."""

    GOOD = "good"
    #: Failed lately; asked again before nobody is asked.
    FAILING = "failing"
    #: Far behind the other nodes.
    LAGGING = "lagging"
    #: Contradicted itself, a proof or the other node; asked again only when nobody else is left.
    LYING = "lying"
    #: Serves another chain. Never used.
    WRONG_CHAIN = "wrong_chain"


@dataclass(frozen=True, slots=True)
class ProviderScore:
    """What a page may show of a node: ``name`` is its host, never a key in its address.

    ``score`` 0 (useless) to 1; ``latency_s`` seconds; ``lag_blocks`` behind the best node;
    ``aside_s`` seconds until it is asked again.
    """

    name: str
    score: float
    standing: str
    last_error: str
    last_head: int | None
    lag_blocks: int
    latency_s: float
    requests: int
    failures: int
    inconsistencies: int
    aside_s: float


@dataclass(eq=False, slots=True)
class Provider:
    """One node and what it did so far. Changed by its pool only, under the pool's lock."""

    name: str
    transport: Transport
    standing: Standing = Standing.GOOD
    #: The chain id was asked and is right; asked again after each lost connection.
    checked: bool = False
    success: float = 1.0
    latency_s: float = 0.0
    lag_blocks: int = 0
    last_head: int | None = None
    last_error: str = ""
    requests: int = 0
    failures: int = 0
    inconsistencies: int = 0
    aside_until: float = 0.0
    in_a_row: int = 0
    lies: int = 0
    lied_at: float = field(default=float("-inf"))

    @property
    def score(self) -> float:
        """0 to 1."""
        if self.standing is Standing.WRONG_CHAIN:
            return 0.0
        lies = 0.5 ** min(self.lies, 10)
        return self.success * lies / (1 + self.latency_s) / (1 + self.lag_blocks / 4)


class ProviderPool:
    """The nodes of one chain. ``chain_id`` None checks no node's chain. Safe between threads."""

    def __init__(
        self,
        transports: Sequence[Transport],
        *,
        chain_id: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.chain_id = chain_id
        self._clock = clock
        self._lock = threading.Lock()
        self._in_use: Provider | None = None
        self._probe_at = clock() + PROBE_EVERY_S
        self.providers = [
            Provider(name, transport)
            for name, transport in zip(_names(transports), transports, strict=True)
        ]

    # --- whom to ask ----------------------------------------------------------------

    def candidates(self) -> list[Provider]:
        """The nodes to ask, best first; those aside only where none is left, and never one of
        another chain, until it is time to look at it again.

        Raises:
            WrongChain: no node of the right chain is left.
        """
        with self._lock:
            now = self._clock()
            for provider in self.providers:
                if provider.aside_until <= now and provider.standing is not Standing.GOOD:
                    if provider.standing is Standing.WRONG_CHAIN:
                        provider.checked = False
                    provider.standing = Standing.GOOD
            usable = [p for p in self.providers if p.standing is not Standing.WRONG_CHAIN]
            good = [p for p in usable if p.standing is Standing.GOOD]
            tired = [p for p in usable if p.standing in (Standing.FAILING, Standing.LAGGING)]
            good.sort(key=self._rank, reverse=True)
            tired.sort(key=lambda provider: provider.aside_until)
            found = good + tired or sorted(usable, key=lambda provider: provider.aside_until)
        if not found:
            said = "; ".join(provider.last_error for provider in self.providers)
            raise WrongChain(said.replace("wrong_chain: ", "") or "No node is named: set RPC_URL.")
        return found

    def _rank(self, provider: Provider) -> float:
        return provider.score * (STAY_FACTOR if provider is self._in_use else 1.0)

    def check(self, provider: Provider) -> None:
        """Ask a node for its chain, on first use and after each lost connection.

        Raises:
            WrongChain: it is put aside and not used.
            RpcError: it did not answer.
        """
        if provider.checked or self.chain_id is None:
            return
        found = _ask(provider.transport, "eth_chainId", timeout_s=CHECK_TIMEOUT_S)
        if found != self.chain_id:
            error = WrongChain(
                f"The node {provider.name} serves chain {found}, CHAIN_ID is {self.chain_id}."
            )
            self.failed(provider, error)
            raise error
        provider.checked = True

    def probe(self) -> None:
        """Where it is time and there are several: look at every node's chain and head, so that
        one in use that lags is noticed, and one that came back."""
        with self._lock:
            now = self._clock()
            if len(self.providers) < 2 or now < self._probe_at:
                return
            self._probe_at = now + PROBE_EVERY_S
            wanted = [p for p in self.providers if p.aside_until <= now]
        heads: dict[str, int] = {}
        for provider in wanted:
            try:
                self.check(provider)
                heads[provider.name] = _ask(
                    provider.transport, "eth_blockNumber", timeout_s=PROBE_TIMEOUT_S
                )
            except RpcError as error:
                if not isinstance(error, WrongChain):
                    self.failed(provider, error)
        with self._lock:
            for provider in wanted:
                if provider.name in heads:
                    self._lag(provider, heads[provider.name], max(heads.values()))

    def _lag(self, provider: Provider, head: int, best: int) -> None:
        provider.last_head, provider.lag_blocks = head, best - head
        if provider.lag_blocks >= LAG_ASIDE_BLOCKS and provider.standing is Standing.GOOD:
            provider.standing = Standing.LAGGING
            provider.last_error = f"Its head is {provider.lag_blocks} blocks behind."
            provider.aside_until = self._clock() + PROBE_EVERY_S

    # --- what they did --------------------------------------------------------------

    def succeeded(self, provider: Provider, seconds: float | None) -> None:
        """Note an exchange, and its seconds where its size says something about the node."""
        with self._lock:
            self._in_use = provider
            provider.requests += 1
            provider.in_a_row = 0
            provider.success += _NEWEST * (1.0 - provider.success)
            if seconds is not None:
                weight = _NEWEST if provider.latency_s else 1.0
                provider.latency_s += weight * (seconds - provider.latency_s)
            if provider.lies and self._clock() - provider.lied_at > FORGIVEN_AFTER_S:
                provider.lies = 0

    def failed(self, provider: Provider, error: RpcError) -> None:
        """Note a failed exchange, a lie or another chain, and put the node aside."""
        with self._lock:
            now = self._clock()
            provider.requests += 1
            provider.failures += 1
            provider.in_a_row += 1
            provider.success *= 1.0 - _NEWEST
            provider.last_error = f"{error.code}: {error.detail}"[:300]
            if isinstance(error, WrongChain):
                self._aside(provider, Standing.WRONG_CHAIN, WRONG_CHAIN_ASIDE_S, provider.in_a_row)
            elif isinstance(error, Inconsistent):
                provider.inconsistencies += 1
                provider.lies += 1
                provider.lied_at = now
                self._aside(provider, Standing.LYING, LIED_ASIDE_S, provider.lies)
            elif isinstance(error, RateLimited):
                wait = error.retry_after_s
                self._aside(provider, Standing.FAILING, (wait, 60.0), provider.in_a_row)
            else:
                # The connection is made anew, perhaps to another machine.
                provider.checked = provider.checked and not isinstance(error, Transient)
                self._aside(provider, Standing.FAILING, FAILED_ASIDE_S, provider.in_a_row)

    def _aside(
        self, provider: Provider, standing: Standing, span_s: tuple[float, float], times: int
    ) -> None:
        wait_s = min(span_s[0] * 2 ** min(times - 1, 20), max(span_s))
        until = self._clock() + wait_s
        if provider.standing is Standing.LYING and standing is Standing.FAILING:
            return  # silence does not shorten the wait for a lie
        provider.standing = standing
        provider.aside_until = max(provider.aside_until, until)

    def saw_head(self, provider: Provider, number: int) -> None:
        """Note a node's newest block, as an answer told it."""
        with self._lock:
            provider.last_head = number

    def scores(self) -> list[ProviderScore]:
        """Every node, in the order configured."""
        with self._lock:
            now = self._clock()
            return [
                ProviderScore(
                    name=p.name,
                    score=round(p.score, 4),
                    standing=str(p.standing),
                    last_error=p.last_error,
                    last_head=p.last_head,
                    lag_blocks=p.lag_blocks,
                    latency_s=round(p.latency_s, 4),
                    requests=p.requests,
                    failures=p.failures,
                    inconsistencies=p.inconsistencies,
                    aside_s=round(max(0.0, p.aside_until - now), 1),
                )
                for p in self.providers
            ]


def _names(transports: Sequence[Transport]) -> list[str]:
    names: list[str] = []
    seen: Counter[str] = Counter()
    for transport in transports:
        url = getattr(transport, "url", "")
        host = urlsplit(url).netloc.rpartition("@")[2] if isinstance(url, str) else ""
        name = host or "node"
        seen[name] += 1
        names.append(f"{name} #{seen[name]}" if seen[name] > 1 else name)
    return names


def _ask(transport: Transport, method: str, *, timeout_s: float) -> int:
    """One number from a node, in a request of its own.

    Raises:
        RpcError
    """
    body = orjson.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": []})
    try:
        answer = orjson.loads(transport.send(body, timeout_s=timeout_s))
    except orjson.JSONDecodeError as error:
        raise Transient(f"The node's answer is not JSON: {error}") from error
    said = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(said, dict):
        raise error_read(said)
    return hex_int(answer.get("result") if isinstance(answer, dict) else None)
