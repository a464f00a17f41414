"""The strip's state: how old the index is, and whether the chain contradicts it."""

from dataclasses import dataclass, replace

from django.db.models import Count, IntegerField, OuterRef, Subquery

from chain import conf
from chain.models import Cursor
from chain.status import Freshness, freshness_of
from governance.models import ReconcileFinding


@dataclass(frozen=True, slots=True)
class SiteFreshness:
    """``index``: the state to show. ``mismatches``: values that differ from the chain's own."""

    index: Freshness
    mismatches: int = 0


def site_freshness() -> SiteFreshness:
    """Both in one query, for every page asks."""
    findings = (
        ReconcileFinding.objects.filter(chain_id=OuterRef("chain_id"), closed_at=None)
        .order_by()
        .values("chain_id")
        .annotate(count=Count("pk"))
        .values("count")
    )
    cursor = (
        Cursor.objects.filter(chain_id=conf.chain_id())
        .annotate(mismatches=Subquery(findings, output_field=IntegerField()))
        .first()
    )
    fresh = freshness_of(cursor)
    count = (cursor.mismatches or 0) if cursor is not None else 0
    if not count:
        return SiteFreshness(fresh)
    values = "value differs" if count == 1 else "values differ"
    sentence = f"{count} indexed {values} from the chain's own answer; a person has to look."
    if fresh.state in ("ok", "amber"):
        fresh = replace(fresh, state="amber", detail=f"{sentence} {fresh.detail}".strip())
    return SiteFreshness(fresh, count)
