"""Stop following a governor that is not ours."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.addresses import AddressInvalid, parse_address
from governance.errors import GovernanceError
from governance.services.governors import governor_remove


class Command(BaseCommand):
    help = (
        "Stop indexing an added governor, and its timelock where no other governor uses it. What "
        "was indexed stays; governor_add brings it back and fetches what was missed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="the governor's own, 0x and 40 digits")
        parser.add_argument(
            "--actor", default="governor_remove", help="who removes it, for the record"
        )

    def handle(self, *args: Any, address: str, actor: str, **options: Any) -> None:
        try:
            governor = governor_remove(address=parse_address(address), actor=actor)
        except (GovernanceError, AddressInvalid) as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        self.stdout.write(f"{governor.name} is no longer followed. Its pages stay.")
