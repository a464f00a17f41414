"""Deploy Althing and write its deployment file.

On any network of Ape's, with an account of Ape's::

    ape run deploy --network ethereum:sepolia:node --account NAME --profile production \
        --guardian 0x.. --attestor 0x.. --holders genesis.csv

Without a terminal, against a node's address (a local chain uses anvil's first account)::

    python scripts/deploy.py --rpc-url http://127.0.0.1:8545 --profile tests --out FILE

From Python, inside a connected Ape network: `deploy`. The passphrase of a keystore account comes
from the terminal or from ``APE_ACCOUNTS_<name>_PASSPHRASE``. Exit status 1: refused, or unsafe;
nothing is written then.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _deployment import profiles
from _deployment.checks import deployment_check, plan_check
from _deployment.errors import DeploymentError, DeploymentRefused
from _deployment.record import record, record_write
from _deployment.steps import ROOT, deploy_contracts


def deploy(
    profile: str,
    out_path: Path,
    *,
    account: Any = None,
    guardian: str | None = None,
    attestor: str | None = None,
    holders_path: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Deploy on the connected network, check every role, write the file and return its content.

    Args:
        profile: "demo", "tests" or "production".
        out_path: where the deployment file goes; untouched unless everything holds.
        account: Ape's account that pays; on a local chain the first test account.
        guardian, attestor: EIP-55 addresses; on a local chain test accounts 1 and 2.
        holders_path: the genesis list of a production deployment, CSV of address and amount_wei.
        report: called with a sentence per step.

    Raises:
        DeploymentRefused: before anything was sent.
        DeploymentUnsafe: the chain is not what was meant; the contracts must not be used.
    """
    import ape

    plan = plan_make(profile, guardian=guardian, attestor=attestor, holders_path=holders_path)
    if account is None:
        if not plan.profile.local_only:
            raise DeploymentRefused("A production deployment needs --account, an account of Ape's")
        account = _local_accounts(1)[0]
    chain_id = int(ape.chain.chain_id)
    plan_check(plan, deployer=account.address, chain_id=chain_id)
    head = ape.chain.blocks.head
    contracts = deploy_contracts(account, plan, now_s=int(head.timestamp), report=report)
    report("Checking every role")
    deployment_check(contracts, plan, deployer=account.address)
    content = record(
        contracts,
        plan,
        deployer=account.address,
        chain_id=chain_id,
        deployed_at=int(ape.chain.blocks[contracts.first_block].timestamp),
    )
    record_write(out_path, content)
    return content


def plan_make(
    profile: str, *, guardian: str | None, attestor: str | None, holders_path: Path | None
) -> profiles.Plan:
    """Return the plan of a profile.

    Raises:
        DeploymentRefused: the profile is unknown, or a real deployment lacks a name.
    """
    if profile not in profiles.PROFILES:
        raise DeploymentRefused(
            f"No such profile: {profile}. Known: {', '.join(profiles.PROFILES)}"
        )
    chosen = profiles.PROFILES[profile]
    if not chosen.local_only:
        if guardian is None or attestor is None or holders_path is None:
            raise DeploymentRefused(
                "A production deployment needs --guardian, --attestor and --holders"
            )
        return profiles.Plan(chosen, profiles.holders_read(holders_path), guardian, attestor)
    accounts = _local_addresses(profiles.DEMO_FIRST_HOLDER + profiles.DEMO_HOLDERS)
    make = profiles.demo_holders if profile == "demo" else profiles.tests_holders
    return profiles.Plan(
        chosen,
        profiles.holders_read(holders_path) if holders_path else make(accounts),
        guardian or accounts[profiles.GUARDIAN_INDEX],
        attestor or accounts[profiles.ATTESTOR_INDEX],
    )


def _local_accounts(count: int) -> list[Any]:
    import ape

    return [ape.accounts.test_accounts[index] for index in range(count)]


def _local_addresses(count: int) -> list[str]:
    from ape.utils.testing import generate_dev_accounts

    return [account.address for account in generate_dev_accounts(number_of_accounts=count)]


@contextmanager
def ape_connected(rpc_url: str) -> Iterator[None]:
    """Connect Ape to a node by its address; leaves the process's SIGINT handler as it was."""
    handler = signal.getsignal(signal.SIGINT)
    # Ape reads its configuration from the working directory at first use.
    os.chdir(ROOT)
    if folder := os.environ.get("APE_DATA_FOLDER"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    os.environ["APE_FOUNDRY_HOST"] = rpc_url
    import ape

    # Importing Ape replaces the handler by one that exits at once.
    signal.signal(signal.SIGINT, handler)
    with ape.networks.parse_network_choice(_network_choice(rpc_url)):
        yield


def _network_choice(rpc_url: str) -> str:
    """Choose Ape's local network, which has test accounts, for a local chain; else the address."""
    import requests

    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    try:
        chain_id = int(requests.post(rpc_url, json=call, timeout=10).json()["result"], 16)
    except (requests.RequestException, KeyError, TypeError, ValueError) as error:
        # The address itself may carry a key, so it is not repeated.
        raise DeploymentRefused("No Ethereum node answers at the --rpc-url address") from error
    local = chain_id == profiles.LOCAL_CHAIN_ID
    return "ethereum:local:foundry" if local else rpc_url


def _run(options: dict[str, Any], account: Any) -> None:
    _sign_unattended(account)
    content = deploy(
        options["profile"],
        options["out"].resolve(),
        account=account,
        guardian=options["guardian"],
        attestor=options["attestor"],
        holders_path=options["holders"],
        report=click.echo,
    )
    for name, item in content["contracts"].items():
        click.echo(f"{name}: {item['address']}")
    click.echo(f"Written: {options['out']}")


@contextmanager
def _errors_told() -> Iterator[None]:
    """End with a sentence and status 1 instead of a traceback."""
    try:
        yield
    except DeploymentError as error:
        raise click.ClickException(f"{error.code}: {error}") from error


def _sign_unattended(account: Any) -> None:
    """Ask for no confirmation where the passphrase came from the environment: nobody is there."""
    name = getattr(account, "alias", None)
    if name and f"APE_ACCOUNTS_{name}_PASSPHRASE" in os.environ:
        account.set_autosign(True)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--profile", type=click.Choice(list(profiles.PROFILES)), required=True),
        click.option("--out", type=click.Path(path_type=Path), help="The deployment file."),
        click.option("--guardian", help="EIP-55 address; a multisig in production."),
        click.option("--attestor", help="EIP-55 address of the attestation service's account."),
        click.option(
            "--holders",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="Genesis list: CSV with the columns address and amount_wei.",
        ),
    ):
        command = option(command)
    return command


def _default_out(options: dict[str, Any]) -> None:
    import ape

    if options["out"] is None:
        options["out"] = ROOT / "deployments" / f"{ape.chain.chain_id}.json"


@click.command()
@click.option("--rpc-url", required=True, help="The node's JSON-RPC address.")
@click.option("--account", help="Name of an account of Ape's; not needed on a local chain.")
@_options
def main(rpc_url: str, account: str | None, **options: Any) -> None:
    """Deploy Althing through a node's address."""
    with _errors_told(), ape_connected(rpc_url):
        import ape

        _default_out(options)
        _run(options, ape.accounts.load(account) if account else None)


def ape_command() -> click.Command:
    """Return what `ape run deploy` runs; Ape connects before it is called."""
    from ape.cli import ConnectedProviderCommand, account_option

    @click.command(cls=ConnectedProviderCommand)
    @account_option()
    @_options
    def command(account: Any, **options: Any) -> None:
        """Deploy Althing through an Ape network, with an account of Ape's."""
        _default_out(options)
        with _errors_told():
            _run(options, account)

    return command


if __name__ == "__main__":
    main()
else:
    # Ape looks for this name.
    cli = ape_command()
