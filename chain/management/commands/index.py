"""Follow the chain."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.deployment import DeploymentInvalid
from chain.indexer.commit import ChainMismatch
from chain.indexer.loop import Indexer, Step, index_forever, index_until_head
from chain.rpc.errors import RpcError


class Command(BaseCommand):
    help = "Index our contracts' events: follow the chain until stopped, or catch up and leave."

    def add_arguments(self, parser: ArgumentParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="one step, then leave")
        how.add_argument("--until-head", action="store_true", help="catch up, then leave")
        parser.add_argument(
            "--poll-s", type=float, default=0.3, help="seconds between looks at an idle chain"
        )

    def handle(self, *args: Any, once: bool, until_head: bool, poll_s: float, **kw: Any) -> None:
        try:
            if once:
                self._tell(Indexer().step())
            elif until_head:
                self._tell(index_until_head())
            else:
                self._follow(poll_s)
        except RpcError as error:
            raise CommandError(f"The node: {error.detail} ({error.code})") from error
        except (DeploymentInvalid, ChainMismatch) as error:
            raise CommandError(str(error)) from error

    def _tell(self, step: Step) -> None:
        self.stdout.write(f"{step.outcome} {step.blocks}")
        if step.outcome == "halted":
            raise CommandError("Indexing is halted by a deep reorganisation; run resolve_reorg.")

    def _follow(self, poll_s: float) -> None:
        stopping = threading.Event()
        # Between two commits: a SIGTERM must not tear a block in the middle (it would only be
        # fetched again, but the log would show an error where there is none).
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        index_forever(poll_s=poll_s, stop=stopping.is_set)
