"""The keeper and its sender without Celery, or as a rehearsal."""

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.deployment import DeploymentInvalid
from chain.rpc.errors import RpcError
from chain.sender.loop import outbox_run_once
from governance import keeper
from governance.models import KeeperNote, Proposal
from network.services.suspensions import suspensions_tick


class Command(BaseCommand):
    help = (
        "Queue and execute what the vote decided, suspend the nodes that incidents name and "
        "resume the cured: until stopped, or once. With --dry-run, say of the proposals "
        "what would be done: the chain is asked everything, nothing is written, signed or sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="look once, then leave")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--poll-s", type=float, default=3.0, help="seconds between two looks (default 3)"
        )

    def handle(self, *args: Any, once: bool, dry_run: bool, poll_s: float, **options: Any) -> None:
        look = self._rehearse if dry_run else self._tick
        try:
            if once:
                look()
            else:
                self._follow(look, poll_s)
        except DeploymentInvalid as error:
            raise CommandError(f"{error} ({error.code})") from error
        except RpcError as error:
            raise CommandError(
                f"The node: {error.detail} ({error.code}). Check RPC_URL; nothing is lost."
            ) from error

    def _rehearse(self) -> None:
        found = keeper.keeper_rehearse()
        for proposal, judgement in found:
            self._tell(proposal.number, judgement.step, judgement.code, judgement.sentence)
        if not found:
            self.stdout.write("No proposal waits to be queued or executed.")

    def _tick(self) -> None:
        submitted = keeper.keeper_tick() + suspensions_tick()
        outbox_run_once()
        self.stdout.write(f"{submitted} submitted")
        numbers = dict(Proposal.objects.values_list("proposal_id", "number"))
        for note in KeeperNote.objects.exclude(step="").order_by("checked_at"):
            self._tell(numbers.get(note.proposal_id), note.step, note.code, note.sentence)
        for alarm in keeper.alarms():
            self.stderr.write(f"ALARM {alarm.code} ({alarm.subject}): {alarm.sentence}")

    def _tell(self, number: int | None, step: str, code: str, sentence: str) -> None:
        self.stdout.write(f"{number} {step} [{code}] {sentence}")

    def _follow(self, look: Any, poll_s: float) -> None:
        stopping = threading.Event()
        # Between two looks: a transaction half sent would only be sent again, but why.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        while not stopping.is_set():
            try:
                look()
            except RpcError as error:
                self.stderr.write(f"The node: {error.detail} ({error.code}). Trying again.")
            stopping.wait(poll_s)
