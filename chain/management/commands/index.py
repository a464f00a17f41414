"""Follow the chain."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.doctor import index_check
from chain.indexer.follow import halt_sentence, index_forever
from chain.indexer.loop import Indexer, Step, index_until_head
from chain.management.errors import coded_errors


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
        with coded_errors():
            if not once and not until_head:
                self._follow(poll_s)
                return
            index_check()
            self._tell(Indexer().step() if once else index_until_head())

    def _tell(self, step: Step) -> None:
        self.stdout.write(f"{step.outcome} {step.blocks}")
        if step.outcome == "halted":
            raise CommandError(halt_sentence())

    def _follow(self, poll_s: float) -> None:
        stopping = threading.Event()
        # Between two commits: a SIGTERM must not tear a block in the middle (it would only be
        # fetched again, but the log would show an error where there is none).
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        index_forever(poll_s=poll_s, stop=stopping.is_set)
