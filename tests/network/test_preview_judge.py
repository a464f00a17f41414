"""One node's situation under two policies: every reason, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.attestation import Finding, Policy, RimExpired, Severity
from network.attestation.policy import SWITCH_BY_PREFIX
from network.models import Parameter
from network.selectors.policy import PolicySnapshot
from network.selectors.preview_judge import Compared, Facts, Judge, Judged, Outcome, unjudged
from network.selectors.proposed import Bearing, ProposedChange

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
BASE = {
    "attest.ttl": "2700",
    "attest.required_tier_h100_80g": "4",
    "attest.max_gpus_per_node": "16",
    "attest.enforce_measurements": "0",
    "attest.enforce_rim": "0",
    "attest.rim_expired": "1",
}
FACTS = Facts(
    gpu_class="h100_80g",
    status="registered",
    is_suspended=False,
    verdict_status="affirming",
    tier=4,
    policy_hash=b"old",
    findings=(),
    device_count=2,
    fresh=(True, True),
)


def snapshot(values: dict[str, str]) -> PolicySnapshot:
    return PolicySnapshot(
        version=7, set_id=0, block_number=9, block_hash=b"\x01" * 32, at=AT, values=values
    )


def judged(
    facts: Facts,
    proposed: dict[str, str],
    *,
    base: dict[str, str] = BASE,
    stored: dict[str, str] | None = None,
    changes: list[ProposedChange] | None = None,
) -> Judged:
    old = snapshot(base if stored is None else stored).appraisal_policy()
    compared = Compared(
        snapshot(base), snapshot({**base, **proposed}), AT, changes or [], {b"old": old}
    )
    return Judge(compared)(facts)


def marked(*findings: tuple[str, str]) -> Facts:
    return replace(FACTS, verdict_status="warning", findings=findings)


def test_nothing_proposed_that_matters_leaves_all_as_it_is() -> None:
    assert judged(FACTS, {"attest.report_interval": "600"}).outcome is Outcome.STAYS


def test_a_shorter_ttl() -> None:
    old = replace(FACTS, fresh=(True, False))
    answer = judged(old, {"attest.ttl": "600"})
    assert answer == Judged(Outcome.FALLS_OUT, "attested", "stale", ("evidence.too_old",))
    stale = replace(FACTS, fresh=(False, True))
    answer = judged(stale, {"attest.ttl": "3600"})
    assert answer == Judged(Outcome.COMES_BACK, "stale", "attested", ("evidence.too_old",))


def test_a_higher_and_a_lower_tier() -> None:
    answer = judged(FACTS, {"attest.required_tier_h100_80g": "5"})
    assert answer == Judged(Outcome.FALLS_OUT, "attested", "failed", ("tier.required",))
    # Refused for its tier once: that finding follows from the policy and is asked for again.
    weak = replace(
        FACTS,
        tier=1,
        verdict_status="contraindicated",
        findings=(("tier.required", "error"),),
    )
    answer = judged(weak, {"attest.required_tier_h100_80g": "1"})
    assert answer == Judged(Outcome.COMES_BACK, "failed", "attested", ("tier.required",))
    assert judged(weak, {"attest.required_tier_h100_80g": "2"}).outcome is Outcome.STAYS_OUT


def test_another_classs_tier_does_not_matter() -> None:
    assert judged(FACTS, {"attest.required_tier_qpu": "5"}).outcome is Outcome.STAYS


def test_a_class_without_a_tier_is_refused_before_and_after() -> None:
    answer = judged(replace(FACTS, gpu_class="unheard_of"), {"attest.ttl": "3600"})
    assert (answer.outcome, answer.before) == (Outcome.STAYS_OUT, "failed")
    assert answer.codes == ("policy.class_unknown",)


@pytest.mark.parametrize(
    ("switch", "code"),
    [
        ("enforce_nonce", "nonce.mismatch"),
        ("enforce_signature", "sig.report"),
        ("enforce_chain", "chain.untrusted"),
        ("enforce_chain", "fwid.mismatch"),
        ("enforce_revocation", "revocation.revoked"),
        ("enforce_rim", "rim.not_found"),
        ("enforce_measurements", "meas.mismatch"),
        ("enforce_duplicate", "device.duplicate"),
    ],
)
def test_every_switch_both_ways(switch: str, code: str) -> None:
    off, on = {f"attest.{switch}": "0"}, {f"attest.{switch}": "1"}
    found = marked((code, "warning"))
    answer = judged(found, on, base=BASE | off)
    assert answer == Judged(Outcome.FALLS_OUT, "attested", "failed", (code,))
    refused = replace(FACTS, verdict_status="contraindicated", findings=((code, "error"),))
    answer = judged(refused, off, base=BASE | on)
    assert answer == Judged(Outcome.COMES_BACK, "failed", "attested", (code,))


def test_revocation_that_nobody_looked_up_was_a_note_and_would_refuse() -> None:
    """The policy softens it to INFO: it must be found again below two steps."""
    base = BASE | {"attest.enforce_revocation": "0"}
    found = replace(FACTS, findings=(("revocation.unknown", "info"),))
    answer = judged(found, {"attest.enforce_revocation": "1"}, base=base)
    assert (answer.outcome, answer.codes) == (Outcome.FALLS_OUT, ("revocation.unknown",))


def test_an_expired_manifest_in_all_three_words() -> None:
    found = marked(("rim.expired", "warning"))
    answer = judged(found, {"attest.rim_expired": "2"})
    assert (answer.outcome, answer.codes) == (Outcome.FALLS_OUT, ("rim.expired",))
    assert judged(found, {"attest.rim_expired": "0"}).outcome is Outcome.STAYS
    quiet = replace(FACTS, findings=(("rim.expired", "info"),))
    accepted = BASE | {"attest.rim_expired": "0"}
    answer = judged(quiet, {"attest.rim_expired": "2"}, base=accepted)
    assert answer.outcome is Outcome.FALLS_OUT


def test_a_note_of_a_check_itself_never_refuses() -> None:
    """``fwid.absent`` is a note whatever the switch of its chain says."""
    found = replace(FACTS, findings=(("fwid.absent", "info"),))
    base = BASE | {"attest.enforce_chain": "0"}
    assert judged(found, {"attest.enforce_chain": "1"}, base=base).outcome is Outcome.STAYS


def test_what_no_switch_governs_stays_refused() -> None:
    refused = replace(
        FACTS, verdict_status="contraindicated", findings=(("report.too_short", "error"),)
    )
    everything_off = {f"attest.enforce_{word}": "0" for word in set(SWITCH_BY_PREFIX.values())}
    assert judged(refused, everything_off).outcome is Outcome.STAYS_OUT


def test_fewer_gpus_a_node() -> None:
    answer = judged(replace(FACTS, device_count=8), {"attest.max_gpus_per_node": "7"})
    assert (answer.outcome, answer.codes) == (Outcome.FALLS_OUT, ("node.too_many_devices",))
    assert judged(FACTS, {"attest.max_gpus_per_node": "2"}).outcome is Outcome.STAYS


def test_devices_that_were_never_judged_cannot_be_told() -> None:
    found = (("node.too_many_devices", "error"),)
    facts = replace(FACTS, device_count=20, verdict_status="contraindicated", findings=found)
    answer = judged(facts, {"attest.max_gpus_per_node": "32"})
    assert (answer.outcome, answer.before, answer.after) == (Outcome.CANNOT_TELL, "failed", "")
    assert judged(facts, {"attest.max_gpus_per_node": "18"}).outcome is Outcome.STAYS_OUT
    assert judged(facts, {"attest.ttl": "3600"}).outcome is Outcome.STAYS_OUT


def test_a_report_that_the_verifier_failed_on_cannot_be_told() -> None:
    facts = replace(FACTS, verdict_status="none", findings=(("verifier.fault", "error"),))
    answer = judged(facts, {"attest.enforce_measurements": "1"})
    assert (answer.outcome, answer.before) == (Outcome.CANNOT_TELL, "failed")


def unanswered() -> ProposedChange:
    parameter = Parameter(name="attest.driver_digest_root", kind="BYTES32")
    return ProposedChange(parameter, f"0x{'00' * 32}", f"0x{'11' * 32}", Bearing.UNANSWERED, "No.")


def test_what_a_verdict_does_not_answer_is_not_guessed() -> None:
    assert judged(FACTS, {}, changes=[unanswered()]).outcome is Outcome.CANNOT_TELL
    # A node that falls out anyway falls out, whatever the list says.
    answer = judged(FACTS, {"attest.required_tier_h100_80g": "5"}, changes=[unanswered()])
    assert answer.outcome is Outcome.FALLS_OUT
    # And one that does not count is not brought back by a list.
    silent = replace(FACTS, verdict_status=None)
    answer = judged(silent, {}, changes=[unanswered()])
    assert (answer.outcome, answer.before) == (Outcome.STAYS_OUT, "never")


def test_several_parameters_at_once() -> None:
    found = replace(marked(("meas.mismatch", "warning")), fresh=(True, False))
    proposed = {
        "attest.ttl": "600",
        "attest.enforce_measurements": "1",
        "attest.required_tier_h100_80g": "5",
    }
    answer = judged(found, proposed)
    assert answer.outcome is Outcome.FALLS_OUT
    assert answer.codes == ("meas.mismatch", "tier.required")
    # One takes back what another gives.
    proposed = {"attest.enforce_measurements": "1", "attest.ttl": "3600"}
    stale = replace(marked(("meas.mismatch", "warning")), fresh=(False, True))
    assert judged(stale, proposed).outcome is Outcome.STAYS_OUT


def test_a_report_that_the_policy_in_force_refuses_falls_out_without_the_proposal() -> None:
    """Judged when the switch was off; it is on since, and nobody judged the report again."""
    in_force = BASE | {"attest.enforce_measurements": "1"}
    found = marked(("meas.mismatch", "warning"))
    answer = judged(found, {"attest.ttl": "1800"}, base=in_force, stored=BASE)
    assert answer.outcome is Outcome.STAYS_OUT


def test_suspended_nodes_are_not_moved_by_parameters() -> None:
    facts = replace(FACTS, status="suspended", is_suspended=True)
    answer = judged(facts, {"attest.required_tier_h100_80g": "5"})
    assert (answer.outcome, answer.before) == (Outcome.STAYS_OUT, "suspended")
    # A suspension that has run out is none.
    facts = replace(FACTS, status="suspended", is_suspended=False)
    assert judged(facts, {"attest.ttl": "1800"}).outcome is Outcome.STAYS


policies = st.builds(
    Policy,
    version=st.just(1),
    rim_expired=st.sampled_from(RimExpired),
    **{f"enforce_{name}": st.booleans() for name in sorted(set(SWITCH_BY_PREFIX.values()))},
)
codes = st.sampled_from(
    [f"{prefix}.x" for prefix in SWITCH_BY_PREFIX]
    + ["rim.expired", "revocation.unknown", "device.duplicate", "report.too_short", "tier.required"]
)


@given(code=codes, stored=policies, policy=policies)
def test_a_stored_error_is_weighed_as_if_it_were_new(
    code: str, stored: Policy, policy: Policy
) -> None:
    """Judge, store, un-judge, judge again: the same as judging under the other policy at once."""
    fresh = Finding(code, "As the check reported it.")
    kept = stored.judge(fresh)
    assert policy.judge(unjudged(kept, by=stored)) == policy.judge(fresh)


@given(severity=st.sampled_from([Severity.INFO, Severity.WARNING]), policy=policies)
def test_what_never_was_an_error_is_not_made_one(severity: Severity, policy: Policy) -> None:
    finding = Finding("node.devices_missing", "Reported as such.", severity)
    assert unjudged(policy.judge(finding), by=policy) == finding
