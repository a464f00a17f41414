"""Runs projectors over touched keys, in the order they depend on each other."""

from collections.abc import Iterator, Mapping, Sequence

from chain.indexer.batch import Places, Touched
from chain.indexer.history import (
    Answers,
    History,
    logs_by_key,
    places_newest,
    reads_newest,
    touches_newest,
)
from chain.indexer.reads import requests_of
from chain.projections import LogPlace, Projector, registered_projectors
from chain.rpc.types import BlockHeader

#: Keys whose history is loaded at once.
KEYS_CHUNK = 500


def keys_recompute(touched: Touched, *, block: BlockHeader, known: Answers, places: Places) -> int:
    """Recompute all touched keys as of ``block``; return how many. Call it inside the committing
    transaction.

    ``known`` are the answers most likely asked for, ``places`` the newest logs of some keys: what
    the caller has at hand need not be looked up.
    """
    count = 0
    for projector in registered_projectors():
        keys = touched.get(projector.name, [])
        for chunk in _chunks(keys):
            histories = histories_load(
                projector,
                chunk,
                blocks=dict.fromkeys(chunk, block),
                places=_places(projector, chunk, places.get(projector.name, {})),
                known=known,
            )
            projector.recompute_many(histories)
        count += len(keys)
    return count


def _places(
    projector: Projector, keys: Sequence[str], known: Mapping[str, LogPlace]
) -> Mapping[str, LogPlace]:
    unknown = [key for key in keys if key not in known]
    if not unknown:
        return known
    return {**places_newest(projector=projector.name, keys=unknown), **known}


def projector_rebuild(
    projector: Projector,
    keys: Sequence[str],
    places: Mapping[str, LogPlace],
    at: BlockHeader,
) -> None:
    """Recompute keys of one projector as of the blocks that touched them last. ``at`` is the
    newest block of all, for choosing which reads to load."""
    for chunk in _chunks(keys):
        known = reads_newest(request.read_key for request in requests_of(projector, chunk, at))
        histories = histories_load(
            projector,
            chunk,
            blocks=touches_newest(projector=projector.name, keys=chunk),
            places=places,
            known=known,
        )
        projector.recompute_many(histories)


def histories_load(
    projector: Projector,
    keys: Sequence[str],
    *,
    blocks: Mapping[str, BlockHeader],
    places: Mapping[str, LogPlace],
    known: Answers,
) -> dict[str, History]:
    """Histories of some keys, their logs loaded in one query."""
    logs = logs_by_key(projector=projector.name, keys=keys)
    return {
        key: History(
            projector=projector.name,
            key=key,
            batch_logs=logs,
            known_reads=known,
            last_log=places.get(key),
            block=blocks.get(key),
        )
        for key in keys
    }


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_CHUNK):
        yield keys[start : start + KEYS_CHUNK]
