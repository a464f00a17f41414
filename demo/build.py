"""Makes the demo's world: engines, contracts, history, index. Each step says what it does."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded import AnvilServer, Supervisor
from demo.chain import LocalChain
from demo.episodes import DAY_S, EPISODES, HISTORY_DAYS
from demo.fleet import fleet_register, fleet_trouble
from demo.history import Parliament, history_play, parliament_found
from demo.keys import attestor_make, ear_key_make, keeper_make
from demo.settings import ACCOUNTS, BASE_DIR, DemoFolder, environment, write_secret

KEEPER_GAS_MONEY_WEI = 100 * 10**18
ENGINES = ("DATABASE_URL", "CELERY_BROKER_URL", "RPC_URL")


class StepFailed(RuntimeError):
    """A command of the set-up failed; its output is the message."""


@dataclass
class World:
    """A running demo: its folder, its chain and its people."""

    folder: DemoFolder
    port: int
    chain: LocalChain
    parliament: Parliament
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what happens, then how long it took."""
    print(f"  {text} ...", end="", flush=True, file=sys.stderr)
    started = time.monotonic()
    yield
    print(f" {time.monotonic() - started:.1f} s", file=sys.stderr)


def run(command: list[str], variables: dict[str, str], *, output: Path | None = None) -> None:
    """Run one command of the set-up; what it prints goes to `output`, for its owner's eyes.

    Raises:
        StepFailed: it exited non-zero.
    """
    done = subprocess.run(
        command, cwd=BASE_DIR, env={**os.environ, **variables}, capture_output=True, text=True
    )
    if done.returncode:
        raise StepFailed(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-4000:]}")
    if output is not None:
        write_secret(output, done.stdout)


@contextmanager
def engines_run(
    folder: DemoFolder, *, given: Mapping[str, str] = os.environ
) -> Iterator[Supervisor]:
    """Start PostgreSQL, Valkey and anvil; a torso of an earlier start is removed first.

    `given` names the engines that run elsewhere (DATABASE_URL, CELERY_BROKER_URL, RPC_URL).
    """
    fresh = not folder.complete.exists()
    if fresh and folder.root.exists():
        shutil.rmtree(folder.root)
    anvil = AnvilServer(
        folder.root / "anvil",
        accounts=ACCOUNTS,
        state_file=folder.chain_state,
        genesis_at_s=int(time.time()) - HISTORY_DAYS * DAY_S if fresh else None,
        # The history's blocks come faster than one a second.
        extra=("--order", "fifo"),
    )
    supervisor = Supervisor(folder.root / "engines", durable=False, anvil=anvil, given=given)
    with supervisor:
        if fresh and supervisor.postgres is not None:
            _database_empty(supervisor.postgres.url("postgres"), supervisor.database)
        yield supervisor


def _database_empty(url: str, name: str) -> None:
    """Make the database anew: an earlier start may have left a torso in the cluster."""
    with psycopg.connect(url, autocommit=True) as connection:
        for command in ("DROP DATABASE IF EXISTS {}", "CREATE DATABASE {}"):
            connection.execute(sql.SQL(command).format(sql.Identifier(name)))


def world_build(folder: DemoFolder, engines: Supervisor, *, port: int, behind_s: int = 0) -> World:
    """Make everything at the first start; at a later one, find it again.

    `behind_s` leaves the chain's clock that far behind the wall clock, as room for
    a story that is told by moving it.
    """
    elsewhere = {name: engines.given[name] for name in ENGINES if engines.given.get(name)}
    variables = environment(folder, port=port) | elsewhere | engines.environment()
    if folder.complete.exists():
        return _world_reopen(folder, variables, port=port)
    with step("Making keys"):
        keeper = keeper_make(folder)
        attestor_make(folder)
        ear_key_make(folder)
    with step("Deploying the contracts with Ape"):
        _deploy(folder, variables)
    chain = _chain(folder, variables)
    chain.transact(sender=chain.accounts[0], to=keeper, value_wei=KEEPER_GAS_MONEY_WEI)
    started_at = chain.now()
    parliament = parliament_found(chain)
    with step("Registering the nodes"):
        fleet_register(chain, folder, patron=parliament.holders[0])
    with step(f"Living through {HISTORY_DAYS} days of votes"):
        for _line in history_play(parliament, started_at=started_at):
            print(".", end="", flush=True, file=sys.stderr)
    with step("Creating the database"):
        _database_update(variables)
    with step("Opening a vote"):
        # Its votes move the clock past the voting delay and are blocks of their own.
        ahead_s = parliament.setting("voting_delay_s") + 60
        chain.advance_to(int(time.time()) - behind_s - ahead_s)
        fleet_trouble(chain, folder)
        parliament.play(EPISODES[-1], proposer=parliament.delegates[0])
        chain.advance_to(int(time.time()) - behind_s)
        chain.tick()
    with step("Making a user of the console"):
        run(
            [sys.executable, "manage.py", "create_staff", "demo", "--role", "superuser"],
            variables,
            output=folder.console,
        )
    with step("Indexing the chain"):
        run([sys.executable, "manage.py", "index", "--until-head"], variables)
    folder.complete.write_text(json.dumps({"keeper": keeper}), encoding="utf-8")
    return World(folder, port, chain, parliament, variables)


def _world_reopen(folder: DemoFolder, variables: dict[str, str], *, port: int) -> World:
    attestor_make(folder)
    chain = _chain(folder, variables)
    with step("Moving the chain's clock to now"):
        chain.advance_to(int(time.time()))
        chain.tick()
    with step("Updating the database"):
        _database_update(variables)
    return World(folder, port, chain, Parliament.reopen(chain), variables)


def _database_update(variables: dict[str, str]) -> None:
    """Tables, and the emulator's manifests in them."""
    run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], variables)
    run([sys.executable, "manage.py", "rim_import"], variables)


def _deploy(folder: DemoFolder, variables: dict[str, str]) -> None:
    run(
        [
            sys.executable,
            "scripts/deploy.py",
            "--rpc-url",
            variables["RPC_URL"],
            "--profile",
            "demo",
            "--out",
            str(folder.deployment),
        ],
        {"APE_DATA_FOLDER": str(folder.root / "ape")},
    )


def _chain(folder: DemoFolder, variables: dict[str, str]) -> LocalChain:
    deployment = json.loads(folder.deployment.read_text(encoding="utf-8"))
    return LocalChain(variables["RPC_URL"], deployment)
