"""Readers of ABI values: bytes to ints, bytes and text, one reader per type. No Django.

Used through ``chain.decoding``, which has the sources and the promises.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode as eth_abi_decode
from eth_abi.exceptions import DecodingError as EthAbiDecodingError

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


def word_read(data: bytes, pos: int) -> bytes:
    word = data[pos : pos + 32]
    if len(word) != 32:
        raise AbiInvalid("The data ends inside a word.")
    return word


def _read_uint(bits: int) -> Reader:
    limit = 1 << bits

    def read(data: bytes, base: int, pos: int) -> int:
        value = int.from_bytes(word_read(data, pos), "big")
        if value >= limit:
            raise AbiInvalid(f"A uint{bits} with bits above {bits}.")
        return value

    return read


def _read_int(bits: int) -> Reader:
    half = 1 << (bits - 1)

    def read(data: bytes, base: int, pos: int) -> int:
        value = int.from_bytes(word_read(data, pos), "big", signed=True)
        if not -half <= value < half:
            raise AbiInvalid(f"An int{bits} out of its range.")
        return value

    return read


def _read_address(data: bytes, base: int, pos: int) -> bytes:
    word = word_read(data, pos)
    if word[:12] != _ZEROS[:12]:
        raise AbiInvalid("An address with more than 20 bytes.")
    return word[12:]


def _read_bool(data: bytes, base: int, pos: int) -> bool:
    value = int.from_bytes(word_read(data, pos), "big")
    if value > 1:
        raise AbiInvalid("A bool that is neither 0 nor 1.")
    return value == 1


def _read_fixed_bytes(size: int) -> Reader:
    def read(data: bytes, base: int, pos: int) -> bytes:
        word = word_read(data, pos)
        if word[size:] != _ZEROS[size:]:
            raise AbiInvalid(f"A bytes{size} with bytes after it.")
        return word[:size]

    return read


def _tail(data: bytes, base: int, pos: int) -> int:
    """Follow the offset at ``pos``; it counts from ``base``."""
    place = base + int.from_bytes(word_read(data, pos), "big")
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


def _read_array(item: "AbiType", length: int | None) -> Reader:
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


def _read_tuple(names: Sequence[str], types: Sequence["AbiType"]) -> Reader:
    fields = fields_place(names, types)

    def read(data: bytes, base: int, pos: int) -> dict[str, Any]:
        return {name: item(data, pos, pos + offset) for name, item, offset in fields}

    if not any(item.dynamic for item in types):
        return read

    def read_tail(data: bytes, base: int, pos: int) -> dict[str, Any]:
        start = _tail(data, base, pos)
        return read(data, start, start)

    return read_tail


@dataclass(frozen=True, slots=True)
class AbiType:
    """A built type: its canonical name, reader, size of its head, whether it has a tail."""

    name: str
    read: Reader
    head: int
    dynamic: bool


def fields_place(names: Sequence[str], types: Sequence[AbiType]) -> list[tuple[str, Reader, int]]:
    offset, fields = 0, []
    for name, item in zip(names, types, strict=True):
        fields.append((name, item.read, offset))
        offset += item.head
    return fields


def param_names(params: Sequence[Abi]) -> list[str]:
    return [str(param.get("name") or f"arg{i}") for i, param in enumerate(params)]


def type_build(param: Abi, depth: int = 0) -> AbiType:
    if depth > _DEPTH_MAX:
        raise AbiUnknown("A type nested too deeply.")
    kind = str(param["type"])
    if kind.endswith("]"):
        inner, _, size = kind[:-1].rpartition("[")
        item = type_build({**param, "type": inner}, depth + 1)
        length = int(size) if size else None
        if length == 0:
            raise AbiUnknown("An array of no items.")
        dynamic = item.dynamic or length is None
        head = 32 if dynamic or length is None else item.head * length
        return AbiType(f"{item.name}[{size}]", _read_array(item, length), head, dynamic)
    if kind == "tuple":
        params = param["components"]
        types = [type_build(component, depth + 1) for component in params]
        name = f"({','.join(item.name for item in types)})"
        dynamic = any(item.dynamic for item in types)
        head = 32 if dynamic else sum(item.head for item in types)
        return AbiType(name, _read_tuple(param_names(params), types), head, dynamic)
    return _build_elementary(kind)


def _build_elementary(kind: str) -> AbiType:
    if kind == "address":
        return AbiType(kind, _read_address, 32, False)
    if kind == "bool":
        return AbiType(kind, _read_bool, 32, False)
    if kind == "string":
        return AbiType(kind, _read_text, 32, True)
    if kind == "bytes":
        return AbiType(kind, _read_bytes, 32, True)
    for prefix, build, unit in (
        ("uint", _read_uint, 1),
        ("int", _read_int, 1),
        ("bytes", _read_fixed_bytes, 8),
    ):
        size = kind.removeprefix(prefix)
        if kind.startswith(prefix) and size.isdigit() and 0 < int(size) * unit <= 256:
            return AbiType(kind, build(int(size)), 32, False)
    return AbiType(kind, _read_by_eth_abi(kind), 32, False)


def _read_by_eth_abi(kind: str) -> Reader:
    """The fallback for one-word types no reader above covers (fixed<M>x<N>, function)."""

    def read(data: bytes, base: int, pos: int) -> Any:
        try:
            return eth_abi_decode([kind], word_read(data, pos))[0]
        except EthAbiDecodingError as error:
            raise AbiInvalid(str(error)) from error

    return read
