"""The command line of ``althing-node``."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from network.agent import doctor as checks
from network.agent.cli_context import Context, address_read
from network.agent.cli_registration import prove, register
from network.agent.compute import COMPUTE_END_S, challenger_start
from network.agent.errors import AgentError, Exit, KeysError
from network.agent.home import KEY_FILE, PQ_KEY_FILE, Home
from network.agent.loop import Loop
from network.agent.nvml import NvmlSource, nvml_load, nvml_source
from network.agent.rounds import Node, Outcome
from network.agent.sources import EmulatedSource, Source
from network.agent.unit import unit_text
from network.agent.xid import XidWatch
from network.http_signatures import pq_key_id

Command = TypeVar("Command", bound=Callable[..., Any])


class AgentGroup(click.Group):
    """Turns a reason to stop into one line and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AgentError as error:
            click.echo(f"{error.code}: {error.detail}", err=True)
            ctx.exit(int(error.exit_code))


@click.group(cls=AgentGroup)
@click.option(
    "--home",
    "home_directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path.home() / ".althing-node",
    envvar="ALTHING_NODE_HOME",
    show_default="~/.althing-node",
    help="Directory of the node's key and state.",
)
@click.option("--server", envvar="ALTHING_SERVER", help="Public address of the service.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done.")
@click.version_option("0.1.0", prog_name="althing-node")
@click.pass_context
def main(ctx: click.Context, home_directory: Path, server: str | None, verbose: bool) -> None:
    """Register a GPU node with Althing and prove what it runs."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    ctx.obj = Context(Home(home_directory), server)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def doctor(context: Context, as_json: bool) -> None:
    """Say what this machine has and lacks. Exit code 3: no usable GPU."""
    client = context.client() if context.server() else None
    found = checks.examine(source=nvml_source(), home=context.home, client=client)
    if as_json:
        click.echo(json.dumps([check.as_json() for check in found], indent=2))
    else:
        for check in found:
            click.echo(f"[{check.mark:>4}] {check.name}: {check.text}")
    sys.exit(int(checks.exit_code(found)))


@main.command()
@click.option("--no-ml-dsa", is_flag=True, help="Ed25519 alone, no post-quantum key.")
@click.option("--add-ml-dsa", is_flag=True, help="Only the post-quantum key, beside the other.")
@click.pass_obj
def keygen(context: Context, no_ml_dsa: bool, add_ml_dsa: bool) -> None:
    """Make the node's keys, Ed25519 and ML-DSA-65. They never leave this machine."""
    if no_ml_dsa and add_ml_dsa:
        raise click.UsageError("--no-ml-dsa and --add-ml-dsa contradict each other.")
    home = context.home
    if add_ml_dsa:
        home.key_load()
    else:
        home.key_create()
        click.echo(f"Stored in {home.path(KEY_FILE)}")
    if add_ml_dsa or not (no_ml_dsa or home.path(PQ_KEY_FILE).exists()):
        home.pq_key_create()
        click.echo(f"Stored in {home.path(PQ_KEY_FILE)}")
    keys = home.keys_load()
    click.echo(f"Key id {keys.public.hex()}")
    if keys.ml_dsa_65 is not None:
        click.echo(f"Post-quantum key id {pq_key_id(keys.pq_public)}")
    operator = home.config_load().operator
    if operator is not None:
        click.echo(f"Keys hash for rotateKeys 0x{keys.hash(address_read(operator)).hex()}")


def _source_options(command: Command) -> Command:
    for option in (
        click.option("--node-id", help="As registered; 0x and 64 digits."),
        click.option("--emulated", is_flag=True, help="Use EMULATED GPUs (demonstrations only)."),
        click.option(
            "--emulator-dir",
            type=click.Path(file_okay=False, path_type=Path),
            envvar="ALTHING_EMULATOR_ROOT",
            help="The emulator installation that the service trusts.",
        ),
        click.option("--class", "gpu_class", default="h100_80g", help="Class to emulate."),
        click.option("--gpus", type=click.IntRange(1, 128), default=1, help="GPUs to emulate."),
        click.option(
            "--require-evidence", is_flag=True, help="Stop rather than report as tier T1."
        ),
    ):
        command = option(command)
    return command


@main.command()
@_source_options
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer.")
@click.pass_obj
def attest(context: Context, /, as_json: bool, **options: Any) -> None:
    """Report once and print the verdict. Exit code 8: the verdict is not positive."""
    outcome = _node(context, **options).attest()
    click.echo(json.dumps(outcome.answer, indent=2) if as_json else "\n".join(describe(outcome)))
    sys.exit(int(Exit.OK if outcome.accepted else Exit.VERDICT))


@main.command()
@_source_options
@click.option("--rounds", type=click.IntRange(min=1), help="Stop after so many rounds.")
@click.option(
    "--compute",
    type=click.Choice(["auto", "torch", "cupy", "numpy", "off"]),
    default="auto",
    show_default=True,
    help="What answers compute rounds; auto takes a GPU library, or numpy for EMULATED GPUs.",
)
@click.pass_obj
def run(context: Context, /, rounds: int | None, compute: str, **options: Any) -> None:
    """Report on the interval that the network voted for, and answer compute rounds, until
    stopped."""
    node = _node(context, **options)
    if isinstance(node.source, NvmlSource) and node.source.xid is not None:
        node.source.xid.start()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    challenger = challenger_start(node, compute, wait=stop.wait)
    loop = Loop(
        node=node,
        wait=stop.wait,
        report=lambda outcome: click.echo("\n".join(describe(outcome))),
        max_rounds=rounds,
    )
    verdicts = loop.run()
    stop.set()
    if challenger is not None:
        # A round under way is answered to its end, or given up with the process.
        challenger.join(COMPUTE_END_S)
    sys.exit(int(Exit.OK if verdicts or rounds is None else Exit.UNREACHABLE))


@main.command()
@click.option("--user", default="althing", show_default=True, help="The account it runs as.")
@click.pass_obj
def systemd(context: Context, user: str) -> None:
    """Print a hardened systemd unit for `run` on this machine."""
    # Beside this Python first: a virtual environment need not be on the path.
    found = shutil.which("althing-node", path=str(Path(sys.executable).parent)) or shutil.which(
        "althing-node"
    )
    if found is None:
        raise KeysError("program_missing", "The command althing-node is not on the path.")
    click.echo(
        unit_text(
            program=Path(found).absolute(),
            home=context.home.directory.absolute(),
            server=context.server_needed(),
            user=user,
        ),
        nl=False,
    )


def describe(outcome: Outcome) -> list[str]:
    """The verdict in plain words."""
    verdict = outcome.verdict
    emulated = " (EMULATED GPUs)" if verdict.get("emulated") else ""
    lines = [
        f"Report {outcome.seq}: {verdict.get('status')}, tier T{verdict.get('tier')} of T"
        f"{verdict.get('required_tier')} required{emulated}.",
        f"  {verdict.get('sentence')}",
        f"  Counts until {verdict.get('fresh_until')} under policy "
        f"{verdict.get('policy_version')}.",
    ]
    if outcome.note:
        lines.append(f"  No GPU evidence was sent: {outcome.note}")
    found = verdict.get("findings")
    for finding in found.get("findings", []) if isinstance(found, dict) else []:
        where = "node" if finding.get("device") is None else f"GPU {finding['device']}"
        said = f"{where}: {finding.get('detail')} ({finding.get('code')})"
        lines.append(f"  [{finding.get('severity')}] {said}")
    return lines


def _node(
    context: Context,
    *,
    node_id: str | None,
    emulated: bool,
    emulator_dir: Path | None,
    gpu_class: str,
    gpus: int,
    require_evidence: bool,
) -> Node:
    identifier = context.node_id(node_id)
    source: Source
    if emulated:
        if emulator_dir is None:
            raise KeysError("emulator_dir_missing", "--emulated needs --emulator-dir.")
        source = EmulatedSource.open(
            emulator_dir, label=identifier, gpu_class=gpu_class, gpu_count=gpus
        )
    else:
        source = NvmlSource(nvml_load, xid=XidWatch(nvml_load))
    return Node(
        client=context.client(),
        home=context.home,
        source=source,
        keys=context.home.keys_load(),
        node_id=identifier,
        require_evidence=require_evidence,
    )


main.add_command(register)
main.add_command(prove)


if __name__ == "__main__":
    main()
