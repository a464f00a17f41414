"""Who wants which log: worked out once per emitter and event, used for every log of a batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chain.contracts import codec_load
from chain.decoding import AbiUnknown, ContractCodec, EventCodec
from chain.projections import DecodedLog, Projector, RowProjector, registered_projectors

KeysOf = Callable[[DecodedLog], Iterable[str]]
RowsOf = Callable[[DecodedLog], Iterable[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Route:
    """One event of one contract: how it is read, which keys it touches, which rows it makes.

    ``touches`` are (projector, keys, whether the log belongs to their history).
    """

    contract: str
    codec: EventCodec
    touches: Sequence[tuple[str, KeysOf, bool]]
    rows: Sequence[tuple[str, RowsOf]]


class Dispatch:
    """Routes of the logs of some contracts. ``contracts`` maps addresses to names of ABIs; stored
    logs name theirs, and need none."""

    def __init__(
        self,
        contracts: Mapping[bytes, str] | None = None,
        projectors: Sequence[Projector] | None = None,
    ) -> None:
        self._contracts = contracts or {}
        self._projectors = registered_projectors() if projectors is None else projectors
        self._routes: dict[tuple[str, bytes], Route] = {}

    def contract(self, address: bytes) -> str:
        """The name of the ABI that an emitter's logs are read by."""
        return self._contracts[address]

    def route(self, address: bytes, topics: Sequence[bytes]) -> Route:
        """The route of a log.

        Raises:
            AbiUnknown: the ABI has no such event.
        """
        return self.route_stored(self._contracts[address], topics)

    def route_stored(self, contract: str, topics: Sequence[bytes]) -> Route:
        """The route of a log that was stored as one of this ABI: its emitter may have left the
        index, or not joined it yet.

        Raises:
            AbiUnknown: the ABI has no such event.
        """
        if not topics:
            raise AbiUnknown("An anonymous log.")
        place = (contract, topics[0])
        route = self._routes.get(place)
        if route is None:
            route = self._routes[place] = self._build(contract, codec_load(contract), topics[0])
        return route

    def _build(self, contract: str, codec: ContractCodec, topic0: bytes) -> Route:
        event = codec.event_by_topic(topic0)
        place = (contract, event.name)
        touches: list[tuple[str, KeysOf, bool]] = []
        rows: list[tuple[str, RowsOf]] = []
        for projector in self._projectors:
            if isinstance(projector, RowProjector):
                if place in projector.row_events:
                    rows.append((projector.name, projector.rows))
            elif (keys_of := _keys_of(projector, place)) is not None:
                touches.append((projector.name, keys_of, place not in projector.touch_only))
        return Route(contract, event, touches, rows)


def _keys_of(projector: Projector, place: tuple[str, str]) -> KeysOf | None:
    key_of = projector.events.get(place)
    if key_of is None:
        return None
    if type(projector).keys_of is not Projector.keys_of:
        return projector.keys_of
    return lambda log: key_of(log.args)
