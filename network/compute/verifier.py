"""The verdict on one round: every finding, each by a stable code, and what the round proves.

Takes bytes from a machine that may be hostile. What is read follows from the challenge; what it
costs is bounded by it; nothing is shared, so many threads may verify at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from network.attestation.errors import Finding, Severity

from . import freivalds, merkle, prng, wire
from .deadlines import Basis
from .findings import CODES, RoundError
from .freivalds import EpochSecret
from .matmul import Int32Matrix, fold, multiply_by_key
from .params import Challenge, Check
from .rounds import GIVE_UP_MS, Round
from .wire import Opened


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round showed. ``rows_checked`` counts drawn rows that were really looked at."""

    findings: tuple[Finding, ...]
    rows_checked: int
    commit_elapsed_ms: int | None
    open_elapsed_ms: int | None
    basis: Basis

    @property
    def passed(self) -> bool:
        """The arithmetic is right, complete and within every limit that there is."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def measured(self) -> bool:
        """Passed, and within a time that was measured on that class of hardware."""
        return self.passed and self.basis is Basis.MEASURED

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "measured": self.measured,
            "basis": self.basis.value,
            "rows_checked": self.rows_checked,
            "commit_elapsed_ms": self.commit_elapsed_ms,
            "open_elapsed_ms": self.open_elapsed_ms,
            "findings": [finding.as_json(device=None) for finding in self.findings],
        }


def verify_opening(round_: Round, data: bytes, secret: EpochSecret | None = None) -> Outcome:
    """Judge the opening of a round whose :meth:`Round.open` took the time of arrival.

    ``secret`` is needed for, and only for, a challenge checked by Freivalds' method; it must be
    that of the challenge's epoch. Raises ValueError otherwise, RoundError before the opening.
    """
    if round_.opened_ms is None or round_.root is None:
        raise RoundError("compute.out_of_turn")
    challenge = round_.challenge
    findings = _time_findings(round_)
    if not wire.tag_matches(challenge, data):
        findings.append(_finding("compute.wrong_round"))
    if len(data) != challenge.params.opening_bytes:
        length = {"found": len(data), "expected": challenge.params.opening_bytes}
        findings.append(_finding("compute.open_length", length))
    entries = wire.opening_entries(challenge.params, data)
    if entries is None:
        return _outcome(round_, findings, rows_checked=0)
    findings += _index_findings(round_, [entry.index for entry in entries])
    asked = set(round_.indices)
    wanted = [entry for entry in entries if entry.index in asked]
    if challenge.params.check is Check.FREIVALDS:
        findings += _sent_row_findings(challenge, round_.root, wanted, _fitting(challenge, secret))
    else:
        findings += _recomputed_row_findings(challenge, round_.root, wanted)
    return _outcome(round_, findings, rows_checked=len({entry.index for entry in wanted}))


def verify_silence(round_: Round, now_ms: int) -> Outcome:
    """Judge a begun round whose next message has not arrived. Raises RoundError while it still
    may, and when there is nothing to wait for."""
    if round_.begun_ms is None or round_.opened_ms is not None:
        raise RoundError("compute.out_of_turn")
    if round_.committed_ms is None:
        limit = round_.deadline.commit_ms
        since, code = round_.begun_ms, "compute.no_commit"
    else:
        limit = round_.deadline.open_ms
        since, code = round_.drawn_ms or round_.committed_ms, "compute.no_opening"
    if now_ms - since <= max(limit or 0, GIVE_UP_MS):
        raise RoundError("compute.out_of_turn")
    return _outcome(round_, [*_time_findings(round_), _finding(code)], rows_checked=0)


def verify_absence(basis: Basis) -> Outcome:
    """The outcome of a challenge that nobody began in its window."""
    findings = [_finding("compute.no_begin")]
    if basis is Basis.UNCALIBRATED:
        findings.append(_finding("compute.uncalibrated", severity=Severity.INFO))
    return Outcome(tuple(findings), 0, None, None, basis)


def _outcome(round_: Round, findings: Sequence[Finding], *, rows_checked: int) -> Outcome:
    return Outcome(
        findings=tuple(findings),
        rows_checked=rows_checked,
        commit_elapsed_ms=round_.commit_elapsed_ms,
        open_elapsed_ms=round_.open_elapsed_ms,
        basis=round_.deadline.basis,
    )


def _finding(
    code: str, data: Mapping[str, Any] | None = None, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(code=code, detail=CODES[code], severity=severity, data=data or {})


def _time_findings(round_: Round) -> list[Finding]:
    findings = []
    limits = (
        ("compute.late", round_.commit_elapsed_ms, round_.deadline.commit_ms),
        ("compute.open_late", round_.open_elapsed_ms, round_.deadline.open_ms),
    )
    for code, elapsed, limit in limits:
        if elapsed is not None and limit is not None and elapsed > limit:
            findings.append(_finding(code, {"elapsed_ms": elapsed, "limit_ms": limit}))
    if round_.deadline.basis is Basis.UNCALIBRATED:
        findings.append(_finding("compute.uncalibrated", severity=Severity.INFO))
    return findings


def _index_findings(round_: Round, found: Sequence[int]) -> list[Finding]:
    """Compare what was opened with what was drawn: the same rows, each once, in the same order."""
    asked, n = set(round_.indices), round_.challenge.params.n
    wrong = {
        "compute.index_missing": asked - set(found),
        "compute.index_extra": {index for index in found if index < n} - asked,
        "compute.index_duplicate": {index for index, times in Counter(found).items() if times > 1},
        "compute.index_range": {index for index in found if index >= n},
    }
    findings = [_rows_finding(code, rows) for code, rows in wrong.items() if rows]
    if not findings and tuple(found) != round_.indices:
        findings.append(_finding("compute.index_order"))
    return findings


def _rows_finding(code: str, rows: set[int]) -> Finding:
    return _finding(code, {"rows": sorted(rows)})


def _fitting(challenge: Challenge, secret: EpochSecret | None) -> EpochSecret:
    if secret is None or not secret.fits(challenge):
        raise ValueError("the secret of the challenge's epoch and size is needed")
    return secret


def _sent_row_findings(
    challenge: Challenge, root: bytes, entries: Sequence[Opened], secret: EpochSecret
) -> list[Finding]:
    """Check rows that were sent: their range, their arithmetic round by round, their leaf."""
    if not entries:
        return []
    params = challenge.params
    rows = np.stack([entry.rows for entry in entries], axis=1)
    factor = prng.rows_at(
        prng.challenge_key(challenge), params.n, [entry.index for entry in entries]
    )
    too_large = np.zeros(len(entries), dtype=np.bool_)
    wrong = np.zeros(len(entries), dtype=np.bool_)
    for products in rows:
        # Two comparisons, because abs(-2**31) is negative in int32.
        outside = (products > params.entry_limit) | (products < -params.entry_limit)
        too_large |= outside.any(axis=1)
        in_range = np.where(outside, 0, products)
        wrong |= ~freivalds.rows_agree(secret, factor, in_range)
        factor = fold(products)
    return _row_findings(
        entries,
        {
            "compute.entry_range": lambda at: bool(too_large[at]),
            "compute.row_wrong": lambda at: bool(wrong[at] and not too_large[at]),
            "compute.root_mismatch": lambda at: not _leads_to(root, entries[at], rows[-1, at]),
        },
    )


def _recomputed_row_findings(
    challenge: Challenge, root: bytes, entries: Sequence[Opened]
) -> list[Finding]:
    """Compute the rows again; a wrong row and a wrong path look the same from here."""
    indices = sorted({entry.index for entry in entries})
    if not indices:
        return []
    factor = prng.rows_at(prng.challenge_key(challenge), challenge.params.n, indices)
    key = prng.epoch_key(challenge)
    product = multiply_by_key(factor, key)
    for _ in range(challenge.params.rounds - 1):
        product = multiply_by_key(fold(product), key)
    row = dict(zip(indices, product, strict=True))
    mismatch = "compute.root_mismatch"
    return _row_findings(
        entries, {mismatch: lambda at: not _leads_to(root, entries[at], row[entries[at].index])}
    )


def _row_findings(
    entries: Sequence[Opened], checks: Mapping[str, Callable[[int], bool]]
) -> list[Finding]:
    findings = []
    for code, fails in checks.items():
        rows = {entry.index for at, entry in enumerate(entries) if fails(at)}
        if rows:
            findings.append(_rows_finding(code, rows))
    return findings


def _leads_to(root: bytes, entry: Opened, row: Int32Matrix) -> bool:
    leaf = merkle.leaf_hash(entry.index, merkle.row_bytes(row))
    return merkle.root_from(leaf, entry.index, entry.path) == root
