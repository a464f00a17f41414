"""/healthz: can this process do its work? For load balancers, and for people at night."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import KombuError

from chain.status import freshness

#: Seconds to wait for the broker; a probe that hangs is worse than one that fails.
BROKER_TIMEOUT_S = 2


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers, 503 when not; the rest is told, not judged.

    A stale index or a lost broker does not make the pages wrong (they say how
    old they are), so neither takes the process out of service.
    """
    database = _database()
    body: dict[str, object] = {
        "status": "ok",
        "database": database,
        "broker": _broker(),
        "index": {"state": "unknown"},
    }
    if database == "ok":
        fresh = freshness()
        body["index"] = {
            "state": fresh.state,
            "indexed_block": fresh.indexed_number,
            "head_block": fresh.head_number,
            "finalized_block": fresh.finalized_number,
            "lag_blocks": fresh.lag_blocks,
            "lag_s": fresh.lag_s,
            "detail": fresh.detail,
        }
        if fresh.state != "ok" or body["broker"] != "ok":
            body["status"] = "degraded"
    else:
        body["status"] = "down"
    return JsonResponse(body, status=200 if database == "ok" else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


def _broker() -> str:
    try:
        with Connection(settings.CELERY_BROKER_URL, connect_timeout=BROKER_TIMEOUT_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
    except (KombuError, OSError):
        return "unreachable"
    return "ok"
