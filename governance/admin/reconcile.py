"""What the index and the chain say differently, and the runs that looked; used sign-ins."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from governance.admin.base import ReadOnlyAdmin
from governance.models import ReconcileFinding, ReconcileRun, SpentChallenge


class OpenFilter(admin.SimpleListFilter):
    """Open findings, or those that are over."""

    title = "whether it is open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Open"), ("no", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        return queryset.filter(closed_at__isnull=self.value() == "yes")


@admin.register(ReconcileFinding)
class ReconcileFindingAdmin(ReadOnlyAdmin):
    list_display = [
        "kind",
        "subject",
        "field",
        "indexed",
        "chain",
        "block_number",
        "found_at",
        "seen_at",
        "closed_at",
    ]
    list_filter = [OpenFilter, "kind"]


@admin.register(ReconcileRun)
class ReconcileRunAdmin(ReadOnlyAdmin):
    list_display = ["finished_at", "scope", "block_number", "compared", "differing", "opened"]
    list_filter = ["scope"]


@admin.register(SpentChallenge)
class SpentChallengeAdmin(ReadOnlyAdmin):
    """Used up: nobody can sign in with one again."""

    list_display = ["nonce", "expires_at"]
