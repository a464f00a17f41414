"""The real engines for the tests: PostgreSQL and Valkey at the start, anvil when asked for.

Loaded by ``-p tests.plugins.engines`` (pyproject.toml), because pytest-django reads the settings
before any conftest is imported and the addresses must stand in the environment by then.

* One PostgreSQL and one Valkey per run, in a folder of its own that is deleted at the end. With
  pytest-xdist the controller starts them; each worker has its own database (pytest-django), its own
  Valkey database, its own anvil and its own deployment.
* ``TEST_DATABASE_URL``, ``TEST_CELERY_BROKER_URL`` and ``TEST_RPC_URL`` (an anvil that mines a
  block per transaction, chain id 31337) use engines that run already. The variables without
  ``TEST_`` are ignored: they may name a production system.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.embedded.anvil import CHAIN_ID, AnvilServer, rpc_call
from config.embedded.process import free_port
from config.embedded.supervisor import Supervisor

BASE_DIR = Path(__file__).resolve().parents[2]
FOLDER_PREFIX = "althing-test-"
# anvil's own default, public on purpose: the keys are worth nothing anywhere else.
MNEMONIC = "test test test test test test test test test test test junk"
ACCOUNTS = 20
DEPLOY_TIMEOUT_S = 180
# A folder without a lock is one that a run is just making, unless it is this old.
STALE_AFTER_S = 3600
# What a developer's shell may carry and a test must not see (config/env.py).
FOREIGN_VARIABLES = (
    "SECRET_KEY SECRET_KEY_FALLBACKS ALLOWED_HOSTS SITE_URL DAO_NAME CACHE_URL RPC_URL_SECOND "
    "CHAIN_FINALITY CHAIN_REORG_WINDOW ALTHING_KEEPER_KEYSTORE ALTHING_KEEPER_PASSPHRASE_FILE "
    "ALTHING_KEEPER_SIGNER_URL ALTHING_KEEPER_SIGNER_URL_FILE ALTHING_KEEPER_SIGNER_ADDRESS "
    "RPC_URLS RPC_URLS_FILE RPC_URL_SECOND_FILE CHAIN_VERIFY_RECEIPTS CHAIN_VERIFY_HEADERS "
    "ALTHING_ATTESTOR_KEYSTORE ALTHING_ATTESTOR_PASSPHRASE_FILE ALTHING_ATTESTOR_SIGNER_URL "
    "ALTHING_ATTESTOR_SIGNER_URL_FILE ALTHING_ATTESTOR_SIGNER_ADDRESS "
    "ALTHING_KEEPER_MAX_FEE_PER_GAS_WEI ALTHING_KEEPER_MIN_BALANCE_WEI "
    "ALTHING_KEEPER_DAILY_GAS_WEI ALTHING_KEEPER_MIN_TIP_WEI ALTHING_KEEPER_BUMP_AFTER_S "
    "ALTHING_KEEPER_OVERDUE_S ALTHING_KEEPER_DRY_RUN "
    "ALTHING_EAR_KEY ALTHING_EMULATOR_ROOT ALTHING_RIM_DIR ALTHING_ATTEST_CONCURRENCY "
    "ALTHING_COMPUTE_CHECK ADMIN_PATH ADMIN_ALLOWED_IPS DEMO_MODE "
    "LOG_LEVEL DATABASE_URL_FILE CELERY_BROKER_URL_FILE RPC_URL_FILE SECRET_KEY_FILE CACHE_URL_FILE"
).split()

Rpc = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ChainAccount:
    """One of anvil's funded accounts: 20-byte address, 32-byte key, EIP-55 text."""

    index: int
    address: bytes
    private_key: bytes
    checksum: str


@dataclass(slots=True)
class TestEngines:
    """The run's folder and what was started in it. One per process."""

    __test__ = False

    folder: Path
    supervisor: Supervisor | None = None
    anvil: AnvilServer | None = None

    @property
    def deployment_file(self) -> Path:
        return self.folder / "deployments" / f"{CHAIN_ID}.json"

    def anvil_start(self) -> str:
        """Start this process's anvil on the port that the settings already name; return its URL."""
        given = os.environ.get("TEST_RPC_URL")
        if given:
            return given
        if self.anvil is None:
            port = int(os.environ["RPC_URL"].rsplit(":", 1)[1])
            # By default it forgets the oldest of 4,100 states, of whichever test; thousands of
            # tests share one anvil, and many read the state right after the deployment.
            extra = ("--max-persisted-states", "1000000")
            anvil = AnvilServer(self.folder / "anvil", port=port, accounts=ACCOUNTS, extra=extra)
            anvil.start()
            self.anvil = anvil
        return self.anvil.url

    def close(self) -> None:
        """Stop what this process started and delete its folder."""
        if self.anvil is not None:
            self.anvil.stop()
        if self.supervisor is not None:
            self.supervisor.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


ENGINES: list[TestEngines] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Put the addresses into the environment before pytest-django reads the settings."""
    if ENGINES:
        return
    for name in FOREIGN_VARIABLES:
        os.environ.pop(name, None)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    engines = _worker_engines(worker) if worker else _controller_engines()
    ENGINES.append(engines)
    os.environ["RPC_URL"] = os.environ.get("TEST_RPC_URL") or f"http://127.0.0.1:{free_port()}"
    os.environ["CHAIN_ID"] = str(CHAIN_ID)
    os.environ["ALTHING_DEPLOYMENT"] = str(engines.deployment_file)


def pytest_unconfigure() -> None:
    """Leave nothing behind: no process, no folder."""
    while ENGINES:
        ENGINES.pop().close()


def _controller_engines() -> TestEngines:
    _remove_abandoned_folders()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)).resolve()
    # The user PostgreSQL runs as, when we are root, must be able to walk in.
    folder.chmod(0o711)
    given = {
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", ""),
        "CELERY_BROKER_URL": os.environ.get("TEST_CELERY_BROKER_URL", ""),
    }
    supervisor = Supervisor(folder, durable=False, given=given)
    supervisor.start()
    os.environ.update({name: value for name, value in given.items() if value})
    os.environ.update(supervisor.environment())
    os.environ["ALTHING_TEST_FOLDER"] = str(folder)
    return TestEngines(folder, supervisor)


def _worker_engines(worker: str) -> TestEngines:
    """An xdist worker: PostgreSQL and Valkey are the controller's, the rest is its own."""
    folder = Path(os.environ["ALTHING_TEST_FOLDER"]) / worker
    folder.mkdir(exist_ok=True)
    broker, _, _ = os.environ["CELERY_BROKER_URL"].rpartition("/")
    os.environ["CELERY_BROKER_URL"] = f"{broker}/{int(worker.removeprefix('gw')) + 1}"
    return TestEngines(folder)


def _remove_abandoned_folders() -> None:
    """Delete what runs that were killed left behind; a run that lives holds its folder's lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        lock = folder / "engines.lock"
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.geteuid():
                continue
            if not lock.exists():
                abandoned = time.time() - folder.stat().st_mtime > STALE_AFTER_S
            else:
                abandoned = _is_unlocked(lock)
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)


def _is_unlocked(lock: Path) -> bool:
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


# --- Fixtures -----------------------------------------------------------------


@pytest.fixture(scope="session")
def test_engines() -> TestEngines:
    """The engines of this process."""
    return ENGINES[0]


@pytest.fixture(scope="session")
def session_anvil_url(test_engines: TestEngines) -> str:
    """The URL of this process's anvil (31337, a block per transaction), shared by all its tests.

    For fixtures of a wider scope. A test takes ``anvil_url``, which undoes what the test did.
    """
    return test_engines.anvil_start()


@pytest.fixture(scope="session")
def session_deployment(test_engines: TestEngines, session_anvil_url: str) -> dict[str, Any]:
    """The contracts, deployed once per process by ``scripts/deploy.py``, whose file is returned."""
    out = test_engines.deployment_file
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(BASE_DIR / "scripts" / "deploy.py")]
    command += ["--rpc-url", session_anvil_url, "--profile", "tests", "--out", str(out)]
    environment = {**os.environ, "APE_DATA_FOLDER": str(test_engines.folder / "ape")}
    done = subprocess.run(
        command,
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEPLOY_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"scripts/deploy.py failed:\n{done.stdout}{done.stderr}", pytrace=False)
    return dict(json.loads(out.read_text(encoding="utf-8")))


@pytest.fixture
def anvil_url(session_anvil_url: str) -> Iterator[str]:
    """The chain's URL; what the test does to the chain and its clock is undone after it."""
    snapshot = rpc_call(session_anvil_url, "evm_snapshot")
    yield session_anvil_url
    rpc_call(session_anvil_url, "evm_revert", snapshot)


@pytest.fixture
def rpc(anvil_url: str) -> Rpc:
    """``rpc(method, *params)``: one JSON-RPC call to the test's chain; raises ``RpcFailed``."""

    def call(method: str, *params: Any) -> Any:
        return rpc_call(anvil_url, method, *params)

    return call


@pytest.fixture
def deployment(session_deployment: dict[str, Any], anvil_url: str) -> dict[str, Any]:
    """The deployment file's content, on a chain whose changes are undone after the test.

    ``settings.ALTHING_DEPLOYMENT`` and ``settings.RPC_URL`` name it from the start of the run.
    """
    return session_deployment


@pytest.fixture(scope="session")
def web3_accounts() -> list[ChainAccount]:
    """anvil's funded accounts, by index; the first is the deployer."""
    from eth_account import Account

    Account.enable_unaudited_hdwallet_features()
    accounts = []
    for index in range(ACCOUNTS):
        account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
        address = bytes.fromhex(account.address[2:])
        accounts.append(ChainAccount(index, address, bytes(account.key), account.address))
    return accounts
