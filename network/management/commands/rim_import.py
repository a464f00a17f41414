"""Take reference manifests from files into the database."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chain import clock
from network.errors import NetworkError
from network.management.times import time_option
from network.services.collateral_directories import manifest_file_ingest, manifests_import
from network.verification import trust_anchors


class Command(BaseCommand):
    """Each file is verified as the verifier would: signature, pinned root, time, and that it is of
    the product and version that its id asks for. Its name is its id, ``<id>.swidtag``.

    Without a path the deployment's own directories are read (``ALTHING_RIM_DIR``, the emulator's).
    Exits with 1 when a file was refused; the others are in. Twice changes nothing.
    """

    help = "Verify reference manifests and take them into the database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="*", type=Path, help="Files, or directories of them.")
        parser.add_argument("--id", dest="rim_id", help="The id of the one file given.")
        parser.add_argument(
            "--as-of",
            help="Accept what has run out since this time (ISO 8601, UTC), and flag it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        as_of: datetime | None = time_option("--as-of", options["as_of"])
        paths: list[Path] = options["paths"]
        try:
            if options["rim_id"] is not None:
                self._one(paths, options["rim_id"], as_of)
                return
            report = manifests_import(paths or None, at=clock.now(), as_of=as_of)
        except NetworkError as error:
            raise CommandError(f"{error.code}: {error.detail}") from error
        for rim_id in report.new:
            self.stdout.write(f"taken in  {rim_id}")
        for rim_id in report.known:
            self.stdout.write(f"known     {rim_id}")
        for path, refusal in report.refused:
            self.stderr.write(f"refused   {path}: {refusal.detail} [{refusal.code}]")
        if report.refused:
            raise CommandError(f"{len(report.refused)} refused.")
        if not report.new and not report.known:
            self.stdout.write("There is no manifest file to take in.")

    def _one(self, paths: list[Path], rim_id: str, as_of: datetime | None) -> None:
        if len(paths) != 1:
            raise CommandError("--id is for exactly one file.")
        done = manifest_file_ingest(
            paths[0], trust=trust_anchors(), at=clock.now(), as_of=as_of, rim_id=rim_id
        )
        self.stdout.write(f"{'taken in' if done.is_new else 'known   '}  {done.rim.rim_id}")
