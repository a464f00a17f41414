"""ABI values from bytes: one specialised reader per type, built once. No Django.

Logs and calldata come from a node we do not trust, with strings anyone may write, so reading
is bounded and total: an offset or length outside the data raises ``AbiInvalid``, and text that
is not UTF-8 or holds NUL (which PostgreSQL refuses) is replaced and keeps its raw bytes.

Source: Contract ABI Specification; ``eth_abi`` agrees on every valid input (property-tested)
and reads the types this module does not build a reader for (fixed point).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode as eth_abi_decode
from eth_abi.abi import encode as eth_abi_encode
from eth_abi.exceptions import DecodingError as EthAbiDecodingError
from eth_abi.exceptions import EncodingError as EthAbiEncodingError
from eth_utils.crypto import keccak

Abi = Mapping[str, Any]
#: Reads one value: (data, start of the enclosing tuple, place of its head).
Reader = Callable[[bytes, int, int], Any]

_DEPTH_MAX = 16
_ZEROS = bytes(32)


class AbiError(ValueError):
    """Base of what goes wrong between bytes and values."""

    code = "abi_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class AbiInvalid(AbiError):
    """Bytes that are no encoding of the type."""

    code = "abi_invalid"


class AbiUnknown(AbiError):
    """No event, function or error of that name, selector or topic."""

    code = "abi_unknown"


class AbiUnencodable(AbiError):
    """Values that do not fit the function's types."""

    code = "abi_unencodable"


class LossyText(str):
    """Text whose bytes were not plain UTF-8; ``raw`` holds them as they were."""

    raw: bytes

    def __new__(cls, raw: bytes) -> "LossyText":
        text = super().__new__(cls, raw.decode("utf-8", "replace").replace("\0", "\ufffd"))
        text.raw = raw
        return text


def text_from_bytes(raw: bytes) -> str:
    """Decode an ABI string; never fails. Give it to ``text_to_bytes`` for the exact bytes."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return LossyText(raw)
    return LossyText(raw) if "\0" in text else text


def text_to_bytes(text: str) -> bytes:
    """The exact bytes an ABI string had on chain."""
    return text.raw if isinstance(text, LossyText) else text.encode("utf-8")


# --- readers ------------------------------------------------------------------------


def _word(data: bytes, pos: int) -> bytes:
    word = data[pos : pos + 32]
    if len(word) != 32:
        raise AbiInvalid("The data ends inside a word.")
    return word


def _read_uint(bits: int) -> Reader:
    limit = 1 << bits

    def read(data: bytes, base: int, pos: int) -> int:
        value = int.from_bytes(_word(data, pos), "big")
        if value >= limit:
            raise AbiInvalid(f"A uint{bits} with bits above {bits}.")
        return value

    return read


def _read_int(bits: int) -> Reader:
    half = 1 << (bits - 1)

    def read(data: bytes, base: int, pos: int) -> int:
        value = int.from_bytes(_word(data, pos), "big", signed=True)
        if not -half <= value < half:
            raise AbiInvalid(f"An int{bits} out of its range.")
        return value

    return read


def _read_address(data: bytes, base: int, pos: int) -> bytes:
    word = _word(data, pos)
    if word[:12] != _ZEROS[:12]:
        raise AbiInvalid("An address with more than 20 bytes.")
    return word[12:]


def _read_bool(data: bytes, base: int, pos: int) -> bool:
    value = int.from_bytes(_word(data, pos), "big")
    if value > 1:
        raise AbiInvalid("A bool that is neither 0 nor 1.")
    return value == 1


def _read_fixed_bytes(size: int) -> Reader:
    def read(data: bytes, base: int, pos: int) -> bytes:
        word = _word(data, pos)
        if word[size:] != _ZEROS[size:]:
            raise AbiInvalid(f"A bytes{size} with bytes after it.")
        return word[:size]

    return read


def _tail(data: bytes, base: int, pos: int) -> int:
    """Follow the offset at ``pos``; it counts from ``base``."""
    place = base + int.from_bytes(_word(data, pos), "big")
    if place + 32 > len(data):
        raise AbiInvalid("An offset outside the data.")
    return place


def _read_bytes(data: bytes, base: int, pos: int) -> bytes:
    start = _tail(data, base, pos) + 32
    size = int.from_bytes(data[start - 32 : start], "big")
    if start + size > len(data):
        raise AbiInvalid("A length beyond the data.")
    padding = -size % 32
    if data[start + size : start + size + padding] != _ZEROS[:padding]:
        # Short or dirty padding: eth_abi refuses it too, and so does Solidity's encoder.
        raise AbiInvalid("Padding that is missing or not zero.")
    return data[start : start + size]


def _read_text(data: bytes, base: int, pos: int) -> str:
    return text_from_bytes(_read_bytes(data, base, pos))


def _read_array(item: "_Type", length: int | None) -> Reader:
    """A T[] (``length`` None) or T[k] whose items follow each other from its start."""

    def items(data: bytes, start: int, count: int) -> tuple[Any, ...]:
        # Each item has a head of at least 32 bytes, which bounds what a length may claim.
        if count * item.head > len(data) - start:
            raise AbiInvalid("More items than the data holds.")
        read, head = item.read, item.head
        return tuple([read(data, start, start + i * head) for i in range(count)])

    def read_dynamic(data: bytes, base: int, pos: int) -> tuple[Any, ...]:
        start = _tail(data, base, pos)
        return items(data, start + 32, int.from_bytes(data[start : start + 32], "big"))

    if length is None:
        return read_dynamic
    count = length
    if item.dynamic:
        return lambda data, base, pos: items(data, _tail(data, base, pos), count)
    return lambda data, base, pos: items(data, pos, count)


def _read_tuple(names: Sequence[str], types: Sequence["_Type"]) -> Reader:
    fields = _fields(names, types)

    def read(data: bytes, base: int, pos: int) -> dict[str, Any]:
        return {name: item(data, pos, pos + offset) for name, item, offset in fields}

    if not any(item.dynamic for item in types):
        return read

    def read_tail(data: bytes, base: int, pos: int) -> dict[str, Any]:
        start = _tail(data, base, pos)
        return read(data, start, start)

    return read_tail


@dataclass(frozen=True, slots=True)
class _Type:
    """A built type: its canonical name, reader, size of its head, whether it has a tail."""

    name: str
    read: Reader
    head: int
    dynamic: bool


def _fields(names: Sequence[str], types: Sequence[_Type]) -> list[tuple[str, Reader, int]]:
    offset, fields = 0, []
    for name, item in zip(names, types, strict=True):
        fields.append((name, item.read, offset))
        offset += item.head
    return fields


def _names(params: Sequence[Abi]) -> list[str]:
    return [str(param.get("name") or f"arg{i}") for i, param in enumerate(params)]


def _build(param: Abi, depth: int = 0) -> _Type:
    if depth > _DEPTH_MAX:
        raise AbiUnknown("A type nested too deeply.")
    kind = str(param["type"])
    if kind.endswith("]"):
        inner, _, size = kind[:-1].rpartition("[")
        item = _build({**param, "type": inner}, depth + 1)
        length = int(size) if size else None
        if length == 0:
            raise AbiUnknown("An array of no items.")
        dynamic = item.dynamic or length is None
        head = 32 if dynamic or length is None else item.head * length
        return _Type(f"{item.name}[{size}]", _read_array(item, length), head, dynamic)
    if kind == "tuple":
        params = param["components"]
        types = [_build(component, depth + 1) for component in params]
        name = f"({','.join(item.name for item in types)})"
        dynamic = any(item.dynamic for item in types)
        head = 32 if dynamic else sum(item.head for item in types)
        return _Type(name, _read_tuple(_names(params), types), head, dynamic)
    return _build_elementary(kind)


def _build_elementary(kind: str) -> _Type:
    if kind == "address":
        return _Type(kind, _read_address, 32, False)
    if kind == "bool":
        return _Type(kind, _read_bool, 32, False)
    if kind == "string":
        return _Type(kind, _read_text, 32, True)
    if kind == "bytes":
        return _Type(kind, _read_bytes, 32, True)
    for prefix, build, unit in (
        ("uint", _read_uint, 1),
        ("int", _read_int, 1),
        ("bytes", _read_fixed_bytes, 8),
    ):
        size = kind.removeprefix(prefix)
        if kind.startswith(prefix) and size.isdigit() and 0 < int(size) * unit <= 256:
            return _Type(kind, build(int(size)), 32, False)
    return _Type(kind, _read_by_eth_abi(kind), 32, False)


def _read_by_eth_abi(kind: str) -> Reader:
    """The fallback for one-word types no reader above covers (fixed<M>x<N>, function)."""

    def read(data: bytes, base: int, pos: int) -> Any:
        try:
            return eth_abi_decode([kind], _word(data, pos))[0]
        except EthAbiDecodingError as error:
            raise AbiInvalid(str(error)) from error

    return read


# --- events, functions, errors ----------------------------------------------------------


class Params:
    """A list of ABI parameters: reads and writes their encoding."""

    def __init__(self, params: Sequence[Abi]) -> None:
        self.names = _names(params)
        self._types = [_build(param) for param in params]
        self._fields = _fields(self.names, self._types)
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
        named = [{**p, "name": n} for p, n in zip(inputs, _names(inputs), strict=True)]
        self.name = str(abi["name"])
        self.signature = self.name + Params(inputs).signature
        self.topic0 = keccak(self.signature.encode("ascii"))
        self._order = [str(p["name"]) for p in named]
        self._data = Params([p for p in named if not p.get("indexed")])
        self._indexed = [(str(p["name"]), _indexed_reader(p)) for p in named if p.get("indexed")]
        self.topic_count = 1 + len(self._indexed)

    def decode(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Arguments by name, in the event's order. Indexed strings, bytes, arrays and structs
        are their 32-byte hash, as on chain.

        Raises:
            AbiInvalid
        """
        if len(topics) != self.topic_count:
            raise AbiInvalid(f"{len(topics)} topics for {self.name}, not {self.topic_count}.")
        args = self._data.decode(data)
        for (name, read), topic in zip(self._indexed, topics[1:], strict=True):
            args[name] = read(topic, 0, 0)
        return {name: args[name] for name in self._order}


def _indexed_reader(param: Abi) -> Reader:
    built = _build(param)
    if built.dynamic or "]" in built.name or built.name.startswith("("):
        return lambda data, base, pos: _word(data, pos)
    return built.read


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
        codec = self.events.get(topics[0]) if topics else None
        if codec is None:
            raise AbiUnknown(f"No event with topic 0x{topics[0].hex() if topics else ''}.")
        return codec.name, codec.decode(topics, data)

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
