"""What the network's pages share."""

from datetime import UTC, datetime

from django.http import HttpRequest

from chain import clock
from chain.status import freshness


def chain_time() -> datetime:
    """The newest indexed block's time: what parameters take effect by. Now, before any block."""
    seconds = freshness().indexed_timestamp
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else clock.now()


def page_links(
    request: HttpRequest, *, previous: str | None, following: str | None, anchor: str
) -> dict[str, str]:
    """The addresses of the neighbouring pages, for ``components/pagination.html``."""
    return {
        "previous_url": _with_cursor(request, previous, anchor),
        "next_url": _with_cursor(request, following, anchor),
    }


def _with_cursor(request: HttpRequest, cursor: str | None, anchor: str) -> str:
    if cursor is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"?{query.urlencode()}#{anchor}"
