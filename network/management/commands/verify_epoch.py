"""Recompute an epoch of verdicts from what is stored, and compare it with the chain."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain.client import chain_call
from chain.rpc.errors import RpcError
from network.models import Epoch
from network.selectors.epochs import LEDGER, epoch_find, ledger_current
from network.services.epochs_check import epoch_check
from network.services.epochs_rederive import epoch_rederive


class Command(BaseCommand):
    """Exits with 0 where all of it agrees, with 1 and the first difference in words where not.

    The leaves, totals and root are computed from the rows of the verdicts, and the root is
    compared with the contract's own answer. ``--rederive`` also judges every report again from
    its stored evidence, as of then, and compares the outcome with the verdict.
    """

    help = "Recompute an epoch of verdicts from what is stored, and compare it with the chain."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="The epoch's number.")
        parser.add_argument(
            "--rederive", action="store_true", help="Judge the stored evidence again, too."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        epoch = _epoch(options["number"])
        check = epoch_check(epoch)
        self.stdout.write(
            f"{str(epoch).capitalize()}: {check.verdicts} verdicts, root 0x{check.root.hex()}."
        )
        _agree(check.difference)
        if options["rederive"]:
            derived = epoch_rederive(epoch)
            _agree(derived.difference)
            self.stdout.write(f"Judged again from stored evidence: {derived.verdicts} verdicts.")
            if derived.unknown:
                self.stdout.write(
                    f"Of {derived.unknown} more it is not stored what they were made from."
                )
            if derived.dropped:
                self.stdout.write(
                    f"Of {derived.dropped} more the evidence is older than it is kept."
                )
        self.stdout.write(_chain_words(epoch))


def _epoch(number: int) -> Epoch:
    ledger = ledger_current()
    epoch = None
    # PostgreSQL's bigint; a larger number is no epoch.
    if ledger is not None and 0 <= number < 2**63:
        epoch = epoch_find(ledger, number)
    if epoch is None:
        raise CommandError(f"Epoch {number} has not been cut by this service.")
    return epoch


def _agree(difference: str) -> None:
    if difference:
        raise CommandError(difference)


def _chain_words(epoch: Epoch) -> str:
    """What the contract says, in words; raises CommandError where it says something else."""
    try:
        following = int(chain_call(LEDGER, "nextEpoch"))
        record = chain_call(LEDGER, "record", (epoch.number,)) if epoch.number < following else None
    except RpcError as error:
        raise CommandError(f"The chain could not be asked: {error.detail}") from error
    if record is None:
        return "It is not on chain yet."
    if record["voided"]:
        return "On chain it stands voided."
    ours = (epoch.root, epoch.count, epoch.total_seconds, epoch.metadata_hash)
    theirs = tuple(record[name] for name in ("root", "count", "totalSeconds", "metadataHash"))
    if ours != theirs:
        raise CommandError(
            f"The chain holds another epoch: root 0x{record['root'].hex()}, {record['count']} "
            f"verdicts, {record['totalSeconds']} seconds."
        )
    return "The chain holds the same root."
