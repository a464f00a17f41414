"""Judge an epoch's reports again from their stored evidence, as of then, and compare."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from network.errors import NetworkError, NotFound
from network.models import Epoch, Verdict
from network.selectors.evidence import evidence_read
from network.services.epochs_check import leaf_verdicts, verdict_words
from network.services.epochs_hash import verdict_published
from network.services.partitions import days_existing
from network.services.rederivation import Rederivation, verdict_rederive


@dataclass(frozen=True, slots=True)
class RederiveCheck:
    """What was found: how many verdicts were derived again, of how many it is not stored what they
    were made from, and of how many the evidence's day was dropped. ``difference`` is a sentence,
    empty where everything agrees."""

    verdicts: int
    unknown: int
    dropped: int
    difference: str


@transaction.atomic
def epoch_rederive(epoch: Epoch) -> RederiveCheck:
    """Derive every verdict of an epoch again; stops at the first that differs."""
    derived = unknown = dropped = 0
    kept = set(days_existing())
    for verdict in leaf_verdicts(epoch):
        if not verdict.inputs:
            unknown += 1
            continue
        try:
            body = evidence_read(verdict.attestation)
        except NotFound:
            if verdict.attestation.received_at.date() not in kept:
                dropped += 1
                continue
            # Days are dropped whole; here one report is missing.
            difference = f"The stored report of {verdict_words(verdict)} is missing from its day."
        else:
            difference = _differs(verdict, body)
        if difference:
            return RederiveCheck(derived, unknown, dropped, difference)
        derived += 1
    return RederiveCheck(derived, unknown, dropped, "")


def _differs(verdict: Verdict, body: bytes) -> str:
    """Where a verdict differs from what its report gives; empty where it agrees."""
    if hashlib.sha256(body).digest() != verdict.attestation.report_hash:
        return f"The stored report of {verdict_words(verdict)} is not the one that was received."
    try:
        again = verdict_rederive(verdict)
    except NetworkError as error:
        return f"{verdict_words(verdict).capitalize()} cannot be derived again: {error.detail}"
    if again.equal:
        return ""
    build = f" (made by build {again.other_build})" if again.other_build else ""
    return f"Judged again, {verdict_words(verdict)}{build} differs at {_where(verdict, again)}."


def _where(verdict: Verdict, again: Rederivation) -> str:
    stored, derived = verdict_published(verdict).as_json(), again.derived.as_json()
    return _first_difference(stored, derived, "") or "its stored hash"


def _first_difference(stored: Any, again: Any, path: str) -> str:
    """Where two JSON values differ first, in words; empty where they do not."""
    if isinstance(stored, dict) and isinstance(again, dict):
        names = sorted(stored.keys() | again.keys())
        found = (
            _first_difference(stored.get(name), again.get(name), f"{path}.{name}".lstrip("."))
            for name in names
        )
        return next(filter(None, found), "")
    if isinstance(stored, list) and isinstance(again, list):
        if len(stored) != len(again):
            return f"{path}: {len(stored)} stored, {len(again)} now"
        pairs = zip(stored, again, strict=True)
        found = (_first_difference(a, b, f"{path}[{at}]") for at, (a, b) in enumerate(pairs))
        return next(filter(None, found), "")
    return "" if stored == again else f"{path}: {stored!r} stored, {again!r} now"
