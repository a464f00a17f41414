"""Recompute projections from what is stored."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.doctor import cursor_check, deployment_check
from chain.indexer.rebuild import projections_rebuild
from chain.management.errors import coded_errors


class Command(BaseCommand):
    help = (
        "Empty projected tables and recompute them from stored logs and reads, in one "
        "transaction. Asks no node."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--projector", action="append", default=[], help="only this one; may be repeated"
        )

    def handle(self, *args: Any, projector: list[str], **kw: Any) -> None:
        started = time.monotonic()
        try:
            with coded_errors():
                # A cursor that stands nowhere says nothing about which logs are whole.
                deployment_check()
                cursor_check()
                counts = projections_rebuild(names=projector)
        except ValueError as error:
            raise CommandError(str(error)) from error
        for name, count in counts.items():
            self.stdout.write(f"{name}: {count} keys")
        self.stdout.write(f"Rebuilt in {time.monotonic() - started:.1f} s.")
