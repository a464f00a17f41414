"""The keeper in the console: what it waits for, and its pause switch.

What it sent is the outbox, next door in ``governance.admin.outbox``.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest

from governance.admin.base import ReadOnlyAdmin
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

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("governance.switch_keeper"))

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(request, obj, change, **kwargs) if change else SwitchForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": ["paused", "reason"]})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        turned = keeper_switch_turn(
            staff=request.user,  # type: ignore[arg-type]
            paused=form.cleaned_data["paused"],
            reason=form.cleaned_data["reason"],
        )
        obj.pk = turned.pk


@admin.register(KeeperNote)
class KeeperNoteAdmin(ReadOnlyAdmin):
    """What the keeper says of each proposal; overdue steps first."""

    list_display = [
        "proposal_id",
        "step",
        "code",
        "sentence",
        "overdue_since",
        "wait_until",
        "checked_at",
    ]
    list_filter = ["code", ("overdue_since", admin.EmptyFieldListFilter)]
    ordering = [F("overdue_since").asc(nulls_last=True), "-checked_at"]
