"""The revocation of a whole device chain, judged from stored OCSP responses and lists.

Who may speak for which certificate: a device's own key signs its leaf, and a device publishes no
statements, so nobody is missed when the leaf has none. Every other certificate below the root
needs one. Lists by the authorities cover the authorities below them; whether a single device is
revoked is commonly said by OCSP alone.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from cryptography import x509

from .crl import SOURCE as CRL
from .crl import Crl, crl_verify, parse_crl
from .errors import Finding, Severity
from .ocsp import (
    REMEMBERED,
    CertId,
    OcspAnswer,
    cert_ids,
    ocsp_verify,
    parse_ocsp_response,
)
from .ocsp import SOURCE as OCSP
from .revocation import (
    DEFAULT_LIMITS,
    NOT_CHECKED,
    Revocation,
    RevocationError,
    RevocationLimits,
    RevocationState,
)

#: Where the leaf stands in a chain.
_LEAF: Final = 0
#: Before every statement that has a time.
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """An OCSP response or a list in DER, and when it was received (timezone-aware)."""

    der: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class _Refused:
    """A document that could not even be read."""

    source: str
    sha256: str
    received_at: datetime
    error: RevocationError


@dataclass(frozen=True, slots=True)
class RevocationMaterial:
    """Stored documents, read once and found by the certificate or the issuer they are about.

    Reading is not trusting: signatures and times are judged per chain and moment, so one object
    serves every thread and every time.
    """

    answers: Mapping[CertId, Sequence[tuple[datetime, OcspAnswer]]]
    crls: Mapping[x509.Name, Sequence[tuple[datetime, Crl]]]
    refused: tuple[_Refused, ...] = ()

    @classmethod
    def load(
        cls, *, ocsp: Iterable[StoredDocument] = (), crls: Iterable[StoredDocument] = ()
    ) -> RevocationMaterial:
        """Read the documents. Those that cannot be read are kept as refused, never raised."""
        answers: defaultdict[CertId, list[tuple[datetime, OcspAnswer]]] = defaultdict(list)
        lists: defaultdict[x509.Name, list[tuple[datetime, Crl]]] = defaultdict(list)
        refused: list[_Refused] = []
        for document in ocsp:
            try:
                answer = parse_ocsp_response(document.der)
            except RevocationError as error:
                refused.append(_refused(OCSP, document, error))
            else:
                answers[answer.cert_id].append((document.received_at, answer))
        for document in crls:
            try:
                crl = parse_crl(document.der)
            except RevocationError as error:
                refused.append(_refused(CRL, document, error))
            else:
                lists[crl.issuer].append((document.received_at, crl))
        return cls(dict(answers), dict(lists), tuple(refused))


@dataclass(frozen=True, slots=True)
class ChainRevocation:
    """One state per certificate below the root, the leaf first, and the findings."""

    states: tuple[Revocation, ...]
    findings: tuple[Finding, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The states as stored beside a verdict."""
        return [
            {"certificate": position, **state.as_json()}
            for position, state in enumerate(self.states)
        ]


def chain_revocation(
    certificates: Sequence[x509.Certificate],
    *,
    material: RevocationMaterial,
    now: datetime,
    limits: RevocationLimits = DEFAULT_LIMITS,
) -> ChainRevocation:
    """Judge every certificate below the root as of ``now``.

    ``certificates`` is a chain whose links and root have been verified, leaf first. Documents
    received after ``now`` are left out, so that a judgement can be repeated later as of its time.
    Never raises for anything in the material.
    """
    states: list[Revocation] = []
    findings: list[Finding] = []
    for position, (certificate, issuer) in enumerate(itertools.pairwise(certificates)):
        found, refused = _statements(certificate, issuer, material, now, limits)
        state = weigh(found)
        states.append(state)
        if state.state is not RevocationState.GOOD:
            findings += [_located(error, position, source) for source, error in refused]
    # What could not be used is told where it may be why nothing better is known, and only there:
    # one broken file must not cast a shadow on every device whose documents are right.
    if any(state.state is not RevocationState.GOOD for state in states[_LEAF + 1 :]):
        findings += [_malformed(item) for item in material.refused if item.received_at <= now]
    findings += _state_findings(states)
    return ChainRevocation(tuple(states), tuple(findings))


def weigh(statements: Sequence[Revocation]) -> Revocation:
    """The state that several authenticated statements about one certificate amount to.

    Revocation is final, so one such statement outweighs all. A hold may be lifted: there the
    newest statement holds, and of two as new the worse. "Unknown" counts when nobody knows.
    """

    if len(statements) < 2:
        return statements[0] if statements else NOT_CHECKED

    def newest(*states: RevocationState) -> Revocation | None:
        return max(
            (statement for statement in statements if statement.state in states),
            key=lambda found: (found.this_update or _EARLIEST, found.state is RevocationState.HOLD),
            default=None,
        )

    return (
        newest(RevocationState.REVOKED)
        or newest(RevocationState.GOOD, RevocationState.HOLD)
        or newest(RevocationState.UNKNOWN)
        or newest(RevocationState.NOT_CHECKED)
        or NOT_CHECKED
    )


def _statements(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    material: RevocationMaterial,
    now: datetime,
    limits: RevocationLimits,
) -> tuple[list[Revocation], list[tuple[str, RevocationError]]]:
    """What the documents about this certificate say, and those that must not be used."""
    found: list[Revocation] = []
    refused: list[tuple[str, RevocationError]] = []
    for cert_id in _ordered_ids(certificate, issuer) if material.answers else ():
        for received_at, answer in material.answers.get(cert_id, ()):
            if received_at <= now:
                try:
                    found.append(
                        ocsp_verify(
                            answer, certificate=certificate, issuer=issuer, now=now, limits=limits
                        )
                    )
                except RevocationError as error:
                    refused.append((OCSP, error))
    for received_at, crl in material.crls.get(issuer.subject, ()) if material.crls else ():
        if received_at <= now:
            try:
                found.append(
                    crl_verify(crl, certificate=certificate, issuer=issuer, now=now, limits=limits)
                )
            except RevocationError as error:
                refused.append((CRL, error))
    return found, refused


@lru_cache(maxsize=REMEMBERED)
def _ordered_ids(certificate: x509.Certificate, issuer: x509.Certificate) -> tuple[CertId, ...]:
    """In one order, so that findings come in one order too."""
    return tuple(sorted(cert_ids(certificate, issuer)))


def _state_findings(states: Sequence[Revocation]) -> list[Finding]:
    """One finding for every certificate that is not good, and one for all that are."""
    findings = [
        finding
        for position, state in enumerate(states)
        if (finding := _state_finding(position, state)) is not None
    ]
    good = [p for p, state in enumerate(states) if state.state is RevocationState.GOOD]
    if good:
        age = max(states[position].age_s or 0 for position in good)
        findings.append(
            Finding(
                "revocation.good",
                f"{len(good)} of {len(states)} certificates are not revoked; the oldest "
                f"statement is {age} s old.",
                Severity.INFO,
                {"certificates": good, "age_s": age},
            )
        )
    return findings


def _state_finding(position: int, state: Revocation) -> Finding | None:
    data = {"certificate": position, **state.as_json()}
    name, age = f"Certificate {position}", f"said {state.age_s} s ago by {state.source}"
    match state.state:
        case RevocationState.GOOD:
            return None
        case RevocationState.REVOKED:
            why = f" ({state.reason})" if state.reason else ""
            return Finding("revocation.revoked", f"{name} is revoked{why}, {age}.", data=data)
        case RevocationState.HOLD:
            return Finding("revocation.hold", f"{name} is on hold, {age}.", data=data)
        case RevocationState.UNKNOWN:
            return Finding(
                "revocation.unknown", f"{name} is not known to its issuer, {age}.", data=data
            )
        case RevocationState.NOT_CHECKED if state.stale:
            return Finding(
                "revocation.stale",
                f"What is known about the revocation of certificate {position} is out of date, "
                f"{age}.",
                data=data,
            )
    if position == _LEAF:
        return None
    return Finding("revocation.not_checked", f"Nothing says if {name} is revoked.", data=data)


def _malformed(item: _Refused) -> Finding:
    """A document that cannot be read speaks neither for nor against anybody: a note."""
    error = item.error
    data = {**error.data, "source": item.source, "sha256": item.sha256}
    return Finding(error.code, error.detail, Severity.INFO, data)


def _located(error: RevocationError, position: int, source: str) -> Finding:
    data = {**error.data, "source": source, "certificate": position}
    return Finding(error.code, error.detail, Severity.INFO, data)


def _refused(source: str, document: StoredDocument, error: RevocationError) -> _Refused:
    sha256 = hashlib.sha256(document.der).hexdigest()
    return _Refused(source, sha256, document.received_at, error)
