"""Runs projectors over touched keys, in the order they depend on each other."""

from collections.abc import Iterator, Sequence

from chain.indexer.batch import Touched
from chain.indexer.history import History, logs_by_key, reads_newest
from chain.indexer.reads import ReadRequest
from chain.projections import Projector, registered_projectors

#: Keys whose history is loaded by one query.
KEYS_CHUNK = 200


def keys_recompute(touched: Touched, *, requests: Sequence[ReadRequest] = ()) -> int:
    """Recompute all touched keys; return how many. Call it inside the committing transaction.

    ``requests`` are the reads most likely asked for; their newest answers load in one query.
    """
    known = reads_newest(requests)
    count = 0
    for projector in registered_projectors():
        keys = touched.get(projector.name, [])
        projector_recompute(projector, keys, known)
        count += len(keys)
    return count


def projector_recompute(
    projector: Projector,
    keys: Sequence[str],
    known: dict[tuple[bytes, bytes], tuple[bool, bytes, int] | None],
) -> None:
    """Recompute keys of one projector, loading their logs chunk by chunk."""
    for chunk in _chunks(keys):
        logs = logs_by_key(projector=projector.name, keys=chunk)
        for key in chunk:
            history = History(projector=projector.name, key=key, batch_logs=logs, known_reads=known)
            projector.recompute(key=key, history=history)


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_CHUNK):
        yield keys[start : start + KEYS_CHUNK]
