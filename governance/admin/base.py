"""What the console's tables share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import BinaryField, Field, Model
from django.http import HttpRequest

from chain.addresses import to_checksum
from chain.fields import AddressField
from governance.errors import GovernanceError


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows the console shows and cannot add, change or delete. Bytes read as hex."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_moderate_permission(self, request: HttpRequest) -> bool:
        """Who may moderate."""
        return bool(request.user.has_perm("governance.moderate"))  # type: ignore[union-attr]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [_text_of(field) for field in self.model._meta.fields]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        fields = {field.name: field for field in self.model._meta.fields}
        return [
            _text_of(fields[name]) if isinstance(name, str) and name in fields else name
            for name in self.list_display
        ]


def _text_of(field: Field[Any, Any]) -> Any:
    """A column for a field: addresses in EIP-55, other bytes in hex, the rest as it is."""
    if not isinstance(field, BinaryField):
        return field.name

    def show(row: Model) -> str:
        value = getattr(row, field.attname)
        if value is None:
            return ""
        return to_checksum(bytes(value)) if isinstance(field, AddressField) else _hex(bytes(value))

    show.short_description = field.verbose_name  # type: ignore[attr-defined]
    show.admin_order_field = field.name  # type: ignore[attr-defined]
    show.__name__ = f"{field.name}_text"
    return show


def _hex(value: bytes) -> str:
    shown = value[:256].hex()
    return f"0x{shown}{'…' if len(value) > 256 else ''}"


def act_on(request: HttpRequest, rows: Any, act: Any, done: str) -> None:
    """Do ``act(row)`` for each row; say per row what was refused and why."""
    count = 0
    for row in rows:
        try:
            act(row)
        except GovernanceError as error:
            messages.error(request, f"{row}: {error.detail}")
        else:
            count += 1
    if count:
        messages.success(request, f"{count} {done}.")
