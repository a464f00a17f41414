"""The finalized lane: windows of blocks by number, fetched side by side, committed in order.

While one window is written, the next ones are on their way. Keys are not recomputed window by
window but once, at the end of the leg, or with the first block of the hot lane where that is next:
what a balance was in between nobody will ask.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from chain.indexer import writer
from chain.indexer.batch import Logs, logs_collect
from chain.indexer.commit import batch_commit
from chain.indexer.dispatch import Dispatch
from chain.indexer.fetch import batch_of_window, batch_settle, window_logs
from chain.indexer.planner import Observation, Position, window_next
from chain.models import Cursor
from chain.rpc.client import RpcClient
from chain.rpc.errors import Inconsistent, RangeTooLarge
from chain.rpc.types import BlockHeader, RawLog
from chain.watch import watch_current

#: Windows fetched at the same time, and held ready at most.
FETCHERS = 2
AHEAD = 4
#: Windows committed before keys are recomputed and the indexer looks at the chain again: the pages
#: of a service that has years to catch up with show something meanwhile.
WINDOWS_MAX = 32


@dataclass(frozen=True, slots=True)
class Fetched:
    """The blocks ``start``..``end`` as the node gave them; ``headers`` are those of the first, the
    last and all with logs. ``part`` is the size of the pieces it took, where it took several."""

    start: int
    end: int
    headers: Sequence[BlockHeader]
    raw_logs: Sequence[RawLog]
    part: int


def window_fetch(client: RpcClient, start: int, end: int, addresses: Sequence[bytes]) -> Fetched:
    """Fetch one window; where the node finds it too large, in pieces of the size it names, or else
    in halves.

    Raises:
        RpcError: RangeTooLarge where one block is too large already.
    """
    try:
        headers, raw_logs = window_logs(client, start, end, addresses)
    except RangeTooLarge as error:
        size = min(error.suggested_blocks or end, (end - start + 1) // 2)
        if size < 1:
            raise  # one block cannot be split; the node's limit must change
        pieces = [
            window_fetch(client, first, min(first + size - 1, end), addresses)
            for first in range(start, end + 1, size)
        ]
        return Fetched(
            start,
            end,
            [header for piece in pieces for header in piece.headers],
            [log for piece in pieces for log in piece.raw_logs],
            min(size, *(piece.part for piece in pieces[:-1])),
        )
    return Fetched(start, end, headers, raw_logs, end - start + 1)


class Backfill:
    """One leg of a catch-up: up to ``WINDOWS_MAX`` windows, to ``target`` at most.

    ``reached`` is told the name of each point where a crash is interesting (for tests).
    """

    def __init__(
        self,
        client: RpcClient,
        *,
        cursor: Cursor,
        target: int,
        seen: Observation,
        reached: Callable[[str], None],
    ) -> None:
        self._client = client
        self._seen = seen
        self._target = target
        self._reached = reached
        self._window = cursor.window_blocks
        self._position = Position(cursor.number, bytes(cursor.hash))
        self._projected = cursor.projected_number
        watched = watch_current()
        self._watch_digest = watched.digest
        self._addresses = list(watched.contracts)
        self._dispatch = Dispatch(watched.contracts)

    def run(self) -> int:
        """Index; return the number of blocks. What is committed stays, whatever comes after.

        Raises:
            RpcError, CursorMoved
        """
        first = self._position.number
        with ThreadPoolExecutor(max_workers=FETCHERS, thread_name_prefix="backfill") as pool:
            try:
                for fetched, logs, is_last in self._windows(pool):
                    self._commit(fetched, logs, is_last=is_last)
            finally:
                # On an error: what has not begun must not begin.
                pool.shutdown(wait=True, cancel_futures=True)
        return self._position.number - first

    def _windows(self, pool: ThreadPoolExecutor) -> Iterator[tuple[Fetched, Logs, bool]]:
        waiting: deque[Future[tuple[Fetched, Logs]]] = deque()
        start, begun = self._position.number + 1, 0
        while True:
            while len(waiting) < AHEAD and begun < WINDOWS_MAX and start <= self._target:
                end = min(start + self._window - 1, self._target)
                waiting.append(pool.submit(self._ready, start, end))
                start, begun = end + 1, begun + 1
            if not waiting:
                return
            fetched, logs = waiting.popleft().result()
            yield fetched, logs, not waiting

    def _ready(self, start: int, end: int) -> tuple[Fetched, Logs]:
        """Fetch and decode a window. It needs no database, and runs while the window before is
        being written."""
        fetched = window_fetch(self._client, start, end, self._addresses)
        times = {header.number: header.timestamp for header in fetched.headers}
        return fetched, logs_collect(fetched.raw_logs, times, self._dispatch)

    def _commit(self, fetched: Fetched, logs: Logs, *, is_last: bool) -> None:
        first = fetched.headers[0]
        if first.number != fetched.start or first.parent_hash != self._position.hash:
            raise Inconsistent(f"Final block {fetched.start} does not follow the one before it.")
        self._window = window_next(self._window, part=fetched.part, logs_count=len(logs.rows))
        batch = batch_of_window(
            base=self._position,
            blocks=fetched.headers,
            logs=logs,
            seen=self._seen,
            window_blocks=self._window,
            watch_digest=self._watch_digest,
        )
        # At the target the hot lane takes over, and recomputes these keys with its first block.
        if is_last and fetched.end < self._target:
            batch_settle(
                self._client,
                batch,
                pending=writer.keys_touched(above=self._projected),
                finalized_number=self._seen.finalized_number,
            )
        self._reached("fetched")
        batch_commit(batch)
        self._reached("committed")
        self._position = Position(batch.end.number, batch.end.hash)
