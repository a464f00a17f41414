"""The fault table of the project's security design, F1 to F26: what is done for each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.chaos import (
    faults_index,
    faults_keeper,
    faults_nodes,
    faults_send,
    faults_site,
    sabotage,
)
from bench.chaos.run import Run


@dataclass(frozen=True, slots=True)
class Fault:
    """A row. ``weight`` is its share of the runs, ``most`` its bound, ``short`` its runs in CI."""

    name: str
    title: str
    do: Callable[[Run], None]
    weight: int = 1
    most: int = 1000
    short: int = 1


@dataclass(frozen=True, slots=True)
class Proof:
    """A wrong component and the count it must be reported as."""

    name: str
    title: str
    expected: str

    def do(self, run: Run) -> None:
        """Let the wrong component work, and judge without letting the real one repair it."""
        sabotage.prove(run, self.name)


FAULTS: tuple[Fault, ...] = (
    Fault("F1", "SIGKILL at seeded points", faults_send.f1_kill, weight=4, short=2),
    Fault("F2", "several senders and indexers at once", faults_send.f2_rivals, weight=2),
    Fault("F3", "replies to a broadcast are lost", faults_send.f3_lost_replies, weight=2),
    Fault("F4", "reorganisations of 1 to 7 blocks", faults_index.f4_reorg, weight=4),
    Fault("F5", "a reorganisation drops and reorders", faults_index.f5_reordered, weight=2),
    Fault("F6", "deeper than the window: halt and resume", faults_index.f6_deep, most=4),
    Fault("F7", "base fee x40, pool eviction", faults_send.f7_fees, weight=2),
    Fault("F8", "the nonce is consumed elsewhere", faults_send.f8_nonce_stolen),
    Fault("F9", "a stranger executes first", faults_keeper.f9_stranger),
    Fault("F10", "canceled between check and broadcast", faults_keeper.f10_canceled),
    Fault("F11", "the node lags and goes backwards", faults_index.f11_stale, most=8),
    Fault("F12", "the node lies", faults_index.f12_lies, weight=3, short=2),
    Fault("F13", "429, 5xx, slow, half, 10 MB", faults_index.f13_unwell, most=8),
    Fault("F14", "PostgreSQL is killed", faults_site.f14_database_killed, most=8),
    Fault("F15", "locks, ended sessions, full disk", faults_site.f15_refused_by_database),
    # Before F16: the harness's own connection to the broker does not outlive the broker's death.
    Fault("F17", "tasks delivered five times and late", faults_site.f17_delivered_often, most=3),
    Fault("F16", "the broker is flushed or lost", faults_site.f16_broker_lost, most=3, short=0),
    Fault("F18", "the clock jumps an hour", faults_send.f18_clock),
    Fault("F19", "double spends of the treasury", faults_keeper.f19_double_spend, most=10),
    Fault("F20", "attestations replayed, forged", faults_nodes.f20_attestations, most=1, short=0),
    Fault("F21", "a flood of requests", faults_site.f21_flood, most=1, short=0),
    Fault("F22", "malicious texts", faults_site.f22_malicious_text, most=8),
    Fault("F23", "migrations in traffic", faults_site.f23_migration, most=1, short=0),
    Fault("F24", "full re-index and rebuild", faults_index.f24_reindex),
    Fault("F25", "restore of a backup", faults_send.f25_restore, most=8),
    Fault("F26", "soak", faults_site.f26_soak, most=1, short=0),
)

#: Row -> why it cannot be injected here. Never counted as zero.
NOT_RUN: dict[str, str] = {}

PROOFS: tuple[Proof, ...] = tuple(
    Proof(name, title, sabotage.EXPECTED[name])
    for name, title in (
        ("sign_twice", "a sender that signs anew what it sent"),
        ("never_send", "a sender that sends nothing"),
        ("skip_log", "an indexer that leaves a log out"),
        ("wrong_row", "a projector that adds what it should read"),
    )
)
