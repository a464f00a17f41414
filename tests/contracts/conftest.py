"""An anvil for the session and Althing deployed on it by the script that deploys for real."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.anvil import AnvilServer

BASE_DIR = Path(__file__).resolve().parents[2]
# Long before today: the deployment must not confuse the chain's time with the wall's.
GENESIS_AT_S = 1_780_000_000
ACCOUNTS = 60


def pytest_configure(config: pytest.Config) -> None:
    """Start anvil before Ape's plug-in connects, which is when collection ends."""
    folder = Path(tempfile.mkdtemp(prefix="althing-contracts-"))
    server = AnvilServer(folder=folder / "anvil", accounts=ACCOUNTS, genesis_at_s=GENESIS_AT_S)
    server.folder.mkdir()
    server.start()
    # A second per block: the chain's clock follows what a test does, not the machine's speed.
    server.rpc("anvil_setBlockTimestampInterval", 1)
    config.stash[FOLDER] = folder
    config.stash[SERVER] = server
    os.environ["APE_FOUNDRY_HOST"] = server.url
    os.environ["APE_DATA_FOLDER"] = str(folder / "ape")
    (folder / "ape").mkdir()
    # Ape reads its configuration from the working directory.
    os.chdir(BASE_DIR)
    # Ape's import made ctrl-c exit without a report.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop anvil and remove everything the session wrote."""
    if SERVER in config.stash:
        config.stash[SERVER].stop()
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


FOLDER = pytest.StashKey[Path]()
SERVER = pytest.StashKey[AnvilServer]()


@pytest.fixture(scope="session")
def deployment_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a deployment with the `tests` profile."""
    from deploy import deploy

    path = tmp_path_factory.mktemp("deployment") / "31337.json"
    deploy("tests", path)
    return path


@pytest.fixture(scope="session")
def session_world(deployment_file: Path):
    """The deployed contracts and who acts on them; tests take `world`."""
    from support import World

    return World.load(deployment_file)


@pytest.fixture
def world(session_world) -> Iterator:
    """The world as deployed; what the test does to the chain is undone.

    Ape's own isolation is off: it takes its snapshot before the session's fixtures have deployed.
    """
    import ape

    snapshot = ape.chain.snapshot()
    yield session_world
    ape.chain.restore(snapshot)


@pytest.fixture
def voters(world) -> None:
    """Three holders who vote with their own tokens: 100,000, 70,000 and 10,000 ALT."""
    world.delegate(world.accounts[0], world.holder, world.accounts[9])
