"""ABI values from bytes: one specialised reader per type, built once. No Django.

Logs and calldata come from a node we do not trust, with strings anyone may write, so reading
is bounded and total: an offset or length outside the data raises ``AbiInvalid``, and text that
is not UTF-8 or holds NUL (which PostgreSQL refuses) is replaced and keeps its raw bytes.

Source: Contract ABI Specification; ``eth_abi`` agrees on every valid input (property-tested)
and reads the types this module does not build a reader for (fixed point).
"""

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode as eth_abi_encode
from eth_abi.exceptions import EncodingError as EthAbiEncodingError

from chain.abi_events import event_reader
from chain.abi_values import (
    Abi,
    AbiError,
    AbiInvalid,
    AbiUnencodable,
    AbiUnknown,
    LossyText,
    Reader,
    fields_place,
    param_names,
    text_from_bytes,
    text_to_bytes,
    type_build,
    word_read,
)
from chain.hashing import keccak

__all__ = [
    "AbiError",
    "AbiInvalid",
    "AbiUnencodable",
    "AbiUnknown",
    "ContractCodec",
    "ErrorCodec",
    "EventCodec",
    "FunctionCodec",
    "LossyText",
    "Params",
    "text_from_bytes",
    "text_to_bytes",
]


class Params:
    """A list of ABI parameters: reads and writes their encoding."""

    def __init__(self, params: Sequence[Abi]) -> None:
        self.names = param_names(params)
        self._types = [type_build(param) for param in params]
        self._fields = fields_place(self.names, self._types)
        self.types = [item.name for item in self._types]

    def decode(self, data: bytes) -> dict[str, Any]:
        """Values by name.

        Raises:
            AbiInvalid
        """
        return {name: read(data, 0, offset) for name, read, offset in self._fields}

    def encode(self, values: Sequence[Any]) -> bytes:
        """Encode values in order; structs as tuples, addresses as 20 bytes or 0x text.

        Raises:
            AbiUnencodable
        """
        try:
            return eth_abi_encode(self.types, list(values))
        except (EthAbiEncodingError, TypeError, ValueError, OverflowError) as error:
            raise AbiUnencodable(str(error)) from error

    @property
    def signature(self) -> str:
        """The canonical type list, with parentheses."""
        return f"({','.join(self.types)})"


class EventCodec:
    """Reads the logs of one event."""

    def __init__(self, abi: Abi) -> None:
        inputs = abi["inputs"]
        named = [{**p, "name": n} for p, n in zip(inputs, param_names(inputs), strict=True)]
        self.name = str(abi["name"])
        self.signature = self.name + Params(inputs).signature
        self.topic0 = keccak(self.signature.encode("ascii"))
        data = [param for param in named if not param.get("indexed")]
        indexed = [param for param in named if param.get("indexed")]
        self.topic_count = 1 + len(indexed)
        types = [type_build(param) for param in data]
        #: Arguments by name, from (topics, data). Raises AbiInvalid.
        self.read = event_reader(
            self.name,
            order=[param["name"] for param in named],
            indexed=[(param["name"], *_indexed_reader(param)) for param in indexed],
            fields=[
                (name, item.name, read, offset)
                for (name, read, offset), item in zip(
                    fields_place([param["name"] for param in data], types), types, strict=True
                )
            ],
        )

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Arguments by name, in the event's order. Indexed strings, bytes, arrays and structs
        are their 32-byte hash, as on chain.

        Raises:
            AbiInvalid
        """
        return self.read(topics, data)


def _indexed_reader(param: Abi) -> tuple[str, Reader]:
    """The type a topic is read as, and how."""
    built = type_build(param)
    if built.dynamic or "]" in built.name or built.name.startswith("("):
        return "bytes32", lambda data, base, pos: word_read(data, pos)
    return built.name, built.read


class FunctionCodec:
    """Reads and writes the calldata of one function, and reads what it returns."""

    def __init__(self, abi: Abi) -> None:
        self.name = str(abi["name"])
        self.inputs = Params(abi.get("inputs", []))
        self.outputs = Params(abi.get("outputs", []))
        self.signature = self.name + self.inputs.signature
        self.selector = keccak(self.signature.encode("ascii"))[:4]
        self.payable = abi.get("stateMutability") == "payable"

    def encode(self, args: Sequence[Any]) -> bytes:
        """Calldata: selector and arguments."""
        if len(args) != len(self.inputs.types):
            raise AbiUnencodable(f"{self.signature} takes {len(self.inputs.types)} arguments.")
        return self.selector + self.inputs.encode(args)

    def decode_output(self, data: bytes) -> Any:
        """One output: its value; several: a tuple; none: None. Structs are dicts."""
        values = tuple(self.outputs.decode(data).values())
        if len(values) > 1:
            return values
        return values[0] if values else None


class ErrorCodec:
    """Reads one custom error's revert data."""

    def __init__(self, abi: Abi) -> None:
        self.name = str(abi["name"])
        self.inputs = Params(abi.get("inputs", []))
        self.signature = self.name + self.inputs.signature
        self.selector = keccak(self.signature.encode("ascii"))[:4]


#: Solidity's own two: require with a reason, and failed arithmetic or bounds.
BUILTIN_ERRORS = tuple(
    ErrorCodec({"name": name, "inputs": [{"name": "reason", "type": kind}]})
    for name, kind in (("Error", "string"), ("Panic", "uint256"))
)


class ContractCodec:
    """One contract's ABI: everything by name, selector and topic."""

    def __init__(self, abi: Sequence[Abi]) -> None:
        by_type: dict[str, list[Abi]] = {}
        for item in abi:
            by_type.setdefault(str(item.get("type", "function")), []).append(item)
        self.events = {
            codec.topic0: codec for codec in (EventCodec(item) for item in by_type.get("event", []))
        }
        self.functions = [FunctionCodec(item) for item in by_type.get("function", [])]
        self._by_selector = {codec.selector: codec for codec in self.functions}
        errors = (*BUILTIN_ERRORS, *(ErrorCodec(item) for item in by_type.get("error", [])))
        self.errors = {codec.selector: codec for codec in errors}

    def event_decode(self, topics: Sequence[bytes], data: bytes) -> tuple[str, dict[str, Any]]:
        """The event's name and arguments.

        Raises:
            AbiUnknown: no such event.
            AbiInvalid: the log does not fit it.
        """
        if not topics:
            raise AbiUnknown("An anonymous log.")
        codec = self.event_by_topic(topics[0])
        return codec.name, codec.decode(topics, data)

    def event_by_topic(self, topic0: bytes) -> EventCodec:
        """Raises AbiUnknown when the contract has no such event."""
        codec = self.events.get(topic0)
        if codec is None:
            raise AbiUnknown(f"No event with topic 0x{topic0.hex()}.")
        return codec

    def function(self, name: str, args: Sequence[Any] | None = None) -> FunctionCodec:
        """A function by name or full signature; overloads are told apart by ``args``.

        Raises:
            AbiUnknown: none, or several that fit.
        """
        found = [c for c in self.functions if name in (c.name, c.signature)]
        if len(found) > 1 and args is not None:
            found = [c for c in found if len(c.inputs.types) == len(args)]
        if len(found) > 1 and args is not None:
            found = [c for c in found if _encodable(c, args)]
        if len(found) != 1:
            raise AbiUnknown(f"{len(found)} functions fit {name!r}; give the full signature.")
        return found[0]

    def function_by_selector(self, selector: bytes) -> FunctionCodec:
        """Raises AbiUnknown when the contract has no such function."""
        codec = self._by_selector.get(selector)
        if codec is None:
            raise AbiUnknown(f"No function with selector 0x{selector.hex()}.")
        return codec

    def decode_input(self, calldata: bytes) -> tuple[str, dict[str, Any]]:
        """The function's name and arguments.

        Raises:
            AbiUnknown, AbiInvalid
        """
        codec = self.function_by_selector(calldata[:4])
        return codec.name, codec.inputs.decode(calldata[4:])

    def error_decode(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """A custom error's name and arguments.

        Raises:
            AbiUnknown, AbiInvalid
        """
        codec = self.errors.get(data[:4])
        if codec is None:
            raise AbiUnknown(f"No error with selector 0x{data[:4].hex()}.")
        return codec.name, codec.inputs.decode(data[4:])


def _encodable(codec: FunctionCodec, args: Sequence[Any]) -> bool:
    try:
        codec.inputs.encode(args)
    except AbiUnencodable:
        return False
    return True
