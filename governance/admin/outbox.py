"""The outbox in the console: what was sent, how it went, and each key's pause switch. Also where
the index stands and which reorganisations it met."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chain.admin import ReadOnly, columns
from chain.models import (
    Cursor,
    ReorgEvent,
    Signer,
    SignerEvent,
    TxAttempt,
    TxEvent,
    TxIntent,
)
from chain.outbox import signer_pause, signer_resume
from governance.admin.base import ReadOnlyAdmin


class _Rows(ReadOnly, admin.TabularInline):
    """Rows below another row, to look at."""

    extra = 0
    shown: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return columns(self.model, *self.shown)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return columns(self.model, *self.shown)


class AttemptRows(_Rows):
    model = TxAttempt
    fk_name = "intent"
    shown = ("seq", "kind", "hash", "max_fee_wei", "created_at", "sends", "accepted", "last_error")


class EventRows(_Rows):
    model = TxEvent
    shown = ("created_at", "from_state", "to_state", "detail")


class SignerEventRows(_Rows):
    model = SignerEvent
    shown = ("created_at", "action", "actor", "reason")


@admin.register(TxIntent)
class TxIntentAdmin(ReadOnlyAdmin):
    list_display = ["kind", "idem_key", "state", "why_waiting", "nonce", "updated_at"]
    list_filter = ["state", "kind"]
    search_fields = ["idem_key"]
    inlines = [AttemptRows, EventRows]


@admin.register(TxAttempt)
class TxAttemptAdmin(ReadOnlyAdmin):
    list_display = ["hash", "intent", "seq", "kind", "accepted", "created_at"]
    list_filter = ["kind", "accepted"]
    list_select_related = ["intent"]


@admin.register(TxEvent)
class TxEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "intent", "from_state", "to_state", "detail"]
    list_filter = ["to_state"]
    list_select_related = ["intent"]


@admin.register(Signer)
class SignerAdmin(ReadOnlyAdmin):
    list_display = ["address", "state", "paused", "balance_wei", "alarm", "ticked_at"]
    inlines = [SignerEventRows]
    actions = ["pause", "resume"]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Who may pause a key: whoever may turn the keeper's switch."""
        return bool(request.user.has_perm("governance.switch_keeper"))

    @admin.action(description="Pause: sign nothing new with this key", permissions=["switch"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(paused=False):
            signer_pause(signer=signer, actor=str(request.user), reason="Paused in the console.")
            self.message_user(request, f"{signer} is paused.")

    @admin.action(description="Resume signing", permissions=["switch"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(paused=True):
            if signer.state == Signer.State.QUARANTINED:
                self.message_user(
                    request,
                    f"{signer} is quarantined: its key was used elsewhere. Replace the key.",
                    messages.ERROR,
                )
                continue
            signer_resume(signer=signer, actor=str(request.user), reason="Resumed in the console.")
            self.message_user(request, f"{signer} signs again.")


@admin.register(SignerEvent)
class SignerEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "signer", "action", "actor", "reason"]
    list_select_related = ["signer"]


@admin.register(Cursor)
class CursorAdmin(ReadOnlyAdmin):
    list_display = ["chain_id", "number", "finalized_number", "head_number", "state", "error"]


@admin.register(ReorgEvent)
class ReorgEventAdmin(ReadOnlyAdmin):
    list_display = ["detected_at", "depth", "old_number", "crossed_finality", "halted"]
