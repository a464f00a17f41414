"""Whose fault a refused report is."""

from __future__ import annotations

import pytest

from network.attestation.codes import CODES
from network.attestation.faults import _NOT_THE_NODE, Fault, fault_of, fault_of_code


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        (["sig.report"], Fault.NODE),
        (["nonce.mismatch", "tier.required"], Fault.NODE),
        (["device.duplicate"], Fault.NODE),
        (["revocation.revoked"], Fault.NODE),
        (["tier.required"], Fault.POLICY),
        (["policy.class_unknown"], Fault.POLICY),
        (["rim.not_found", "tier.required"], Fault.PROVIDER),
        (["rim.anything_new"], Fault.PROVIDER),
        (["revocation.stale"], Fault.PROVIDER),
        (["verifier.fault"], Fault.VERIFIER),
        (["verifier.fault", "rim.not_found", "tier.required"], Fault.VERIFIER),
        # One device's trouble hides nothing of another's.
        (["verifier.fault", "sig.report"], Fault.NODE),
        # A verifier that says nothing holds nothing against anybody.
        ([], Fault.VERIFIER),
        # A check that nobody has typed yet counts against the node.
        (["brand.new"], Fault.NODE),
    ],
)
def test_the_weightiest_fault_counts(codes: list[str], fault: Fault) -> None:
    assert fault_of(codes) is fault


def test_every_typed_code_is_one_the_verifier_has() -> None:
    families = {code.partition(".")[0] for code in CODES}
    for code in _NOT_THE_NODE:
        assert code in CODES or (code.endswith(".") and code[:-1] in families), code


def test_no_family_swallows_a_forgery() -> None:
    for code in ("chain.signature", "chain.root_unpinned", "dice.debug", "meas.mismatch"):
        assert fault_of_code(code) is Fault.NODE
