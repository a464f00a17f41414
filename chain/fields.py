"""Model fields for EVM values: bytes and ints in Python, bytea and numeric in PostgreSQL."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

UINT256_MAX = 2**256 - 1


class _FixedBytesField(models.BinaryField):
    """A bytea of one exact length. Accepts bytes, or ``0x`` text of the same length."""

    # What django-stubs gives an attribute of a model: never the driver's memoryview.
    _pyi_private_get_type: bytes
    length = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = self.length
        kwargs.setdefault("editable", True)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("max_length", None)
        return name, path, args, kwargs

    def to_python(self, value: Any) -> bytes | None:
        if value is None or value == "":
            return None
        if isinstance(value, str):
            try:
                value = bytes.fromhex(value.removeprefix("0x"))
            except ValueError as error:
                raise ValidationError("Not hexadecimal.", code="hex_malformed") from error
        value = bytes(value)
        if len(value) != self.length:
            raise ValidationError(
                f"Expected {self.length} bytes, got {len(value)}.", code="bytes_length"
            )
        return value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return None if value is None else bytes(value)

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(value)

    def value_to_string(self, obj: models.Model) -> str:
        value: Any = self.value_from_object(obj)
        return "" if value is None else f"0x{bytes(value).hex()}"

    def formfield(self, **kwargs: Any) -> Any:
        return forms.CharField(**{"required": not self.blank, "label": self.verbose_name, **kwargs})


class AddressField(_FixedBytesField):
    """An EVM address: 20 bytes."""

    length = 20


class Hash32Field(_FixedBytesField):
    """A keccak-256 hash, bytes32 or node id: 32 bytes."""

    length = 32


class BytesField(models.BinaryField):
    """A bytea of any length, always given back as ``bytes``."""

    _pyi_private_get_type: bytes

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return None if value is None else bytes(value)


class Uint256Field(models.DecimalField):
    """A uint256 as ``numeric(78,0)``; an ``int`` in Python, lookups and aggregates alike."""

    _pyi_private_get_type: int  # type: ignore[assignment]  # django-stubs says Decimal
    _pyi_private_set_type: int | models.expressions.Combinable
    _pyi_lookup_exact_type: int | str | None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = 78
        kwargs["decimal_places"] = 0
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("max_digits", None)
        kwargs.pop("decimal_places", None)
        return name, path, args, kwargs

    def to_python(self, value: Any) -> Any:
        if value is None or value == "":
            return None
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError("Not a whole number.", code="uint256_malformed") from error
        if number != value and not isinstance(value, str):
            raise ValidationError("Not a whole number.", code="uint256_malformed")
        if not 0 <= number <= UINT256_MAX:
            raise ValidationError("Outside uint256.", code="uint256_range")
        return number

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> Any:
        # Resolve lazy and expression values first, as the base class would.
        value = models.Field.get_prep_value(self, value)
        return self.to_python(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return value if prepared else self.get_prep_value(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return self.get_prep_value(value)

    def formfield(self, **kwargs: Any) -> Any:
        return forms.IntegerField(
            **{
                "required": not self.blank,
                "label": self.verbose_name,
                "min_value": 0,
                "max_value": UINT256_MAX,
                **kwargs,
            }
        )
