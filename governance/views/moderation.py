"""The public log of what moderators did: hiding words in secret would be worse than not at all."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from chain.paging import keyset_page
from governance.models import ModerationAction
from governance.views.common import page_render, query_with

PAGE_SIZE = 50


@require_safe
def moderation_log(request: HttpRequest) -> HttpResponse:
    """List every act, newest first."""
    found = keyset_page(
        ModerationAction.objects.select_related("moderator"),
        order=("-created_at", "-pk"),
        cursor=request.GET.get("cursor", "")[:512],
        size=PAGE_SIZE,
    )
    context = {
        "acts": found.items,
        "page": {
            "previous_url": found.previous_cursor
            and f"?{query_with(request.GET, cursor=found.previous_cursor)}",
            "next_url": found.next_cursor
            and f"?{query_with(request.GET, cursor=found.next_cursor)}",
        },
    }
    return page_render(request, "governance/moderation_log.html", context)
