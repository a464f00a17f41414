"""Resume an index that a deep reorganisation halted."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain import conf
from chain.client import rpc_client
from chain.deployment import deployment
from chain.indexer.reorg import ancestor_find, reorg_resolve
from chain.models import Cursor
from chain.rpc.errors import RpcError


class Command(BaseCommand):
    help = (
        "Show how deep the reorganisation is that halted indexing; with --yes, go back to the "
        "newest common block and index again. Check first that the node is right."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do it")
        parser.add_argument("--actor", default="resolve_reorg", help="who decided, for the record")

    def handle(self, *args: Any, yes: bool, actor: str, **kw: Any) -> None:
        cursor = Cursor.objects.filter(chain_id=conf.chain_id()).first()
        if cursor is None or cursor.state == Cursor.State.RUNNING:
            raise CommandError("The index is not halted; there is nothing to resolve.")
        try:
            self._resolve(cursor, yes, actor)
        except RpcError as error:
            raise CommandError(f"The node: {error.detail} ({error.code})") from error

    def _resolve(self, cursor: Cursor, yes: bool, actor: str) -> None:
        client = rpc_client()
        ancestor = ancestor_find(client, below=cursor.number, lowest=0)
        if ancestor is None:
            self.stdout.write("No stored block is on the node's chain: it would start over.")
        else:
            depth = cursor.number - ancestor.number
            self.stdout.write(f"Newest common block: {ancestor.number}, {depth} blocks down.")
        if not yes:
            self.stdout.write("Nothing was changed. Run it again with --yes to go back there.")
            return
        event = reorg_resolve(client, actor=actor, first_block=deployment().first_block)
        self.stdout.write(f"Back at block {event.ancestor_number}; indexing runs again.")
