"""Serializer fields for EVM values: bytes and ints inside, checked text at the edge."""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chain.addresses import AddressInvalid, parse_address, to_checksum
from chain.api.errors import ApiError

_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z", re.ASCII)
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,77})\Z", re.ASCII)
UINT256_MAX = 2**256 - 1


def parse_hex(text: Any, *, length: int | None = None, name: str = "value") -> bytes:
    """Read ``0x`` and an even number of hexadecimal digits, for paths and query strings.

    Args:
        length: bytes expected; None takes any.
        name: what the value is called in the refusal.

    Raises:
        ApiError: ``hex_malformed`` or ``hex_length``.
    """
    if not isinstance(text, str) or not _HEX.match(text):
        raise ApiError("hex_malformed", f"{name} must be 0x and hexadecimal digits, two a byte.")
    data = bytes.fromhex(text[2:])
    if length is not None and len(data) != length:
        raise ApiError(
            "hex_length",
            f"{name} must be {length} bytes long, not {len(data)}.",
            data={"expected": length, "got": len(data)},
        )
    return data


@extend_schema_field(
    {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$", "description": "EIP-55 address."}
)
class AddressSerializerField(serializers.Field):
    """A 20-byte address as EIP-55 text."""

    def to_internal_value(self, data: Any) -> bytes:
        try:
            return parse_address(data)
        except AddressInvalid as error:
            raise serializers.ValidationError(error.detail, code=error.code) from error

    def to_representation(self, value: bytes) -> str:
        return to_checksum(bytes(value))


@extend_schema_field({"type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$"})
class HexSerializerField(serializers.Field):
    """Bytes as 0x hex.

    Args:
        length: exact number of bytes; None for any.
        max_length: most bytes, where the length is free.
    """

    default_error_messages = {
        "hex_malformed": "Must be 0x and hexadecimal digits, two a byte.",
        "hex_length": "Must be {expected} bytes long, not {got}.",
        "hex_too_long": "May be {expected} bytes long at most, not {got}.",
    }

    def __init__(
        self, *, length: int | None = None, max_length: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.length, self.max_length = length, max_length

    def to_internal_value(self, data: Any) -> bytes:
        if not isinstance(data, str) or not _HEX.match(data):
            self.fail("hex_malformed")
        value = bytes.fromhex(data[2:])
        if self.length is not None and len(value) != self.length:
            self.fail("hex_length", expected=self.length, got=len(value))
        if self.max_length is not None and len(value) > self.max_length:
            self.fail("hex_too_long", expected=self.max_length, got=len(value))
        return value

    def to_representation(self, value: bytes) -> str:
        return f"0x{bytes(value).hex()}"


@extend_schema_field({"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"})
class Hash32SerializerField(HexSerializerField):
    """A 32-byte hash or id as 0x hex."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(length=32, **kwargs)


class StrictIntegerField(serializers.IntegerField):
    """A JSON integer. The framework's field also takes text, in any script's digits, and 1.0."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


@extend_schema_field({"type": "string", "pattern": "^(0|[1-9][0-9]{0,77})$"})
class Uint256SerializerField(serializers.Field):
    """A uint256 as decimal text: JSON readers round numbers above 2**53."""

    default_error_messages = {
        "uint256_malformed": "Must be a whole number in decimal digits, as text.",
        "uint256_range": "Must be below 2**256.",
    }

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _DECIMAL.match(data):
            self.fail("uint256_malformed")
        value = int(data)
        if value > UINT256_MAX:
            self.fail("uint256_range")
        return value

    def to_representation(self, value: int) -> str:
        return str(value)
