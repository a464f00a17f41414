"""Derive stored verdicts again from their evidence and compare."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from network.errors import NetworkError
from network.models import Verdict
from network.services.rederivation import verdict_rederive

CHUNK = 100


class Command(BaseCommand):
    """Verifies each verdict's evidence as of its receipt, with the manifests and statements on
    revocation that the verdict names. Exits with 1 when one comes out differently or cannot be
    derived; what differs is named. Verdicts whose evidence is older than it is kept are counted."""

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
        found = Counter(self._outcome(verdict) for verdict in rows.iterator(chunk_size=CHUNK))
        self.stdout.write(
            f"{found['equal']} derived again and equal, {found['unequal']} not; the evidence of "
            f"{found['dropped']} is no longer kept."
        )
        if found["unequal"]:
            raise CommandError("Not every verdict could be derived again.")

    def _outcome(self, verdict: Verdict) -> str:
        try:
            done = verdict_rederive(verdict)
        except NetworkError as error:
            if error.code == "evidence_dropped":
                return "dropped"
            self.stderr.write(f"verdict {verdict.pk}: {error.detail} [{error.code}]")
            return "unequal"
        if done.equal:
            return "equal"
        what = ", ".join(done.differences) or "the stored hash itself"
        build = f" (made by build {done.other_build})" if done.other_build else ""
        self.stderr.write(f"verdict {verdict.pk}: differs in {what}{build}")
        return "unequal"
