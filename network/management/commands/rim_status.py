"""Say which manifests are in force, when they run out, and what is missing."""

import json
import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chain import clock
from network.selectors.collateral import (
    ALARM,
    WATCH_DAYS,
    authority_states,
    rims_in_force,
    rims_missing,
)


class Command(BaseCommand):
    """Exits with 1 when a manifest runs out within 7 days or has, when reports of the last day
    asked for one in vain, or when there is none at all."""

    help = "Show reference manifests with their expiry, and what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        rims, missing = list(rims_in_force()), rims_missing(at=now)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(rims, missing, now), indent=2))
        else:
            self._write(rims, missing, now)
        if not rims or missing or any(rim.valid_until <= now + ALARM for rim in rims):
            sys.exit(1)

    def _write(self, rims: list[Any], missing: list[tuple[str, int]], now: datetime) -> None:
        for rim in rims:
            marks = _expiry(rim.valid_until, now)
            flags = " emulated" * rim.emulated + " expired-when-taken-in" * rim.expired_at_ingest
            self.stdout.write(
                f"{marks:<14} {rim.valid_until:%Y-%m-%d}  {rim.sha256.hex()[:16]}  "
                f"{rim.rim_id}  from {rim.source}{flags}"
            )
        if not rims:
            self.stdout.write(
                "There is no manifest: no firmware can be compared. See manage.py rim_import."
            )
        for rim_id, count in missing:
            self.stdout.write(f"MISSING        {rim_id}, asked for {count} times in a day")
        for item in authority_states(at=now):
            age = "" if item.age_s is None else f", said {item.age_s} s ago by {item.source}"
            stale = " STALE" if item.stale else ""
            self.stdout.write(f"{item.state}{stale}: {item.certificate.subject}{age}")


def _expiry(until: datetime, now: datetime) -> str:
    left = (until - now).days
    if until <= now:
        return "RUN OUT"
    for days in reversed(WATCH_DAYS):
        if left < days:
            return f"in {left} days" if left >= WATCH_DAYS[-1] else f"IN {left} DAYS"
    return "ok"


def _as_json(rims: list[Any], missing: list[tuple[str, int]], now: datetime) -> dict[str, Any]:
    return {
        "rims": [
            {
                "id": rim.rim_id,
                "sha256": rim.sha256.hex(),
                "kind": rim.kind,
                "version": rim.version,
                "valid_until": rim.valid_until.isoformat(),
                "days_left": (rim.valid_until - now).days,
                "source": rim.source,
                "emulated": rim.emulated,
                "expired_at_ingest": rim.expired_at_ingest,
            }
            for rim in rims
        ],
        "missing": dict(missing),
        "authorities": [
            {
                "subject": item.certificate.subject,
                "state": item.state,
                "stale": item.stale,
                "source": item.source,
                "age_s": item.age_s,
            }
            for item in authority_states(at=now)
        ],
    }
