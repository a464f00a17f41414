"""Names and units of the registry's parameters, for reading and building parameter sets."""

from __future__ import annotations

from dataclasses import dataclass

from chain.formatting import quantity_text
from chain.signatures import keccak


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """What a reader needs of a parameter. ``is_numeric`` is false for BYTES32 kinds."""

    key: bytes
    name: str
    unit: str
    is_numeric: bool


def parameter_key(name: str) -> bytes:
    """keccak256 of the name, as NetworkParameters has it."""
    return keccak(name.encode("utf-8"))


def parameter_infos() -> dict[bytes, ParameterInfo]:
    """Every parameter the index knows, by key. One query."""
    from network.models import Parameter

    return {
        bytes(row.key): ParameterInfo(
            key=bytes(row.key),
            name=row.name,
            unit=row.unit,
            is_numeric=str(row.kind).upper() != "BYTES32",
        )
        for row in Parameter.objects.only("key", "name", "kind")
    }


def value_decode(word: bytes, info: ParameterInfo | None) -> str:
    """A registry word as a decimal string, or as hex where the kind is no number."""
    if info is not None and not info.is_numeric:
        return f"0x{word.hex()}"
    return str(int.from_bytes(word, "big"))


def value_encode(value: int | bytes) -> bytes:
    """A registry word from a number or from 32 bytes."""
    return value if isinstance(value, bytes) else value.to_bytes(32, "big")


def value_text(value: str, unit: str) -> str:
    """A stored value (decimal or hex string) with its unit, for people."""
    if value.startswith("0x"):
        return value
    # "wei per GPU" is an amount, per GPU.
    base, _, rest = unit.partition(" per ")
    text = quantity_text(int(value), base)
    return f"{text} per {rest}" if rest else text
