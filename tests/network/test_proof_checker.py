"""The checker of docs/epochs.md, run alone on proofs of the API against a node's own ledger."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from eth_utils import keccak

from chain.client import chain_call
from chain.contracts import contract
from network.models import Verdict
from tests.network.anchoring import LEDGER, Anchoring, anchoring, attested

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "epochs.md"
Attested = Callable[..., Any]


def source() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the script on a proof, with nothing but the standard library and the clock given."""
    script, file = tmp_path / "check_proof.py", tmp_path / "proof.json"
    script.write_text(source(), "utf-8")

    def run(proof: Any, *, now_s: int, ledger: str = "") -> subprocess.CompletedProcess[str]:
        file.write_text(json.dumps(proof), "utf-8")
        alone = (
            f"import runpy, sys, time; time.time = lambda: {now_s}; sys.argv = sys.argv[1:]; "
            "runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        place = ledger or f"0x{contract(LEDGER).address.hex()}"
        arguments = [str(script), str(file), os.environ["RPC_URL"], place]
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", alone, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )

    return run


@pytest.mark.parametrize("length", [0, 1, 32, 135, 136, 137, 271, 272, 1000])
def test_its_keccak_is_ethereums(length: int) -> None:
    names: dict[str, Any] = {}
    exec(source().split("proof, url, ledger =")[0], names)  # noqa: S102 - our own page
    data = secrets.token_bytes(length)
    assert names["keccak"](data) == keccak(data)


def spoilt(proof: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Proofs that are not, each with what must be said of it."""
    leaf, published = proof["leaf"], proof["published"]
    other = {"root": "the ledger's root is another", "short": "the proof is too short"}
    return [
        ({**proof, "leaf": {**leaf, "seconds_attested": 86400}}, other["root"]),
        ({**proof, "leaf": {**leaf, "status": 2, "tier": 5}}, "another verdict"),
        ({**proof, "published": {**published, "status": "warning"}}, "not what was hashed"),
        ({**proof, "leaf": {**leaf, "verdict_hash": f"0x{'11' * 32}"}}, "not what was hashed"),
        ({**proof, "siblings": proof["siblings"][:-1]}, other["short"]),
        ({**proof, "siblings": [*proof["siblings"], f"0x{'11' * 32}"]}, other["root"]),
        ({**proof, "siblings": proof["siblings"][::-1]}, other["root"]),
        ({**proof, "index": 1 - proof["index"]}, other["root"]),
        ({**proof, "index": 3}, "no such place"),
        ({**proof, "index": -1}, "no such place"),
        ({**proof, "epoch": 1}, "no such place"),
        ({**proof, "epoch": 2}, "the node says"),
    ]


def test_it_accepts_what_is_anchored_and_nothing_else(
    anchoring: Anchoring, attested: Attested, check: Callable[..., Any]
) -> None:
    attested(1000, 2000, 3000)
    anchoring.anchor(0)
    anchoring.anchor(1)
    usable_s = int(chain_call(LEDGER, "usableAt", (0,)))
    leaves = Client().get("/api/v1/epochs/0/leaves/").json()["results"]
    proofs = [
        Client().get(f"/api/v1/verdicts/{leaf['verdict_id']}/proof/").json() for leaf in leaves
    ]
    for proof, seconds in zip(proofs, (1000, 1000, 2700), strict=True):
        done = check(proof, now_s=usable_s)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"epoch 0 holds it: affirming, tier T4, {seconds} s\n"
    early = check(proofs[0], now_s=usable_s - 1)
    assert (early.returncode, "may still be voided" in early.stderr) == (1, True)
    for wrong, words in spoilt(proofs[0]):
        done = check(wrong, now_s=usable_s)
        assert (done.returncode, words in done.stderr) == (1, True), (words, done.stderr)
    foreign = f"0x{contract('NodeRegistry').address.hex()}"
    assert check(proofs[0], now_s=usable_s, ledger=foreign).returncode == 1
    assert Verdict.objects.count() == 3


def test_it_refuses_a_voided_epoch(
    anchoring: Anchoring, attested: Attested, check: Callable[..., Any]
) -> None:
    attested(1000)
    anchoring.anchor(0)
    (pk,) = Verdict.objects.values_list("pk", flat=True)
    proof = Client().get(f"/api/v1/verdicts/{pk}/proof/").json()
    usable_s = int(chain_call(LEDGER, "usableAt", (0,)))
    anchoring.void(0)
    done = check(proof, now_s=usable_s)
    assert (done.returncode, "was voided" in done.stderr) == (1, True)
