"""Let a manifest answer no more, or again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.errors import NetworkError
from network.services.collateral_rims import rim_restore, rim_withdraw


class Command(BaseCommand):
    """An older manifest of the same id answers then, if there is one. The withdrawn one stays
    stored, so that every verdict made with it can be derived again."""

    help = "Withdraw a reference manifest, with a reason; --restore undoes it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="Manifest id.")
        parser.add_argument("--sha256", default="", help="Which one, or the digest's beginning.")
        parser.add_argument("--reason", default="", help="Why; kept with the manifest.")
        parser.add_argument("--restore", action="store_true", help="Undo a withdrawal.")

    def handle(self, *args: Any, **options: Any) -> None:
        rim_id, sha256 = options["id"], options["sha256"]
        try:
            if options["restore"]:
                rim = rim_restore(rim_id=rim_id, sha256=sha256)
            else:
                rim = rim_withdraw(
                    rim_id=rim_id, sha256=sha256, reason=options["reason"], at=clock.now()
                )
        except NetworkError as error:
            raise CommandError(f"{error.code}: {error.detail}") from error
        what = "answers again" if options["restore"] else "is withdrawn"
        self.stdout.write(f"{rim.rim_id} {rim.sha256.hex()} {what}.")
