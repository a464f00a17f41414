"""Allow-lists of manifests and drivers: make one, or take one in."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.errors import NetworkError, PolicyUnavailable
from network.models import AllowListKind
from network.selectors.policy import policy_current
from network.services.collateral_directories import file_read
from network.services.collateral_lists import (
    MAX_LIST_BYTES,
    PARAMETERS,
    list_ingest,
    list_make,
    list_root,
    root_in_force,
)


class Command(BaseCommand):
    """Without ``--import`` the list of all genuine manifests in force is printed, with its root: to
    be edited, published and voted for. With it the file is stored; it counts while the DAO's
    parameter holds its root. Exits with 1 for a file that is no list."""

    help = "Make an allow-list of manifests or drivers, or take one in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=AllowListKind.values)
        parser.add_argument("--import", dest="file", type=Path, help="A list to take in.")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = AllowListKind(options["kind"])
        if options["file"] is None:
            self._make(kind)
            return
        try:
            content = file_read(options["file"], MAX_LIST_BYTES)
            row, is_new = list_ingest(
                content, kind=kind, source=options["file"].name, at=clock.now()
            )
        except NetworkError as error:
            raise CommandError(f"{error.code}: {error.detail}") from error
        what = "taken in" if is_new else "known"
        self.stdout.write(f"{what}: {len(row.digests)} digests, root 0x{row.root.hex()}")
        self.stdout.write(_standing(kind, row.root))

    def _make(self, kind: AllowListKind) -> None:
        entries = list_make(kind)
        if not entries:
            raise CommandError("There is no genuine manifest to make a list of.")
        root = list_root(digest for digest, _ in entries)
        self.stdout.write(f"# {PARAMETERS[kind]} 0x{root.hex()}")
        for digest, name in entries:
            self.stdout.write(f"{digest} {name}")


def _standing(kind: AllowListKind, root: bytes) -> str:
    try:
        wanted = root_in_force(kind, policy_current().values)
    except PolicyUnavailable:
        return "No policy is indexed yet, so it is not known whether this list is in force."
    if wanted == root:
        return f"This is the list in force: {PARAMETERS[kind]} holds its root."
    if wanted is None:
        return f"No list is in force: {PARAMETERS[kind]} is zero."
    return f"Another list is in force: {PARAMETERS[kind]} holds 0x{wanted.hex()}."
