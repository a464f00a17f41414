"""Resume an index that a deep reorganisation halted."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain import conf
from chain.client import rpc_client
from chain.deployment import deployment
from chain.doctor import CursorProblem, cursor_check, node_check
from chain.indexer.reorg import ancestor_find, reorg_resolve
from chain.indexer.repair import block_newest, cursor_fence
from chain.management.errors import coded_errors
from chain.models import Cursor


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
        corrupt = self._corrupt()
        if cursor is None or (cursor.state == Cursor.State.RUNNING and not corrupt):
            raise CommandError("The index is not halted; there is nothing to resolve.")
        if corrupt:
            self.stdout.write(f"The cursor is corrupt: {corrupt}")
        with coded_errors():
            node_check(rpc_client())
            self._resolve(cursor, yes, actor, fence=bool(corrupt))

    def _corrupt(self) -> str:
        try:
            with coded_errors():
                cursor_check()
        except CommandError as error:
            if not isinstance(error.__cause__, CursorProblem):
                raise
            return error.__cause__.detail
        return ""

    def _resolve(self, cursor: Cursor, yes: bool, actor: str, *, fence: bool) -> None:
        client = rpc_client()
        newest = cursor.number if not fence else block_newest()
        ancestor = ancestor_find(client, below=newest, lowest=0)
        if ancestor is None:
            self.stdout.write("No stored block is on the node's chain: it would start over.")
        else:
            depth = newest - ancestor.number
            self.stdout.write(f"Newest common block: {ancestor.number}, {depth} blocks down.")
        if not yes:
            self.stdout.write("Nothing was changed. Run it again with --yes to go back there.")
            return
        if fence:
            cursor_fence()
        event = reorg_resolve(client, actor=actor, first_block=deployment().first_block)
        self.stdout.write(f"Back at block {event.ancestor_number}; indexing runs again.")
