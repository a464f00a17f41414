"""The treasury's tables in the console: to look at, never to edit."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from treasury.models import Asset, Balance, Transfer


class IndexedAdmin(admin.ModelAdmin):
    """A table that the chain writes. The console cannot add, change or delete a row."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Asset)
class AssetAdmin(IndexedAdmin):
    list_display = ["code", "name", "address", "decimals"]


@admin.register(Balance)
class BalanceAdmin(IndexedAdmin):
    list_display = ["asset", "amount_wei", "block_number"]


@admin.register(Transfer)
class TransferAdmin(IndexedAdmin):
    list_display = [
        "position",
        "direction",
        "asset",
        "amount_wei",
        "counterparty",
        "transferred_at",
    ]
    list_filter = ["asset", "direction"]
    show_full_result_count = False
