"""Everything ``/metrics`` tells: the chain layer's families, the network's and governance's own."""

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from chain import clock, conf
from chain.metrics import chain_metrics, gauge, labelled
from governance.keeper import alarms
from governance.models import GovernorProposal, Proposal, ReconcileFinding, ReconcileRun
from governance.reconcile import findings_open
from network.metrics import network_metrics


class SiteCollector(Collector):
    """Reads the database at every scrape: right with any number of processes."""

    def collect(self) -> Iterator[Metric]:
        yield from chain_metrics()
        yield from network_metrics()
        yield from _mismatch_metrics()
        yield from _reconcile_metrics()
        found: dict[str, int] = {}
        for alarm in alarms():
            found[alarm.code] = found.get(alarm.code, 0) + 1
        samples = [([code], float(count)) for code, count in found.items()]
        yield labelled("alarms", "What a person should look at, by code.", ["code"], samples)


def site_registry() -> CollectorRegistry:
    """A registry with our collector alone: nothing of this one process's own counters."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SiteCollector())
    return registry


def mismatch_counts() -> dict[str, int]:
    """Open findings by kind, and proposals whose derived state is not the chain's."""
    rows = findings_open().order_by().values_list("kind").annotate(Count("pk"))
    found = {kind.value: 0 for kind in ReconcileFinding.Kind} | dict(rows)
    found["state"] = Proposal.objects.filter(state_mismatch=True).count()
    found["added_governor_state"] = GovernorProposal.objects.filter(state_mismatch=True).count()
    return found


def _mismatch_metrics() -> Iterator[Metric]:
    samples = [([kind], float(count)) for kind, count in mismatch_counts().items()]
    yield labelled(
        "mismatches", "Indexed values that differ from the chain's own.", ["kind"], samples
    )


def _reconcile_metrics() -> Iterator[Metric]:
    run = ReconcileRun.objects.filter(chain_id=conf.chain_id()).order_by("-pk").first()
    if run is None:
        return
    for name, text, value in (
        ("age_seconds", "Since the last run ended.", (clock.now() - run.finished_at)),
        ("duration_seconds", "Of the last run.", run.finished_at - run.started_at),
    ):
        yield gauge(f"reconcile_{name}", text, value.total_seconds())
    yield gauge("reconcile_compared", "Values the last run compared.", run.compared)
    yield gauge("reconcile_unanswered", "Of them, where the contract reverted.", run.unanswered)
    yield gauge("reconcile_block", "The block it compared at.", run.block_number)
