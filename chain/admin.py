"""The console's view of the chain: the raw index, read-only, bytes written as people read them.

The outbox, the signer's pause switch, cursor and reorganisations are in governance's console,
which knows who may throw the switch.
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html

from chain.addresses import to_checksum
from chain.fields import AddressField, Hash32Field
from chain.models import Block, ChainRead, KeyTouch, Log, LogKey

#: Bytes of calldata or log data shown; a page is no archive.
_BYTES_SHOWN = 512


def bytes_text(field: "models.Field[Any, Any]", value: bytes | None) -> str:
    """A bytes column as people read it: EIP-55 addresses, hex for all else."""
    if value is None:
        return "-"
    if isinstance(field, AddressField):
        return to_checksum(value)
    rest = f"… ({len(value)} bytes)" if len(value) > _BYTES_SHOWN else ""
    return f"0x{value[:_BYTES_SHOWN].hex()}{rest}"


def _shown(field: "models.Field[Any, Any]") -> Any:
    def show(obj: models.Model) -> str:
        text = bytes_text(field, getattr(obj, field.attname))
        return format_html("<code>{}</code>", text)

    show.short_description = field.verbose_name  # type: ignore[attr-defined]
    if isinstance(field, AddressField | Hash32Field):
        show.admin_order_field = field.attname  # type: ignore[attr-defined]
    return show


class ReadOnly:
    """No adding, changing or deleting: the chain, or the sender, is the only author."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def columns(model: type[models.Model], *names: str) -> list[Any]:
    """Columns to show, bytes written as text; all of the model's where none are named."""
    fields = [model._meta.get_field(name) for name in names] or list(model._meta.fields)
    return [
        _shown(field) if isinstance(field, models.BinaryField) else field.name for field in fields
    ]


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    """A table to look at. ``shown`` names the list's columns."""

    shown: ClassVar[tuple[str, ...]] = ()
    show_full_result_count = False
    list_per_page = 50

    def get_list_display(self, request: HttpRequest) -> Any:
        return columns(self.model, *self.shown)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": columns(self.model)})]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        # Every column is read-only, and those written by a function are no form's fields.
        return super().get_form(request, obj, change, **(kwargs | {"fields": []}))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return columns(self.model)


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    shown = ("number", "hash", "timestamp", "canonical")
    list_filter = ("canonical",)
    ordering = ("-number",)
    search_fields = ("number",)


@admin.register(Log)
class LogAdmin(ReadOnlyAdmin):
    shown = ("block_number", "log_index", "contract", "event", "transaction_hash", "canonical")
    list_filter = ("canonical", "contract", "event")
    ordering = ("-block_number", "log_index")
    search_fields = ("block_number",)


@admin.register(LogKey)
class LogKeyAdmin(ReadOnlyAdmin):
    shown = ("projector", "key", "log")
    list_filter = ("projector",)
    list_select_related = ("log",)
    search_fields = ("key",)


@admin.register(KeyTouch)
class KeyTouchAdmin(ReadOnlyAdmin):
    shown = ("block_number", "projector", "key", "canonical")
    list_filter = ("canonical", "projector")
    search_fields = ("key",)


@admin.register(ChainRead)
class ChainReadAdmin(ReadOnlyAdmin):
    shown = ("block_number", "address", "calldata", "ok", "canonical")
    list_filter = ("canonical", "ok")
    ordering = ("-block_number",)
