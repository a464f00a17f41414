"""The chain layer in figures: for ``/healthz`` and, as Prometheus families, for ``/metrics``.

Everything is read from the database when asked, so that it is the same whichever process answers;
only what a process knows of itself (providers, work done) comes through ``chain.telemetry``. Every
query here meets an index or a table that stays small.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Max, Min
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from chain import clock, conf
from chain.addresses import to_checksum
from chain.models import (
    AccountNote,
    Cursor,
    Log,
    ReorgEvent,
    SendingAccount,
    Signer,
    TxIntent,
    WatchedContract,
)
from chain.status import freshness_of
from chain.telemetry import telemetry_read


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """Where the index stands. Blocks are numbers, ``*_s`` seconds; depths count blocks."""

    state: str = "red"
    detail: str = "Nothing is indexed yet."
    halted: bool = False
    head_block: int = 0
    finalized_block: int = 0
    cursor_block: int = 0
    projected_block: int = 0
    lag_blocks: int = 0
    lag_s: int = 0
    indexed_age_s: float = 0.0
    node_silent_s: float = 0.0
    window_blocks: int = 0
    undecoded_logs: int = 0
    reorgs: int = 0
    last_reorg_depth: int | None = None
    last_reorg_at: datetime | None = None
    catching_up: int = 0
    catching_up_lag_blocks: int = 0


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """Transactions on their way. ``oldest_unsent_s`` is 0 where none waits."""

    by_state: dict[str, int] = field(default_factory=dict)
    oldest_unsent_s: float = 0.0


def index_figures() -> IndexFigures:
    """Where the index stands, from the database alone."""
    cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
    if cursor is None:
        return IndexFigures()
    fresh, moment = freshness_of(cursor), clock.now()
    reorg = ReorgEvent.objects.filter(chain_id=cursor.chain_id).order_by("-pk").first()
    waiting = WatchedContract.objects.filter(
        chain_id=cursor.chain_id, removed_at=None, joined=False
    ).aggregate(count=Count("pk"), least=Min("indexed_to"))
    return IndexFigures(
        state=fresh.state,
        detail=fresh.detail,
        halted=cursor.state != Cursor.State.RUNNING,
        head_block=fresh.head_number,
        finalized_block=fresh.finalized_number,
        cursor_block=cursor.number,
        projected_block=cursor.projected_number,
        lag_blocks=fresh.lag_blocks,
        lag_s=fresh.lag_s,
        indexed_age_s=(moment - cursor.indexed_at).total_seconds(),
        node_silent_s=(moment - cursor.seen_at).total_seconds(),
        window_blocks=cursor.window_blocks,
        undecoded_logs=Log.objects.filter(chain_id=cursor.chain_id, event="").count(),
        # Append-only, so its newest key counts its rows without a look at them.
        reorgs=ReorgEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0,
        last_reorg_depth=reorg.depth if reorg else None,
        last_reorg_at=reorg.detected_at if reorg else None,
        catching_up=waiting["count"],
        catching_up_lag_blocks=max(0, cursor.number - waiting["least"]) if waiting["count"] else 0,
    )


def outbox_figures() -> OutboxFigures:
    """Intents by state, and how long the oldest that is not sent yet has waited."""
    intents = TxIntent.objects.filter(chain_id=conf.chain_id()).order_by()
    counts = dict(intents.values_list("state").annotate(Count("pk")))
    oldest = intents.filter(state__in=[TxIntent.State.PLANNED, TxIntent.State.SIGNED]).aggregate(
        oldest=Min("created_at")
    )["oldest"]
    age_s = 0.0 if oldest is None else (clock.now() - oldest).total_seconds()
    return OutboxFigures(
        {state.value: counts.get(state.value, 0) for state in TxIntent.State}, age_s
    )


def account_figures() -> dict[str, dict[str, str]]:
    """Each sending account, by name: ``state`` for programs, ``sentence`` what it means where its
    key is not there. An account no sender has looked for yet is ``unknown``."""
    notes = {note.account: note for note in AccountNote.objects.filter(chain_id=conf.chain_id())}
    return {
        account.value: {
            "state": notes[account].state if account in notes else "unknown",
            "sentence": (
                notes[account].sentence if account in notes else "No sender has run here yet."
            ),
        }
        for account in SendingAccount
    }


# --- Prometheus ---------------------------------------------------------------------------


def gauge(name: str, text: str, value: float | None) -> Metric:
    """A gauge without labels; without a sample where there is no value."""
    return GaugeMetricFamily(f"althing_{name}", text, value=value)


def labelled(
    name: str, text: str, labels: list[str], samples: list[tuple[list[str], float]]
) -> Metric:
    """A gauge with labels; a counter where its name ends in ``_total``."""
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    family = kind(f"althing_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def chain_metrics() -> Iterator[Metric]:
    """Every family of the chain layer."""
    yield from _index_metrics(index_figures())
    yield from _outbox_metrics(outbox_figures())
    yield from _signer_metrics()
    yield from _telemetry_metrics()


def _index_metrics(index: IndexFigures) -> Iterator[Metric]:
    for name, text, value in (
        ("index_head_block", "Newest block the node has told of.", index.head_block),
        ("index_finalized_block", "Newest block that counts as final.", index.finalized_block),
        ("index_cursor_block", "Newest block that is indexed.", index.cursor_block),
        ("index_projected_block", "Block up to which tables are computed.", index.projected_block),
        ("index_lag_blocks", "Blocks between head and cursor.", index.lag_blocks),
        ("index_lag_seconds", "Block time between head and cursor.", index.lag_s),
        ("index_committed_age_seconds", "Since the last commit of a block.", index.indexed_age_s),
        ("index_node_silent_seconds", "Since the node's last good answer.", index.node_silent_s),
        ("index_window_blocks", "Blocks per request while far behind.", index.window_blocks),
        ("index_halted", "1 while a deep reorganisation halts the index.", index.halted),
        ("index_undecoded_logs", "Stored logs that no ABI of ours reads.", index.undecoded_logs),
        (
            "index_last_reorg_depth_blocks",
            "Depth of the newest reorganisation; -1 where no common block was found.",
            index.last_reorg_depth,
        ),
        (
            "index_last_reorg_timestamp_seconds",
            "When the newest reorganisation was met (Unix time).",
            index.last_reorg_at.timestamp() if index.last_reorg_at else None,
        ),
        ("watch_catching_up", "Added contracts that have not joined yet.", index.catching_up),
        (
            "watch_catching_up_lag_blocks",
            "Blocks that the farthest of them is behind the cursor.",
            index.catching_up_lag_blocks,
        ),
    ):
        yield gauge(name, text, value)
    yield labelled("index_reorgs_total", "Reorganisations met.", [], [([], index.reorgs)])
    states = ("ok", "amber", "red", "halted")
    yield labelled(
        "index_state",
        "1 for the state that the pages' strip shows.",
        ["state"],
        [([state], float(state == index.state)) for state in states],
    )


def _outbox_metrics(outbox: OutboxFigures) -> Iterator[Metric]:
    counts = [([state], float(count)) for state, count in outbox.by_state.items()]
    yield labelled("outbox_intents", "Transactions by state.", ["state"], counts)
    yield gauge(
        "outbox_oldest_unsent_seconds",
        "Age of the oldest transaction that is planned or signed and not sent.",
        outbox.oldest_unsent_s,
    )


_SIGNER = (
    ("signer_balance_wei", "Balance when last seen.", "balance_wei"),
    ("signer_min_balance_wei", "Balance below which nothing new is signed.", "min_balance_wei"),
    ("signer_daily_gas_wei", "Budget for gas per UTC day.", "daily_gas_wei"),
    ("signer_spent_wei", "Spent on gas today.", "spent_wei"),
    ("signer_in_flight_wei", "Most that what is not mined may cost.", "in_flight_wei"),
    ("signer_paused", "1 while a person has paused it.", "paused"),
)


def _signer_metrics() -> Iterator[Metric]:
    signers = list(Signer.objects.filter(chain_id=conf.chain_id()).order_by(F("pk")))
    for name, text, attribute in _SIGNER:
        samples = [
            ([to_checksum(signer.address)], float(value))
            for signer in signers
            if (value := getattr(signer, attribute)) is not None
        ]
        yield labelled(name, text, ["signer"], samples)
    ready = [
        ([account], float(figures["state"] == AccountNote.State.READY))
        for account, figures in account_figures().items()
    ]
    yield labelled("account_ready", "1 where the account's key opens.", ["account"], ready)


_PROVIDER = (
    ("rpc_provider_score", "0 useless to 1.", "score"),
    ("rpc_provider_latency_seconds", "Of its answers, smoothed.", "latency_s"),
    ("rpc_provider_lag_blocks", "Behind the best provider.", "lag_blocks"),
    ("rpc_provider_aside_seconds", "Until it is asked again.", "aside_s"),
    ("rpc_provider_requests_total", "Requests of the indexer's process.", "requests"),
    ("rpc_provider_failures_total", "Requests that failed.", "failures"),
    ("rpc_provider_inconsistencies_total", "Answers that were no truth.", "inconsistencies"),
)


def _telemetry_metrics() -> Iterator[Metric]:
    report = telemetry_read()
    if report is None:
        return
    yield gauge(
        "index_report_age_seconds",
        "Since the indexer's process last told of itself.",
        clock.now_s() - report["at_s"],
    )
    yield labelled(
        "index_blocks_total",
        "Blocks that process moved the cursor by.",
        [],
        [([], report["blocks"])],
    )
    for name, text, key in _PROVIDER:
        samples = [([item["name"]], float(item[key])) for item in report["providers"]]
        yield labelled(name, text, ["provider"], samples)
