"""Requests and their answers: batches, retries, and which node is asked. No Django."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from chain.rpc.classifier import error_read
from chain.rpc.errors import (
    BatchTooLarge,
    BlockUnknown,
    Inconsistent,
    Permanent,
    RateLimited,
    RpcError,
    StateUnavailable,
    Transient,
    WrongChain,
)
from chain.rpc.pool import Provider, ProviderPool
from chain.rpc.transport import Transport

#: Requests in one batch; common providers refuse more.
BATCH_MAX = 100
#: Bytes of an answer above which its time says more about its size than about the node.
_TIMED_MAX_BYTES = 65_536
#: Seconds: the longest wait between two attempts.
_WAIT_MAX_S = 5.0

#: Failures of an answer that another node may not have.
_ELSEWHERE = (BlockUnknown, StateUnavailable, RateLimited, Transient, Permanent, Inconsistent)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Call:
    """One JSON-RPC request."""

    method: str
    params: tuple[Any, ...] = ()
    #: Reads the whole response (and its request's id) of a request made alone, in one pass; None
    #: for what it leaves to us.
    read: Callable[[bytes, int], Any] | None = None


class Exchanger:
    """Asks the nodes of a pool. Safe between threads."""

    def __init__(
        self, transport: Transport | ProviderPool, *, batch_max: int = BATCH_MAX, retries: int = 2
    ) -> None:
        self.pool = transport if isinstance(transport, ProviderPool) else ProviderPool([transport])
        self._batch_max = batch_max
        self._retries = retries
        self._ids = itertools.count(1)
        # Per thread: ``last``, who answered last; ``pin``, whom a block of reads stays with.
        self._local = threading.local()

    @property
    def transport(self) -> Transport:
        """The way to the first node."""
        return self.pool.providers[0].transport

    # --- requests -----------------------------------------------------------------

    def call(self, method: str, *params: Any, retries: int | None = None) -> Any:
        """Make one request and return its result. ``retries=0`` asks one node, once.

        Raises:
            RpcError: by kind; see chain.rpc.errors.
        """
        result = self.batch([Call(method, params)], retries=retries)[0]
        if isinstance(result, RpcError):
            raise result
        return result

    def batch(self, calls: Sequence[Call], *, retries: int | None = None) -> list[Any]:
        """Make many requests of one node in few exchanges; an element that failed is its RpcError.

        Raises:
            RpcError: the exchange itself failed.
        """
        results: list[Any] = []
        with self.pinned() if len(calls) > self._batch_max else nullcontext():
            while len(results) < len(calls):
                part = calls[len(results) : len(results) + self._batch_max]
                try:
                    results += self._anywhere(part, retries)
                except BatchTooLarge:
                    if len(part) == 1:
                        raise
                    self._batch_max = max(1, len(part) // 2)
        return results

    @contextmanager
    def pinned(self, *, avoid: Sequence[Provider] = ()) -> Iterator[None]:
        """Ask one node for everything inside: answers about one state, or about each other, must
        not come from two. One of ``avoid`` only if there is no other."""
        if getattr(self._local, "pin", None) is not None:
            yield
            return
        self._local.pin, self._local.avoid = False, avoid
        try:
            yield
        finally:
            self._local.pin, self._local.avoid = None, ()

    def distrust(self, error: Inconsistent) -> bool:
        """Blame an answer that contradicts itself on the node that gave this thread its last one.
        False where it was blamed before."""
        provider = getattr(self._local, "last", None)
        if error.provider or provider is None:
            return False
        error.provider = provider.name
        self.pool.failed(provider, error)
        return True

    def checked(self, work: Callable[[], _Result], *, together: bool = False) -> _Result:
        """Do ``work``, which checks its answers; all of it again with another node after one that
        lied. ``together``: its requests go to one node, and another is tried as a whole after one
        that failed or lacks the block."""
        pinned = getattr(self._local, "pin", None) is not None
        avoided: list[Provider] = []
        for left in range(len(self.pool.providers), 0, -1):
            last = pinned or left == 1
            try:
                if not together:
                    return work()
                with self.pinned(avoid=avoided):
                    return work()
            except Inconsistent as error:
                if not self.distrust(error) or last:
                    raise
            except (BlockUnknown, StateUnavailable, Transient, RateLimited):
                if not together or last:
                    raise
            provider = getattr(self._local, "last", None)
            if provider is not None:
                avoided.append(provider)
        raise AssertionError("unreachable")

    # --- one exchange ---------------------------------------------------------------

    def _anywhere(self, calls: Sequence[Call], retries: int | None) -> list[Any]:
        """Ask the best node, then the others, then all again after a wait."""
        attempts = self._retries if retries is None else retries
        once = retries == 0
        if not once:
            self.pool.probe()
        for attempt in range(attempts + 1):
            failure, found = self._round(calls, once=once)
            last = attempt == attempts
            if found is not None and (last or not isinstance(failure, RateLimited)):
                return found
            if failure is None:
                raise AssertionError("unreachable")
            if last or not isinstance(failure, Transient | RateLimited):
                raise failure
            wait_s = failure.retry_after_s if isinstance(failure, RateLimited) else 0.1
            time.sleep(min(wait_s * 2**attempt, _WAIT_MAX_S))
        raise AssertionError("unreachable")

    def _round(
        self, calls: Sequence[Call], *, once: bool
    ) -> tuple[RpcError | None, list[Any] | None]:
        """Ask each node until one answers all; the last failure and the first node's results."""
        failure: RpcError | None = None
        found: list[Any] | None = None
        for provider in self._candidates(once=once):
            try:
                results = self._through(provider, calls)
            except (*_ELSEWHERE, WrongChain) as error:
                if isinstance(error, BatchTooLarge):
                    raise
                failure = failure if found is not None else error
                continue
            reason = next((item for item in results if isinstance(item, _ELSEWHERE)), None)
            if reason is None:
                return None, results
            if isinstance(reason, RateLimited | Inconsistent):
                reason.provider = provider.name
                self.pool.failed(provider, reason)
            if found is None:
                failure, found = reason, results
        return failure, found

    def _candidates(self, *, once: bool) -> list[Provider]:
        pin = getattr(self._local, "pin", None)
        if isinstance(pin, Provider):
            return [pin]
        found = self.pool.candidates()
        avoid = getattr(self._local, "avoid", ())
        found = [provider for provider in found if provider not in avoid] or found
        return found[:1] if once else found

    def _through(self, provider: Provider, calls: Sequence[Call]) -> list[Any]:
        started = time.monotonic()
        try:
            self.pool.check(provider)
            results, size = self._exchange(provider.transport, calls)
        except RpcError as error:
            blamed = isinstance(error, Transient | RateLimited | Inconsistent | Permanent)
            if blamed and not isinstance(error, BatchTooLarge):
                self.pool.failed(provider, error)
            error.provider = provider.name
            raise
        seconds = time.monotonic() - started
        self.pool.succeeded(provider, seconds if size <= _TIMED_MAX_BYTES else None)
        self._local.last = provider
        if getattr(self._local, "pin", None) is not None:
            self._local.pin = provider
        return results

    def _exchange(self, transport: Transport, calls: Sequence[Call]) -> tuple[list[Any], int]:
        """Results, and bytes of the answer."""
        numbers = [next(self._ids) for _ in calls]
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}
            for number, call in zip(numbers, calls, strict=True)
        ]
        single = len(requests) == 1
        response = transport.send(orjson.dumps(requests[0] if single else requests))
        if single and calls[0].read is not None:
            result = calls[0].read(response, numbers[0])
            if result is not None:
                return [result], len(response)
        try:
            answer = orjson.loads(response)
        except orjson.JSONDecodeError as error:
            raise Transient(f"The node's answer is not JSON: {error}") from error
        if single:
            return [_single(answer, numbers[0])], len(response)
        if isinstance(answer, dict):  # one error for the whole batch
            result = _result(answer)
            raise result if isinstance(result, RpcError) else Inconsistent("No list for a batch.")
        return _match(answer, numbers), len(response)


def _single(answer: Any, number: int) -> Any:
    result = _result(answer)
    # An error may lack the id: the node could not read the request (JSON-RPC 2.0, 5).
    if isinstance(answer, dict) and answer.get("id") != number:
        if not (isinstance(result, RpcError) and answer.get("id") is None):
            raise Inconsistent(
                "The answer is to another request.",
                evidence={"asked": number, "answered": answer.get("id")},
            )
    return result


def _match(answers: Any, numbers: Sequence[int]) -> list[Any]:
    """Results in the order asked.

    Raises:
        Inconsistent: not exactly one answer to each request.
    """
    if not isinstance(answers, list):
        raise Inconsistent("The answer to a batch is not a list.")
    results: dict[int, Any] = {}
    for answer in answers:
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, int) or number in results:
            raise Inconsistent("An answer in a batch has no id of ours, or one twice.")
        results[number] = _result(answer)
    if results.keys() != set(numbers):
        raise Inconsistent(
            f"{len(results)} answers to {len(numbers)} requests.",
            evidence={"asked": list(numbers), "answered": list(results)},
        )
    return [results[number] for number in numbers]


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict):
        return Inconsistent("An answer is not an object.")
    error = answer.get("error")
    if error is not None:
        return error_read(error) if isinstance(error, dict) else Transient(str(error)[:500])
    if "result" not in answer:
        return Inconsistent("An answer has neither result nor error.")
    return answer["result"]
