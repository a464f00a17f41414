"""Fetch reference manifests by id from the service in the settings."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.errors import NetworkError
from network.management.times import time_option
from network.selectors.collateral import rims_missing
from network.services.collateral_fetch import fetch_client, rim_fetch
from network.verification import trust_anchors


class Command(BaseCommand):
    """Asks ``ALTHING_RIM_URL`` for each id and verifies the answer as strictly as a file.

    ``--missing`` asks for those that reports of the last day asked for in vain. Exits with 1 when
    one could not be had.
    """

    help = "Fetch reference manifests by id and take them into the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", help="Manifest ids.")
        parser.add_argument("--missing", action="store_true", help="What reports lacked.")
        parser.add_argument("--as-of", help="Accept what has run out since this time, flagged.")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = time_option("--as-of", options["as_of"])
        wanted: list[str] = list(options["ids"])
        if options["missing"]:
            wanted += [rim_id for rim_id, _ in rims_missing(at=clock.now())]
        if not wanted:
            self.stdout.write("No manifest is asked for.")
            return
        failed = 0
        with fetch_client() as client:
            for rim_id in dict.fromkeys(wanted):
                try:
                    done = rim_fetch(
                        rim_id, client=client, trust=trust_anchors(), at=clock.now(), as_of=as_of
                    )
                except NetworkError as error:
                    failed += 1
                    self.stderr.write(f"refused   {rim_id}: {error.detail} [{error.code}]")
                else:
                    self.stdout.write(f"{'taken in' if done.is_new else 'known   '}  {rim_id}")
        if failed:
            raise CommandError(f"{failed} could not be had.")
