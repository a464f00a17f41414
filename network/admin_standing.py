"""Strikes and incidents in the console: looked at, but for an incident that staff close."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chain import clock
from network.admin_base import ReadOnlyAdmin, ReasonForm
from network.errors import NetworkError
from network.models import Incident, IncidentEvent, Strike, VerifierBuild
from network.services.incidents import incident_dismiss, incident_release


@admin.register(Strike)
class StrikeAdmin(ReadOnlyAdmin):
    list_display = ["struck_at", "node", "code", "sentence", "policy_version"]
    list_select_related = ["node"]


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """Incidents close by themselves; staff may close one earlier, with a reason that is kept."""

    list_display = ["opened_at", "node", "code", "state", "strikes", "action", "action_sentence"]
    list_filter = ["state", "action"]
    list_select_related = ["node"]
    action_form = ReasonForm
    actions = ["incidents_release", "incidents_dismiss"]

    @admin.action(
        description="Release: it counts again, on probation (say why)", permissions=["decide"]
    )
    def incidents_release(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        """Resume the chosen incidents' nodes before they are cured."""
        self._decide(request, queryset, incident_release, "is released")

    @admin.action(
        description="Dismiss: no fault of the node, strikes cleared (say why)",
        permissions=["decide"],
    )
    def incidents_dismiss(self, request: HttpRequest, queryset: QuerySet[Incident]) -> None:
        """Dismiss the chosen incidents and clear the strikes of their nodes."""
        self._decide(request, queryset, incident_dismiss, "is dismissed")

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Incident],
        decide: Callable[..., Incident],
        done: str,
    ) -> None:
        actor = f"staff {request.user.get_username()}"
        reason = request.POST.get("reason", "")
        for incident in queryset:
            try:
                decide(incident_id=incident.pk, actor=actor, reason=reason, at=clock.now())
            except NetworkError as error:
                self.message_user(request, f"{incident}: {error.detail}", messages.ERROR)
            else:
                words = f"The incident of 0x{incident.node_id.hex()} {done}."
                self.message_user(request, words, messages.SUCCESS)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("network.change_incident")


@admin.register(IncidentEvent)
class IncidentEventAdmin(ReadOnlyAdmin):
    list_display = ["occurred_at", "action", "incident", "actor", "reason"]
    list_filter = ["action"]


@admin.register(VerifierBuild)
class VerifierBuildAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "since", "seen_at"]
