"""How many GPU reports one process verifies a second, cold and warm, and what bounds it.

    python -m bench.attestation [--seconds 3] [--json]

Everything is measured in one run, interleaved, on one core by CPU time: on a shared machine the
absolute figures move together, the ratios between them do not. ``floor`` is one bare P-384
verification of a report, which no verifier can do without.

cold       nothing cached: 13 signatures (report, 4 chain links, 2 manifests of 4 each)
known RIMs manifests cached, the GPU new: 5 signatures
warm       manifests and chain cached: 1 signature
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle

from cryptography.hazmat.primitives.asymmetric import ec

from network.attestation import (
    Caches,
    MappingRimStore,
    NodeEvidence,
    Policy,
    Status,
    Tier,
    TrustAnchors,
    verify_evidence,
)
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import (
    HOPPER,
    EmulatedGpu,
    EmulatorAuthority,
    firmware_manifests,
)
from network.attestation.signatures import raw_signature_verify
from network.attestation.spdm import parse_report

NOW = datetime(2026, 11, 23, tzinfo=UTC)
#: Different GPUs, so that "known RIMs" never meets a chain twice before its cache is emptied.
CARDS = 16


@dataclass
class Case:
    """One thing measured: seconds of CPU time of every call."""

    name: str
    work: Callable[[], None]
    seconds: list[float] = field(default_factory=list)

    def call(self) -> None:
        started = time.process_time()
        self.work()
        self.seconds.append(time.process_time() - started)

    def row(self, floor_per_s: float) -> dict[str, float | str | int]:
        per_s = 1 / statistics.median(self.seconds)
        p99 = statistics.quantiles(self.seconds, n=100)[98]
        return {
            "case": self.name,
            "calls": len(self.seconds),
            "per_s": round(per_s, 1),
            "p99_ms": round(p99 * 1000, 2),
            "of_floor": round(per_s / floor_per_s, 3),
        }


def cases() -> list[Case]:
    authority = EmulatorAuthority.from_seed("bench")
    trust = authority.trust(TrustAnchors.nvidia())
    rims = MappingRimStore(firmware_manifests(authority, [HOPPER]))
    nonce = hashlib.sha256(b"bench").digest()
    evidence = [
        NodeEvidence(nonce, (gpu.evidence(nonce),), True, "h100_80g", 1)
        for gpu in (EmulatedGpu(authority, f"bench/{n}") for n in range(CARDS))
    ]
    turns: Iterator[NodeEvidence] = cycle(evidence)
    policy = Policy(version=1, enforce_measurements=True, required_tiers={"h100_80g": Tier.T4})

    def verify(caches: Caches) -> None:
        appraisal = verify_evidence(
            next(turns),
            policy=policy,
            now=NOW,
            trust=trust,
            rims=rims,
            caches=caches,
        )
        assert appraisal.status is Status.AFFIRMING

    warm = Caches()
    for _ in evidence:
        verify(warm)

    def known_rims() -> None:
        verify(Caches(rims=warm.rims))

    report = parse_report(evidence[0].devices[0].report)
    key = load_device_chain(evidence[0].devices[0].certificate_chain).leaf_key
    assert isinstance(key, ec.EllipticCurvePublicKey)

    def floor() -> None:
        assert raw_signature_verify(key, report.signature, report.signed)

    return [
        Case("floor", floor),
        Case("cold", lambda: verify(Caches())),
        Case("known RIMs", known_rims),
        Case("warm", lambda: verify(warm)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="CPU seconds to spend")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured = cases()
    deadline = time.process_time() + options.seconds
    while time.process_time() < deadline or len(measured[0].seconds) < 10:
        for case in measured:
            case.call()
    floor_per_s = 1 / statistics.median(measured[0].seconds)
    rows = [case.row(floor_per_s) for case in measured]
    by_name = {str(row["case"]): float(row["per_s"]) for row in rows}
    ratio = round(by_name["warm"] / by_name["cold"], 1)
    if options.json:
        print(json.dumps({"rows": rows, "warm_over_cold": ratio}))
        return
    for row in rows:
        print(
            f"{row['case']:>10}: {row['per_s']:>8} /s   p99 {row['p99_ms']:>6} ms   "
            f"{row['of_floor']:>6} of the floor   ({row['calls']} calls)"
        )
    print(f"warm is {ratio} times cold")


if __name__ == "__main__":
    main()
