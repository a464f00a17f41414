"""The world of a session: engines, contracts, people with tokens, an index of all that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.chaos.chainside import ALT, HOLDER, KEEPER, VOTERS, Chain, deployment_read
from bench.chaos.proxy import Proxy
from bench.chaos.run import World, settings_heal
from bench.chaos.stage import BASE, LIVE, Stage, folder_make
from config.embedded.anvil import BASE_DIR, AnvilServer
from config.embedded.supervisor import terminate_as_interrupt


@contextmanager
def world_open(*, long: bool, say: Callable[[str], None]) -> Iterator[World]:
    """Start everything, lend it, and remove every trace, also when asked to leave (SIGTERM)."""
    with terminate_as_interrupt(), _world_open(long=long, say=say) as world:
        yield world


@contextmanager
def _world_open(*, long: bool, say: Callable[[str], None]) -> Iterator[World]:
    folder = folder_make()
    say("Starting PostgreSQL, Valkey and anvil; deploying the contracts")
    server = AnvilServer(folder / "anvil", accounts=20)
    server.start()
    deployment = folder / "deployment.json"
    _deploy(server, deployment, folder)
    stage = Stage(folder, server, deployment)
    stage.start()
    stage.disk_spare()
    proxy = Proxy(server.url)
    proxy.start()
    try:
        chain = Chain(server, deployment_read(deployment))
        chain.start()
        yield _world(stage, chain, proxy, long=long)
    finally:
        proxy.stop()
        stage.stop()


def _deploy(server: AnvilServer, path: Path, folder: Path) -> None:
    import os

    command = [sys.executable, str(BASE_DIR / "scripts" / "deploy.py"), "--rpc-url", server.url]
    command += ["--profile", "tests", "--out", str(path)]
    environment = {**os.environ, "APE_DATA_FOLDER": str(folder / "ape")}
    done = subprocess.run(
        command, cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"The deployment failed: {done.stdout}{done.stderr}")


def _world(stage: Stage, chain: Chain, proxy: Proxy, *, long: bool) -> World:
    """Tokens and votes for several, one decided proposal, and the index of it."""
    from chain.indexer.loop import index_until_head

    token_owner = HOLDER
    chain.must(chain.delegate(token_owner, chain.accounts[HOLDER]))
    for who in (*VOTERS, KEEPER):
        chain.must(chain.transfer(token_owner, chain.accounts[who], 1000 * ALT))
        chain.must(chain.delegate(who, chain.accounts[who]))
    chain.mine()
    proposal = chain.payout(chain.accounts[19], 1, "The first")
    chain.mine(seconds=6)
    chain.must(
        # Defeated: what the runs decide must be the only thing there is to carry out.
        chain.vote(HOLDER, proposal, 0),
        *(chain.vote(who, proposal, who % 3, "Because.") for who in VOTERS),
    )
    chain.mine(seconds=80)
    chain.mine(4)
    settings_heal(stage)
    index_until_head()
    stage.database_copy(LIVE, BASE)
    return World(
        stage,
        chain,
        proxy,
        snapshot=chain.rpc("evm_snapshot"),
        first_nonce=chain.nonce(chain.keeper),
        long=long,
    )
