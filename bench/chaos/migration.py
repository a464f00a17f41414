"""Migrations in traffic: the tables as they were, read all the time while they become new."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from bench.chaos.stage import FRESH
from config.embedded.anvil import BASE_DIR

if TYPE_CHECKING:
    from bench.chaos.run import Run

#: The first migration of each app: the oldest schema a running service may still have.
APPS = ("chain", "network", "treasury", "governance")
LIBRARIES = ("contenttypes", "auth", "sessions", "axes", "otp_totp", "otp_static", "admin")
Columns = dict[str, list[str]]


def migrate_under_readers(run: Run) -> list[str]:
    """Migrate an old database forward under readers of its old columns; what went wrong."""
    run.stage.database_copy("template0", FRESH)
    # Django's and the libraries' own tables are not what is migrated here.
    for app in LIBRARIES:
        _manage(run, "migrate", app)
    for app in APPS:
        _manage(run, "migrate", app, "0001")
    old = _columns(run)
    failures: list[str] = []
    stop = threading.Event()
    reads = [0]
    thread = threading.Thread(target=_read, args=(run, old, stop, failures, reads))
    thread.start()
    try:
        _manage(run, "migrate")
    finally:
        stop.set()
        thread.join()
    new = _columns(run)
    gone = [
        f"{table}.{column}"
        for table, columns in old.items()
        for column in columns
        if column not in new.get(table, [])
    ]
    run.figures["old columns read during the migration"] = reads[0]
    said = [f"a migration takes away {name}" for name in gone]
    return said + [f"a reader with the old tables failed: {text}" for text in failures[:3]]


def _manage(run: Run, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments, "--verbosity", "0"],
        cwd=BASE_DIR,
        env={**os.environ, **run.stage.environment(FRESH)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"manage.py {' '.join(arguments)}: {done.stderr[-1500:]}")


def _columns(run: Run) -> Columns:
    found: Columns = {}
    with psycopg.connect(run.stage.url(FRESH)) as session:
        rows = session.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' ORDER BY 1, 2"
        )
        for table, column in rows:
            found.setdefault(table, []).append(column)
    return found


def _read(
    run: Run, old: Columns, stop: threading.Event, failures: list[str], reads: list[int]
) -> None:
    with psycopg.connect(run.stage.url(FRESH), autocommit=True) as session:
        while not stop.is_set():
            for table, columns in old.items():
                query = sql.SQL("SELECT {} FROM {} LIMIT 5").format(
                    sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table)
                )
                try:
                    session.execute(query).fetchall()
                except psycopg.Error as error:
                    failures.append(f"{table}: {error}")
                reads[0] += 1
