"""How voting works here, with the governor's numbers as they are now."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chain.contracts import DeploymentInvalid, deployment
from governance.selectors import governor_settings, guardian_current
from governance.views.common import chain_time, page_render

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


def settings_in_force() -> dict[str, int]:
    """Return the governor's numbers in force: seconds, wei, and the quorum in percent.

    What was indexed wins over the deployment file, which alone knows the
    immutable ones; what neither knows is left out.
    """
    try:
        known: dict[str, Any] = dict(deployment().settings)
    except DeploymentInvalid:
        known = {}
    return {name: int(known[name]) for name in NAMES if name in known} | governor_settings()


@require_safe
def about_voting(request: HttpRequest) -> HttpResponse:
    """Explain the way of a proposal."""
    context = {
        "settings": settings_in_force(),
        "guardian": guardian_current(chain_time(request)),
    }
    return page_render(request, "governance/about_voting.html", context)
