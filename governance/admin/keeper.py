"""The keeper in the console: what it waits for, what it sent, and its pause switch."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from chain.models import Signer, SignerEvent, TxAttempt, TxEvent, TxIntent
from chain.outbox import signer_pause, signer_resume
from governance.admin.base import ReadOnlyAdmin, act_on
from governance.models import KeeperNote, KeeperSwitch
from governance.services.keeper_switch import keeper_switch_turn


class SwitchForm(forms.ModelForm):
    """One turn of the switch."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Shown on every proposal that waits, and kept for ever.",
    )

    class Meta:
        model = KeeperSwitch
        fields = ["paused", "reason"]


@admin.register(KeeperSwitch)
class KeeperSwitchAdmin(ReadOnlyAdmin):
    """Adding a row turns the switch; the rows are the audit and never change."""

    list_display = ["paused", "reason", "changed_by", "changed_at"]
    list_select_related = ["changed_by"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("governance.switch_keeper"))  # type: ignore[union-attr]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_form(request, obj, **kwargs) if obj else SwitchForm

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return super().get_fields(request, obj) if obj else ["paused", "reason"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return super().get_readonly_fields(request, obj) if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        turned = keeper_switch_turn(
            staff=request.user,  # type: ignore[arg-type]
            paused=form.cleaned_data["paused"],
            reason=form.cleaned_data["reason"],
        )
        obj.pk = turned.pk


@admin.register(KeeperNote)
class KeeperNoteAdmin(ReadOnlyAdmin):
    list_display = ["proposal_id", "step", "code", "sentence", "wait_until", "checked_at"]
    list_filter = ["code"]


class _Rows(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptRows(_Rows):
    model = TxAttempt
    fields = ["seq", "kind", "hash_text", "sends", "accepted", "last_error", "created_at"]
    readonly_fields = fields

    @admin.display(description="hash")
    def hash_text(self, row: TxAttempt) -> str:
        return f"0x{bytes(row.hash).hex()}"


class EventRows(_Rows):
    model = TxEvent
    fields = ["from_state", "to_state", "detail", "created_at"]
    readonly_fields = fields


@admin.register(TxIntent)
class TxIntentAdmin(ReadOnlyAdmin):
    list_display = ["kind", "idem_key", "state", "why_waiting", "nonce", "updated_at"]
    list_filter = ["state", "kind"]
    inlines = [AttemptRows, EventRows]


class SignerEventRows(_Rows):
    model = SignerEvent
    fields = ["action", "reason", "actor", "created_at"]
    readonly_fields = fields


@admin.register(Signer)
class SignerAdmin(ReadOnlyAdmin):
    list_display = ["address", "state", "paused", "balance_wei", "alarm", "ticked_at"]
    inlines = [SignerEventRows]
    actions = ["pause", "resume"]

    def has_switch_permission(self, request: HttpRequest) -> bool:
        """Who may pause a key."""
        return bool(request.user.has_perm("governance.switch_keeper"))  # type: ignore[union-attr]

    @admin.action(description="Pause: sign nothing new with this key", permissions=["switch"])
    def pause(self, request: HttpRequest, rows: Any) -> None:
        actor = request.user.get_username()
        act_on(
            request,
            rows,
            lambda row: signer_pause(signer=row, actor=actor, reason="From the console"),
            "paused",
        )

    @admin.action(description="Resume", permissions=["switch"])
    def resume(self, request: HttpRequest, rows: Any) -> None:
        actor = request.user.get_username()
        act_on(
            request,
            rows,
            lambda row: signer_resume(signer=row, actor=actor, reason="From the console"),
            "resumed",
        )
