"""What the chain wrote: to look at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from governance.admin.base import ReadOnlyAdmin
from governance.models import (
    Delegate,
    Draft,
    GovernorSettingChange,
    GuardianTerm,
    Holder,
    PendingTransaction,
    ProposalAction,
    RoutineCall,
    TimelockOperation,
    TransactionSender,
    Vote,
)


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    list_display = ["proposal", "voter", "support", "weight_wei", "voted_at"]
    list_filter = ["support"]
    list_select_related = ["proposal"]


@admin.register(Delegate)
class DelegateAdmin(ReadOnlyAdmin):
    list_display = ["address", "power_wei", "delegators_count", "last_changed_at"]


@admin.register(Holder)
class HolderAdmin(ReadOnlyAdmin):
    list_display = ["address", "balance_wei", "delegate", "delegated_at"]


@admin.register(TimelockOperation)
class TimelockOperationAdmin(ReadOnlyAdmin):
    list_display = ["operation_id", "proposal", "state", "ready_at", "done_at"]
    list_filter = ["state"]
    list_select_related = ["proposal"]


@admin.register(GovernorSettingChange)
class GovernorSettingChangeAdmin(ReadOnlyAdmin):
    list_display = ["name", "old_value", "new_value", "changed_at"]
    list_filter = ["name"]


@admin.register(GuardianTerm)
class GuardianTermAdmin(ReadOnlyAdmin):
    list_display = ["guardian", "until", "changed_at"]


@admin.register(RoutineCall)
class RoutineCallAdmin(ReadOnlyAdmin):
    list_display = ["target", "selector", "allowed", "changed_at"]


@admin.register(PendingTransaction)
class PendingTransactionAdmin(ReadOnlyAdmin):
    list_display = ["transaction_hash", "purpose", "state", "sender", "submitted_at"]
    list_filter = ["state", "purpose"]


@admin.register(ProposalAction)
class ProposalActionAdmin(ReadOnlyAdmin):
    list_display = ["proposal", "index", "kind", "function", "summary", "is_dangerous"]
    list_filter = ["kind", "is_dangerous"]
    list_select_related = ["proposal"]


@admin.register(TransactionSender)
class TransactionSenderAdmin(ReadOnlyAdmin):
    list_display = ["transaction_hash", "sender"]


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    """Who keeps how many drafts; what they say is their writers' own until it is proposed."""

    list_display = ["id", "account", "step", "version", "updated_at"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": ["id", "step", "version", "created_at", "updated_at"]})]
