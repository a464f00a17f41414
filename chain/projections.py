"""Projections: tables recomputed from the chain's history, key by key.

An app subclasses ``Projector``, names the events it follows and the keys they touch, and
registers it in ``AppConfig.ready()``. For every touched key the indexer calls ``recompute``,
in the transaction that commits the block. After a reorganisation the keys that changed are
recomputed from what is canonical then; a rebuild recomputes all of them. So ``recompute`` must
depend on its ``History`` alone, and leave the same rows however often it runs.

Logs say which keys to re-read; they are never summed into balances or voting power.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
from django.db.models import Model

from chain.rpc.types import BlockHeader

if TYPE_CHECKING:
    from chain.indexer.history import History

__all__ = [
    "ETH_BALANCE",
    "BlockHeader",
    "DecodedLog",
    "LogPlace",
    "Projector",
    "Read",
    "RowProjector",
    "register_projector",
    "registered_projectors",
]

#: ``Read("", ETH_BALANCE, (address,))`` reads an account's balance in wei.
ETH_BALANCE = "eth_getBalance"


class DecodedLog(msgspec.Struct, frozen=True, gc=False):
    """An event with its arguments: ints, bytes, 20-byte addresses, text that never fails.

    ``contract`` is the name of the ABI it was read by, ``address`` (20 bytes) who emitted it.
    Text whose bytes were not plain UTF-8 is a ``chain.decoding.LossyText``;
    ``chain.contracts.text_to_bytes`` gives the exact bytes back.
    """

    chain_id: int
    block_number: int
    block_hash: bytes
    block_timestamp: int
    transaction_hash: bytes
    log_index: int
    address: bytes
    contract: str
    event: str
    args: dict[str, Any]


class LogPlace(NamedTuple):
    """Where a log stands on the chain; ``timestamp`` of its block, Unix seconds."""

    block_number: int
    log_index: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Read:
    """An ``eth_call`` to make at a block's hash. ``contract`` is a name of the deployment or
    ``"ERC20@0x..."``; ``args`` must be hashable."""

    contract: str
    function: str
    args: tuple[Any, ...] = ()


class Projector(ABC):
    """One family of tables. Subclass it, set the class attributes, register an instance."""

    #: Unique, like ``"governance.proposals"``.
    name: ClassVar[str]
    #: (contract, event) -> the keys a log with these arguments touches.
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]]
    #: Tables this projector alone writes; ``rebuild_projections`` empties them.
    models: tuple[type[Model], ...] = ()
    #: Names of projectors that must run before this one (its rows refer to theirs).
    depends_on: tuple[str, ...] = ()
    #: (contract, event) of logs that only say "read this key again": they are not kept in the
    #: key's history, so ``history.logs()`` never gives them; ``history.last_log`` counts them.
    touch_only: frozenset[tuple[str, str]] = frozenset()

    def keys_of(self, log: DecodedLog) -> list[str]:
        """The keys a log of one of ``events`` touches, each once. Override it where they need the
        emitter's address. Asked in any thread, and without the database."""
        key_of = self.events.get((log.contract, log.event))
        return list(dict.fromkeys(key_of(log.args))) if key_of else []

    def keys_linked(self, *, keys: list[str], block: BlockHeader) -> Iterable[str]:
        """Further keys to recompute at ``block`` because logs touched ``keys``: those that a log
        cannot name, found in this projector's tables. Stored as touches, so a rebuild has them."""
        return ()

    def due_keys(self, *, block: BlockHeader) -> Iterable[str]:
        """Keys that fell due by time alone, at ``block`` or before. Asked at the end of every
        batch, so it must be one cheap query."""
        return ()

    def reads(self, *, keys: list[str], block: BlockHeader) -> Iterable[Read]:
        """What to read from the chain at ``block`` for these touched keys."""
        return ()

    def reads_of(self, *, log: DecodedLog, block: BlockHeader) -> Iterable[Read]:
        """What to read at ``block`` because of a new log in a key's history: what ``reads`` cannot
        know yet, since the key has no row."""
        return ()

    @abstractmethod
    def recompute(self, *, key: str, history: "History") -> None:
        """Write the key's rows from its canonical history; delete them if it has none."""

    def recompute_many(self, histories: Mapping[str, "History"]) -> None:
        """Recompute many keys, in their order. Override it where one statement can write them
        all."""
        for key, history in histories.items():
            self.recompute(key=key, history=history)


class RowProjector(Projector):
    """A table in which a log has rows of its own that depend on nothing else: it needs no keys.

    The rows are written with the log, and deleted when its block leaves the chain. Subclass it,
    set ``name``, ``model`` and ``row_events``, and say which rows a log has.
    """

    #: The table. It needs ``number_column``, and nothing else may write it.
    model: ClassVar[type[Model]]
    row_events: ClassVar[frozenset[tuple[str, str]]]
    #: The column with the number of the log's block.
    number_column: ClassVar[str] = "block_number"
    events: Mapping[tuple[str, str], Callable[[dict[str, Any]], Iterable[str]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "model" in cls.__dict__:
            cls.models = (cls.model,)

    @abstractmethod
    def rows(self, log: DecodedLog) -> Iterable[tuple[Any, ...]]:
        """The log's rows, each with the values of ``model``'s fields in their order, less an
        automatic id. Asked in any thread, and without the database."""

    def recompute(self, *, key: str, history: "History") -> None:
        raise NotImplementedError(f"{self.name} has rows, not keys.")


_registry: dict[str, Projector] = {}


def register_projector(projector: Projector) -> None:
    """Make a projector run. Call it in ``AppConfig.ready()``.

    Raises:
        ValueError: another projector has that name.
    """
    known = _registry.get(projector.name)
    if known is not None and type(known) is not type(projector):
        raise ValueError(f"Two projectors are named {projector.name!r}.")
    _registry[projector.name] = projector


def unregister_projector(name: str) -> None:
    """Forget a projector (for tests)."""
    _registry.pop(name, None)


def registered_projectors() -> list[Projector]:
    """All projectors, each after those it depends on.

    Raises:
        ValueError: a dependency is not registered, or they form a circle.
    """
    ordered: list[Projector] = []
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in path or name not in _registry:
            raise ValueError(f"Projector dependency {' -> '.join((*path, name))} cannot be met.")
        for dependency in _registry[name].depends_on:
            visit(dependency, (*path, name))
        done.add(name)
        ordered.append(_registry[name])

    for name in _registry:
        visit(name, ())
    return ordered


def __getattr__(name: str) -> Any:
    # History reads the database and so comes after the models; apps import it from here.
    if name == "History":
        from chain.indexer.history import History

        return History
    raise AttributeError(name)
