"""/healthz, /readyz and /metrics: for load balancers, for monitoring, and for people at night."""

import hmac
from dataclasses import asdict
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import KombuError
from prometheus_client.exposition import choose_encoder
from rest_framework.throttling import BaseThrottle

from chain import clock
from chain.metrics import account_figures, index_figures, outbox_figures
from governance.keeper import alarms
from governance.metrics import mismatch_counts, site_registry
from network.selectors.epochs import AnchorLevel, anchor_status
from network.selectors.suspensions import suspension_figures

#: Seconds to wait for the broker; a probe that hangs is worse than one that fails.
BROKER_TIMEOUT_S = 2
#: Index states in which /readyz takes the process out of service.
NOT_READY = frozenset({"red", "halted"})


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers, 503 when not; the rest is told, not judged.

    A stale index or a lost broker does not make the pages wrong (they say how
    old they are), so neither takes the process out of service. With ``?strict=1``
    it is /readyz.
    """
    body = health_body()
    if request.GET.get("strict") == "1":
        return _ready(body)
    return JsonResponse(body, status=503 if body["status"] == "down" else 200)


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """The same, but 503 also where what the pages show is too old to act on, or halted."""
    return _ready(health_body())


def _ready(body: dict[str, object]) -> JsonResponse:
    index = body["index"]
    state = index["state"] if isinstance(index, dict) else "unknown"
    ready = body["status"] != "down" and state not in NOT_READY
    return JsonResponse(body | {"ready": ready}, status=200 if ready else 503)


def health_body() -> dict[str, object]:
    """Everything known of the service's health, without what is nobody's business."""
    database = _database()
    body: dict[str, object] = {
        "status": "ok",
        "database": database,
        "broker": _broker(),
        "index": {"state": "unknown"},
    }
    if database != "ok":
        return body | {"status": "down"}
    index = index_figures()
    outbox = outbox_figures()
    raised = sorted({alarm.code for alarm in alarms()})
    mismatches = sum(mismatch_counts().values())
    body["index"] = {
        **asdict(index),
        # The names this address has always used.
        "indexed_block": index.cursor_block,
        "last_reorg_at": index.last_reorg_at and index.last_reorg_at.isoformat(),
    }
    body["mismatches"] = mismatches
    body["outbox"] = {
        "by_state": {state: count for state, count in outbox.by_state.items() if count},
        "oldest_unsent_s": outbox.oldest_unsent_s,
    }
    # An account without a key is told, not judged: another service may have it.
    body["accounts"] = account_figures()
    body["suspensions"] = asdict(suspension_figures(clock.now()))
    anchoring = anchor_status()
    body["anchoring"] = {"state": anchoring.level.value, "detail": anchoring.sentence}
    body["alarms"] = raised
    fine = anchoring.level in (AnchorLevel.OFF, AnchorLevel.OK)
    if index.state != "ok" or body["broker"] != "ok" or mismatches or raised or not fine:
        body["status"] = "degraded"
    return body


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


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text. 404 where nobody may read it, 403 to those who may not.

    Allowed are the networks of METRICS_ALLOWED_IPS, and who shows METRICS_TOKEN as a bearer.
    """
    if not settings.METRICS_ALLOWED_IPS and not settings.METRICS_TOKEN:
        return HttpResponse("There is nothing at this address.\n", "text/plain", 404)
    if not (_address_allowed(request) or _token_fits(request)):
        return HttpResponse("These figures are not for everybody.\n", "text/plain", 403)
    encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encoder(site_registry()), content_type)


def _address_allowed(request: HttpRequest) -> bool:
    # The throttles' idea of who asks: behind proxies the settings say how many to believe.
    ident = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    try:
        address = ip_address(ident or "")
    except ValueError:
        return False
    return any(address in network for network in settings.METRICS_ALLOWED_IPS)


def _token_fits(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not settings.METRICS_TOKEN or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
