"""Cut a voided epoch again, so that it is posted again. For a person who knows why."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from network.errors import NetworkError
from network.selectors.epochs import ledger_current
from network.services.epochs import REASON_CHARACTERS, epoch_cut_again


class Command(BaseCommand):
    """The guardian voids a root that looks wrong. Mend what was wrong first: the epoch is computed
    from the same rows by the same rule. The reason is published with the epoch."""

    help = "Cut an epoch that was voided on chain again; the next tick posts it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", type=int, help="The epoch's number.")
        parser.add_argument("--reason", required=True, help="Why, for everybody to read.")

    def handle(self, *args: Any, **options: Any) -> None:
        ledger, reason = ledger_current(), str(options["reason"]).strip()
        if ledger is None:
            raise CommandError("This service anchors in no ledger yet.")
        if not 0 < len(reason) <= REASON_CHARACTERS or not reason.isprintable():
            raise CommandError(f"Give a reason of 1 to {REASON_CHARACTERS} printable characters.")
        if not 0 <= options["number"] < 2**63:
            raise CommandError(f"There is no epoch {options['number']}.")
        try:
            epoch = epoch_cut_again(ledger=ledger, number=options["number"], reason=reason)
        except NetworkError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(
            f"{str(epoch).capitalize()}: {epoch.count} verdicts, root 0x{epoch.root.hex()}. "
            "The next tick posts it."
        )
