"""Derive stored verdicts again from their evidence and compare."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from network.errors import NetworkError
from network.models import Verdict
from network.services.rederivation import verdict_rederive

CHUNK = 100


class Command(BaseCommand):
    """Verifies each verdict's evidence as of its receipt, with the manifests and statements on
    revocation that the verdict names. Exits with 1 when one comes out differently or cannot be
    derived; what differs is named."""

    help = "Derive stored verdicts again from their evidence, and compare the hashes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help="Verdicts.")
        parser.add_argument("--all", action="store_true", help="Every stored verdict.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["ids"]) == options["all"]:
            raise CommandError("Name verdicts, or --all.")
        rows = Verdict.objects.order_by("pk").select_related("attestation", "rejudge_of")
        if options["ids"]:
            rows = rows.filter(pk__in=options["ids"])
            if absent := set(options["ids"]) - set(rows.values_list("pk", flat=True)):
                raise CommandError(f"There is no verdict {min(absent)}.")
        equal = unequal = 0
        for verdict in rows.iterator(chunk_size=CHUNK):
            if self._equal(verdict):
                equal += 1
            else:
                unequal += 1
        self.stdout.write(f"{equal} derived again and equal, {unequal} not.")
        if unequal:
            raise CommandError("Not every verdict could be derived again.")

    def _equal(self, verdict: Verdict) -> bool:
        try:
            done = verdict_rederive(verdict)
        except NetworkError as error:
            self.stderr.write(f"verdict {verdict.pk}: {error.detail} [{error.code}]")
            return False
        if done.equal:
            return True
        what = ", ".join(done.differences) or "the stored hash itself"
        build = f" (made by build {done.other_build})" if done.other_build else ""
        self.stderr.write(f"verdict {verdict.pk}: differs in {what}{build}")
        return False
