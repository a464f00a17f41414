"""How voting works here, with the governor's numbers as they are now."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chain.contracts import DeploymentInvalid, deployment
from governance.models import GovernorSettingChange, GuardianTerm
from governance.views.common import at_datetime, chain_time, page_render

#: The settings the page names. Those never changed by vote stand in the deployment file alone.
NAMES = (
    "voting_delay_s",
    "voting_period_s",
    "late_quorum_extension_s",
    "proposal_threshold_wei",
    "quorum_numerator",
    "timelock_delay_s",
    "constitutional_delay_s",
)


def governor_settings() -> dict[str, int]:
    """Return the governor's numbers in force: seconds, wei, and the quorum in percent.

    The newest indexed change wins over the deployment file; what neither knows
    is left out.
    """
    try:
        known: dict[str, Any] = dict(deployment().settings)
    except DeploymentInvalid:
        known = {}
    settings = {name: int(known[name]) for name in NAMES if name in known}
    changes = GovernorSettingChange.objects.order_by("name", "-block_number", "-log_index")
    settings |= dict(changes.distinct("name").values_list("name", "new_value"))
    return settings


@require_safe
def about_voting(request: HttpRequest) -> HttpResponse:
    """Explain the way of a proposal."""
    term = GuardianTerm.objects.order_by("-block_number", "-log_index").first()
    now = at_datetime(chain_time(request))
    alive = term is not None and term.until is not None and term.until > now
    context = {"settings": governor_settings(), "guardian": term if alive else None}
    return page_render(request, "governance/about_voting.html", context)
