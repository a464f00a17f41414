"""What the chain wrote: to look at."""

from django.contrib import admin

from governance.admin.base import ReadOnlyAdmin
from governance.models import (
    Delegate,
    GovernorSettingChange,
    GuardianTerm,
    Holder,
    PendingTransaction,
    RoutineCall,
    TimelockOperation,
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
