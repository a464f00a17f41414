"""Follow a governor that is not ours."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain import conf
from chain.addresses import AddressInvalid, parse_address
from chain.client import rpc_client
from chain.deployment import DeploymentInvalid, deployment
from chain.rpc.client import RpcClient
from chain.rpc.errors import RpcError
from chain.rpc.transport import HttpTransport
from chain.watch import WatchRefused
from governance.errors import GovernanceError
from governance.governors.errors import GovernorProbeError, NodeUnreachable
from governance.governors.kinds import GovernorReport
from governance.governors.probe import governor_probe
from governance.governors.report import report_json, report_lines
from governance.models import GovernorAct
from governance.services.governors import governor_add


class Command(BaseCommand):
    help = (
        "Ask the chain what kind of governor stands at an address, print the report and what of "
        "it is not supported, and index its proposals and votes from its first block on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="the governor's own, 0x and 40 digits")
        parser.add_argument(
            "--rpc", help="node to ask now, an archive node for one (default: RPC_URL)"
        )
        parser.add_argument("--name", default="", help="what to call it (default: its own name)")
        parser.add_argument(
            "--from-block", type=int, help="first block to index (default: found by bisection)"
        )
        parser.add_argument("--dry-run", action="store_true", help="report only, store nothing")
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="the report as one JSON object"
        )
        parser.add_argument("--actor", default="governor_add", help="who adds it, for the record")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        try:
            self._run(as_json=as_json, **options)
        except (GovernanceError, WatchRefused, AddressInvalid, DeploymentInvalid) as error:
            if as_json:
                data = getattr(error, "data", {})
                self._json({"code": error.code, "detail": error.detail, "data": data})
            raise CommandError(f"{error.detail} ({error.code})") from error

    def _run(
        self,
        *,
        address: str,
        rpc: str | None,
        name: str,
        from_block: int | None,
        dry_run: bool,
        actor: str,
        as_json: bool,
        **rest: Any,
    ) -> None:
        place = parse_address(address)
        _refuse_own(place)
        with _client(rpc) as client:
            report = governor_probe(
                client=client, address=place, chain_id=conf.chain_id(), from_block=from_block
            )
        if not as_json:
            for line in report_lines(report):
                self.stdout.write(line)
        outcome = "Nothing was stored (--dry-run)."
        if not dry_run:
            outcome = _store(report, name=name, actor=actor)
        if as_json:
            self._json({**report_json(report), "outcome": outcome})
        else:
            self.stdout.write(f"\n{outcome}")

    def _json(self, content: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(content, indent=2))


def _refuse_own(address: bytes) -> None:
    try:
        name = deployment().by_address.get(address)
    except DeploymentInvalid as error:
        # Without contracts of our own everything is somebody else's.
        if error.code != "deployment_missing":
            raise
        return
    if name is not None:
        raise GovernorProbeError(
            f"That is our own {name}, which is indexed already. There is nothing to add.",
            code="governor_is_ours",
        )


@contextmanager
def _client(url: str | None) -> Iterator[RpcClient]:
    """The node to ask: the service's own, or one that is named, for this once."""
    if url is None:
        yield rpc_client()
        return
    if not url.startswith(("http://", "https://")):
        raise GovernorProbeError(
            # Not repeated: a node's address may hold its key.
            "--rpc takes a node's address that begins with http:// or https://. "
            "Give one, or leave --rpc out to ask RPC_URL.",
            code="governor_rpc_malformed",
        )
    transport = HttpTransport(url)
    try:
        yield RpcClient(transport)
    finally:
        transport.close()


def _store(report: GovernorReport, *, name: str, actor: str) -> str:
    """Store it through the index's own node, and say what that came to."""
    try:
        governor = governor_add(report=report, name=name, actor=actor)
    except RpcError as error:
        raise NodeUnreachable(
            f"The index's own node: {error.detail.rstrip('. ')}. Nothing was stored. "
            "Check RPC_URL, which the indexer follows."
        ) from error
    act = GovernorAct.objects.filter(governor=governor.address).first()
    since = f"from block {report.creation_block:,} on"
    return {
        GovernorAct.Act.ADD: f"Added as {governor.name}. The indexer takes its logs {since}.",
        GovernorAct.Act.UPDATE: (
            f"It was added before, as {governor.name}; this report has taken the place of the "
            "old one. To judge its older proposals by it: "
            "manage.py rebuild_projections --projector governance.governors"
        ),
        GovernorAct.Act.RESTORE: (
            f"It had been removed and is back, as {governor.name}. The indexer goes on where it "
            "stopped."
        ),
    }[GovernorAct.Act(act.act if act else GovernorAct.Act.ADD)]
