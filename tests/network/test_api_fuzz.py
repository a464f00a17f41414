"""The attestation endpoints under thousands of cases: no fault of ours, no undocumented answer.

``make fuzz`` runs ten thousand and prints what was answered; here there are two thousand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from network.models import Attestation, Verdict
from tests.network.fuzzing import (
    SIGNED_PATHS,
    Tally,
    described,
    hybrid,
    links_fuzz,
    open_connection,
    operations_fuzz,
    without_rates,
)
from tests.network.nodes import TestNode

pytestmark = [pytest.mark.chain, pytest.mark.django_db]
CASES = int(os.environ.get("ALTHING_FUZZ_CASES", "2000"))


def test_no_case_meets_a_fault_or_an_undocumented_answer(
    make_node: Callable[..., TestNode], settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    node = make_node(gpu_count=1, ml_dsa=hybrid())
    tally = Tally()
    with without_rates(settings), open_connection():
        schema = described()
        links_fuzz(schema, node=node, cases=CASES // 4, tally=tally)
        assert tally.statuses("linked") >= {200, 201}
        judged = Verdict.objects.count()
        for mode, signer, share in (("unsigned", None, 4), ("half signed", node, 10)):
            operations_fuzz(
                schema, SIGNED_PATHS, mode=mode, node=signer, cases=CASES // share, tally=tally
            )
            assert min(tally.statuses(mode)) >= 400
        # Nothing that was not signed whole has left a trace.
        assert Verdict.objects.count() == Attestation.objects.count() == judged > 0
        rest = max(CASES - tally.total(), CASES // 5)
        operations_fuzz(schema, SIGNED_PATHS, mode="signed", node=node, cases=rest, tally=tally)
    assert tally.total() >= CASES
    assert node.attest().status_code == 201
    if "ALTHING_FUZZ_CASES" in os.environ:
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(tally.lines()) + "\n")
