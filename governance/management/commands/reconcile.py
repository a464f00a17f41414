"""Compare what is indexed with the chain's own answers."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chain.addresses import to_checksum
from chain.management.errors import coded_errors
from governance.reconcile import Judged, ReconcileRefused, Report, Scope, reconcile_run


class Command(BaseCommand):
    help = (
        "Compare indexed proposals, votes, holders, delegates, timelock operations and settings "
        "with what the contracts answer at the index's newest block. Differences are kept as "
        "findings and printed; nothing is repaired. Exit status 1 when something differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--all", action="store_true", help="every row of every table")
        what.add_argument("--proposal", type=int, metavar="N", help="one proposal and its votes")
        parser.add_argument(
            "--block",
            type=int,
            metavar="N",
            help="at this stored block instead; compares only what has not changed since",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        one = options["proposal"] is not None
        name = "all" if options["all"] else "proposal" if one else "open"
        scope = Scope(name, options["proposal"], options["block"])
        try:
            with coded_errors():
                report = reconcile_run(scope)
        except ReconcileRefused as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        if options["json"]:
            self.stdout.write(json.dumps(report_json(report)))
        else:
            self._tell(report)
        if report.differing:
            raise CommandError(f"{len(report.differing)} values differ. Nothing was repaired.")

    def _tell(self, report: Report) -> None:
        for item in report.differing:
            claim = item.claim
            self.stdout.write(
                f"{claim.kind} {claim.subject} {claim.field}: indexed {claim.indexed}, "
                f"{claim.read.function}() of {to_checksum(item.contract)} says {item.chain}"
            )
        block = report.block.number if report.block else "none"
        self.stdout.write(
            f"{report.compared} values compared at block {block}: {len(report.differing)} differ, "
            f"{report.opened} of them new; {report.closed} findings closed."
        )


def report_json(report: Report) -> dict[str, Any]:
    """The report for machines; integers beyond 2^53 stay text."""
    return {
        "scope": report.scope.name,
        "block": report.block.number if report.block else None,
        "compared": report.compared,
        "unanswered": report.unanswered,
        "opened": report.opened,
        "closed": report.closed,
        "differing": [_difference(item) for item in report.differing],
    }


def _difference(item: Judged) -> dict[str, Any]:
    return {
        "kind": item.claim.kind,
        "subject": item.claim.subject,
        "field": item.claim.field,
        "contract": to_checksum(item.contract),
        "function": item.claim.read.function,
        "indexed": item.claim.indexed,
        "chain": item.chain,
    }
