"""The outbox in the console: what was sent, how it went, and each key's pause switch. Also where
the index stands and which reorganisations it met."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from chain.admin import ReadOnly, columns
from chain.formatting import amount_text
from chain.models import (
    AccountNote,
    Cursor,
    ReorgEvent,
    Signer,
    SignerAlarm,
    SignerEvent,
    TxAttempt,
    TxEvent,
    TxIntent,
)
from chain.outbox import signer_drain, signer_pause, signer_resume
from chain.sender.alarms import signer_acknowledge
from chain.sender.transitions import NONCE_STOLEN
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
    list_filter = ["state", "wait_code", "kind"]
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


class SignerAlarmRows(_Rows):
    model = SignerAlarm
    shown = ("since", "code", "sentence")


#: Which signers an action may still change something for.
_SWITCHABLE = {
    "pause": Q(paused=False),
    "resume": Q(paused=True) & ~Q(state=Signer.State.QUARANTINED),
    "drain": Q(state=Signer.State.ACTIVE),
    "acknowledge": Q(alarms__code=NONCE_STOLEN),
}


@admin.register(Signer)
class SignerAdmin(ReadOnlyAdmin):
    """Keys with what limits them. An action shows only while a signer could take it: nobody
    resumes a quarantined one."""

    list_display = [
        "address",
        "account",
        "state",
        "paused",
        "balance",
        "gas_today",
        "alarm",
        "ticked_at",
    ]
    inlines = [SignerAlarmRows, SignerEventRows]
    actions = ["pause", "resume", "drain", "acknowledge"]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Who may pause a key: whoever may turn the keeper's switch."""
        return bool(request.user.has_perm("governance.switch_keeper"))

    def get_actions(self, request: HttpRequest) -> Any:
        return {
            name: action
            for name, action in super().get_actions(request).items()
            if name not in _SWITCHABLE or Signer.objects.filter(_SWITCHABLE[name]).exists()
        }

    @admin.display(description="Balance / minimum, ETH")
    def balance(self, signer: Signer) -> str:
        seen = "?" if signer.balance_wei is None else amount_text(signer.balance_wei)
        return f"{seen} / {amount_text(signer.min_balance_wei)}"

    @admin.display(description="Gas today + in flight / budget, ETH")
    def gas_today(self, signer: Signer) -> str:
        spent, flying = amount_text(signer.spent_wei), amount_text(signer.in_flight_wei)
        return f"{spent} + {flying} / {amount_text(signer.daily_gas_wei)}"

    @admin.display(description="Alarms")
    def alarm(self, signer: Signer) -> str:
        return " ".join(signer.alarms.values_list("sentence", flat=True))

    @admin.action(description="Pause: sign nothing new with this key", permissions=["switch"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(_SWITCHABLE["pause"]):
            signer_pause(signer=signer, actor=str(request.user), reason="Paused in the console.")
            self.message_user(request, f"{signer} is paused.")

    @admin.action(description="Resume signing", permissions=["switch"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(_SWITCHABLE["resume"]):
            signer_resume(signer=signer, actor=str(request.user), reason="Resumed in the console.")
            self.message_user(request, f"{signer} signs again.")

    @admin.action(description="Drain: finish what is open, for good", permissions=["switch"])
    def drain(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(_SWITCHABLE["drain"]):
            signer_drain(signer=signer, actor=str(request.user), reason="Drained in the console.")
            self.message_user(request, f"{signer} drains.")

    @admin.action(description="The key is replaced: clear its alarm", permissions=["switch"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Signer]) -> None:
        for signer in queryset.filter(_SWITCHABLE["acknowledge"]):
            signer_acknowledge(signer=signer, actor=str(request.user), reason="In the console.")
            self.message_user(request, f"{signer} stays quarantined; its alarm is read.")


@admin.register(SignerAlarm)
class SignerAlarmAdmin(ReadOnlyAdmin):
    list_display = ["since", "signer", "code", "sentence"]
    list_select_related = ["signer"]


@admin.register(AccountNote)
class AccountNoteAdmin(ReadOnlyAdmin):
    list_display = ["account", "state", "address", "sentence", "since", "checked_at"]


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
