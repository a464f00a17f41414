"""One PostgreSQL under a large fleet: how big a report is, and what a full database costs.

    python -m bench.fleet [--nodes 10000] [--rounds 8] [--measured 12]

It makes a few nodes as ``bench.attest_service`` does, copies their rows inside the database until
it holds so many nodes with so many rounds of reports (8 rounds of 15 minutes are two hours), and
then measures with the real server:

report_bytes    disk for one report of one GPU: all rows and indexes of the network's tables
day_gb          the same for a day of the fleet, computed: nodes x 96 reports, one GPU each
service         what ``bench.attest_service`` measures, on the full database
needed_per_s    reports a second that the fleet sends
preview_ms      GET /api/v1/policy/preview over all nodes, and its queries
drop_ms         dropping a day of evidence that holds all of the copies
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.attest_service import engines, measure, nodes_make, server

if TYPE_CHECKING:
    from django.db.models import Model

REPORTS_A_DAY = 96
#: Ids of copies begin here, far above those of the originals.
COPIES = 10_000_000


def copies_make(nodes: int, rounds: int) -> None:
    """Copy every original node, report, verdict and finding until there are so many."""
    from network import models

    total = nodes * rounds
    node_id = f"sha256(('node' || g % {nodes})::bytea)"
    report = f"{COPIES} + g"
    fresh = "sha256((g || '{what}')::bytea)"
    _copy(models.Node, nodes, {"node_id": node_id, "position": report})
    _copy(models.Challenge, total, {"nonce": fresh.format(what="nonce"), "node_id": node_id})
    _copy(
        models.Attestation,
        total,
        {
            "id": report,
            "node_id": node_id,
            "seq": "g",
            "challenge_id": fresh.format(what="nonce"),
            "report_hash": fresh.format(what="report"),
        },
    )
    _copy(models.AttestationEvidence, total, {"attestation_id": report})
    _copy(models.Verdict, total, {"id": report, "attestation_id": report, "node_id": node_id})
    _copy(models.DeviceFinding, total, {"id": report, "verdict_id": report})
    last = f"{COPIES} + {nodes * (rounds - 1)} + g"
    verdicts = {"latest_verdict_id": last, "basis_verdict_id": last}
    _copy(models.AttestationState, nodes, {"node_id": node_id, **verdicts})


def _copy(model: type[Model], count: int, changed: dict[str, str]) -> None:
    """Insert ``count`` copies of the rows there are, in turn; ``changed`` are SQL expressions of
    the copy's number ``g``, from 1."""
    from django.db import connection

    columns = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(changed.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {values} FROM generate_series(1, {count}) g "  # noqa: S608  # our own names and numbers
            f"JOIN (SELECT *, row_number() OVER () - 1 AS turn, count(*) OVER () AS turns "
            f"FROM {table}) t ON t.turn = g % t.turns"
        )


def disk_bytes() -> int:
    """Bytes of the network's tables with their indexes and partitions."""
    from django.apps import apps
    from django.db import connection

    total = 0
    with connection.cursor() as cursor:
        for model in apps.get_app_config("network").get_models():
            cursor.execute(
                "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(%s)",
                [model._meta.db_table],
            )
            found = cursor.fetchone()[0]
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            total += int(found) or int(cursor.fetchone()[0])
    return total


def preview_ms(calls: int = 3) -> tuple[float, int]:
    """Milliseconds of one preview over all nodes, the median, and its queries."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    taken, queries = [], 0
    for _ in range(calls):
        began = time.perf_counter()
        with CaptureQueriesContext(connection) as found:
            answer = Client().get("/api/v1/policy/preview/?set=attest.enforce_measurements:1")
        taken.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise SystemExit(f"The preview was refused: {answer.content[:300]!r}")
        queries = len(found)
    return statistics.median(taken) * 1000, queries


def drop_ms() -> float:
    """Milliseconds of dropping the day that holds everything."""
    from chain import clock
    from network.services.partitions import Retention, partitions_drop

    began = time.perf_counter()
    dropped = partitions_drop(retention=Retention(clock.now() + timedelta(days=1), ""))
    if not dropped:
        raise SystemExit("No day of evidence was dropped.")
    return (time.perf_counter() - began) * 1000


def run(folder: Path, *, fleet: int, rounds: int, measured: int) -> dict[str, Any]:
    with engines(folder) as rpc:
        from django.db import connection

        from chain import clock
        from network.services.partitions import partitions_ensure

        nodes = nodes_make(measured, folder, rpc)
        partitions_ensure(at=clock.now())
        before = disk_bytes()
        copies_make(fleet, rounds)
        report = (disk_bytes() - before) / (fleet * rounds)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        with server() as found:
            service = measure(nodes, found, 4)
        preview, queries = preview_ms()
        return {
            "nodes": fleet,
            "reports": fleet * rounds,
            "report_bytes": round(report),
            "day_gb": round(report * fleet * REPORTS_A_DAY / 1e9, 1),
            "needed_per_s": round(fleet * REPORTS_A_DAY / 86_400, 1),
            "service": service,
            "preview_ms": round(preview),
            "preview_queries": queries,
            "drop_ms": round(drop_ms()),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--measured", type=int, default=12)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="althing-bench-")).resolve()
    folder.chmod(0o711)
    try:
        found = run(folder, fleet=options.nodes, rounds=options.rounds, measured=options.measured)
        print(json.dumps(found))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
