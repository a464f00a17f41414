"""Strikes: what one verdict changes in the standing of its node (docs/adr/0018).

A refused report that is the node's own fault is one strike, whatever was repeated; one that is
somebody else's, or only observed by policy, is none. ``attest.trust_consecutive`` accepted reports
in a row clear all strikes. Judging an old report again, after a vote, neither strikes nor clears.

Everything here is called under the lock of the node's ``AttestationState``; the caller saves it.
"""

from datetime import datetime

from network.attestation.faults import Fault, fault_of, fault_of_code
from network.models import AttestationState, Strike, Verdict, VerdictStatus
from network.selectors.policy import PolicySnapshot
from network.services.incidents import incident_cure, incident_open

ACCEPTED = (VerdictStatus.AFFIRMING, VerdictStatus.WARNING)
#: What the column holds; nobody counts beyond it.
_MOST = 32_767


def report_judged(
    *, state: AttestationState, verdict: Verdict, nonce: bytes, policy: PolicySnapshot, at: datetime
) -> None:
    """Take the verdict of a new report into the node's standing. ``nonce`` is its challenge's."""
    if verdict.status in ACCEPTED:
        _accepted(state, verdict, policy, at)
        return
    if not _rests_on_accepted(state):
        state.basis_verdict = verdict
    if verdict_fault(verdict) is Fault.NODE:
        _strike(state, verdict, nonce, policy, at)


def report_judged_again(*, state: AttestationState, before: Verdict, after: Verdict) -> None:
    """Put a second verdict on one report in the place of the first."""
    rested_on = state.basis_verdict_id == before.pk
    is_latest = state.latest_verdict_id == before.pk
    if is_latest:
        state.latest_verdict = after
    # A newer report that counts now takes the place of the accepted one before it.
    if rested_on or (is_latest and after.status in ACCEPTED):
        state.basis_verdict = after


def refusing_codes(verdict: Verdict) -> list[str]:
    """The codes of the findings that refuse a report, the weightiest first. What is only observed
    is none of them."""
    return [
        item["code"] for item in verdict.findings.get("findings", []) if item["severity"] == "error"
    ]


def verdict_fault(verdict: Verdict) -> Fault:
    """Whose fault a refused report is."""
    return fault_of(refusing_codes(verdict))


def _accepted(
    state: AttestationState, verdict: Verdict, policy: PolicySnapshot, at: datetime
) -> None:
    state.basis_verdict = verdict
    state.good_in_row += 1
    if state.strikes and state.good_in_row >= policy.trust_consecutive:
        state.strikes = 0
        incident_cure(
            node_id=state.node_id,
            reason=f"{state.good_in_row} accepted reports in a row.",
            at=at,
        )


def _rests_on_accepted(state: AttestationState) -> bool:
    if state.basis_verdict_id is None:
        return False
    return Verdict.objects.filter(pk=state.basis_verdict_id, status__in=ACCEPTED).exists()


def _strike(
    state: AttestationState, verdict: Verdict, nonce: bytes, policy: PolicySnapshot, at: datetime
) -> None:
    code = next(c for c in refusing_codes(verdict) if fault_of_code(c) is Fault.NODE)
    _, struck = Strike.objects.get_or_create(
        nonce=nonce,
        defaults={
            "node_id": state.node_id,
            "verdict": verdict,
            "code": code[:64],
            "sentence": verdict.sentence,
            "policy_version": verdict.policy_version,
            "struck_at": at,
        },
    )
    if not struck:
        return
    state.strikes = min(state.strikes + 1, _MOST)
    state.good_in_row = 0
    if state.strikes >= policy.strikes_max:
        incident_open(
            node_id=state.node_id,
            code=code,
            verdict=verdict,
            strikes=state.strikes,
            policy=policy,
            at=at,
        )
