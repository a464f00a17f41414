"""How many GPU reports one process verifies a second, and what bounds it.

    python -m bench.attestation [--seconds 10]

It prints one line of JSON. Everything is measured in one run on one core by CPU time, in rounds in
which a handful of calls of each case follow the bare signature check; of each handful the fastest
counts, for whatever else the machine does only ever adds. ``floor`` is one P-384 verification of
the very report, which no verifier can do without; ``*_vs_floor`` is the median over the rounds of
floor seconds / case seconds. ``*_p99_ms`` is of all calls, what others added included.

cold        nothing cached, all signatures verified: the report's, 4 links of its chain, and for
            each of 2 manifests its own and 3 links. A root's own signature, which is no part of
            any report, is verified once in a process and not counted.
known_rims  manifests cached, the GPU and its vendor's authorities new
new_gpu     manifests and the links between the authorities cached, the GPU new
warm        manifests and the GPU's chain cached

The evidence is NVIDIA's published H100 sample where the set-up has fetched it, judged as of a time
when its manifests were valid, and else the emulator's; ``evidence`` says which.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from network.attestation import (
    Caches,
    MappingRimStore,
    NodeEvidence,
    Policy,
    RimStore,
    Status,
    Tier,
    TrustAnchors,
    device,
    links,
    verify_evidence,
    xmldsig,
)
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import (
    HOPPER,
    EmulatedGpu,
    EmulatorAuthority,
    firmware_manifests,
)
from network.attestation.saved import REPORT_FILE, saved_evidence_read
from network.attestation.signatures import raw_signature_verify
from network.attestation.spdm import parse_report

CHECKOUT = Path(__file__).resolve().parents[1]
SAMPLES = Path(os.environ.get("ALTHING_NVIDIA_SAMPLES") or CHECKOUT / ".cache/nvidia-samples")
NVIDIA_SAMPLE = SAMPLES / "verifier" / "samples"
#: Inside the validity of the sample's manifests.
NVIDIA_TIME = datetime(2024, 6, 1, tzinfo=UTC)
EMULATED_TIME = datetime(2026, 11, 23, tzinfo=UTC)
#: Different emulated GPUs, so that their evidence is not all in the processor's nearest cache.
CARDS = 16
GPU_CLASS = "h100_80g"


@dataclass(frozen=True)
class Fleet:
    """What is verified: the evidence of one or more single-GPU nodes, all of them sound."""

    name: str
    evidence: tuple[NodeEvidence, ...]
    rims: Callable[[], RimStore]
    trust: TrustAnchors
    now: datetime


def fleet_find() -> Fleet:
    """NVIDIA's sample, or emulated GPUs where it was not fetched."""
    if (NVIDIA_SAMPLE / REPORT_FILE).is_file():
        return _nvidia_fleet()
    return _emulated_fleet()


def _nvidia_fleet() -> Fleet:
    saved = saved_evidence_read(NVIDIA_SAMPLE)
    nonce = parse_report(saved.devices[0].report).request_nonce
    evidence = NodeEvidence(nonce, saved.devices, True, GPU_CLASS, 1)
    return Fleet(
        "NVIDIA H100 sample", (evidence,), lambda: saved.rims, TrustAnchors.nvidia(), NVIDIA_TIME
    )


def _emulated_fleet() -> Fleet:
    authority = EmulatorAuthority.from_seed("bench")
    manifests = firmware_manifests(authority, [HOPPER])
    nonce = hashlib.sha256(b"bench").digest()
    evidence = tuple(
        NodeEvidence(nonce, (gpu.evidence(nonce),), True, GPU_CLASS, 1)
        for gpu in (EmulatedGpu(authority, f"bench/{n}") for n in range(CARDS))
    )
    trust = authority.trust(TrustAnchors.nvidia())
    return Fleet("emulated", evidence, lambda: MappingRimStore(manifests), trust, EMULATED_TIME)


@dataclass
class Case:
    """One thing measured: ``calls`` in a row a round, and the CPU seconds of each."""

    name: str
    calls: int
    work: Callable[[], None]
    rounds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def round(self) -> None:
        taken = []
        for _ in range(self.calls):
            started = time.process_time()
            self.work()
            taken.append(time.process_time() - started)
        self.seconds += taken
        self.rounds.append(min(taken))


def cases(fleet: Fleet) -> list[Case]:
    turns: Iterator[NodeEvidence] = cycle(fleet.evidence)
    policy = Policy(version=1, enforce_measurements=True, required_tiers={GPU_CLASS: Tier.T4})

    def verify(caches: Caches) -> None:
        appraisal = verify_evidence(
            next(turns),
            policy=policy,
            now=fleet.now,
            trust=fleet.trust,
            rims=fleet.rims(),
            caches=caches,
        )
        assert appraisal.status is Status.AFFIRMING, appraisal.findings_json()

    warm = Caches()
    for _ in fleet.evidence:
        verify(warm)

    sent = fleet.evidence[0].devices[0]
    report, key = parse_report(sent.report), load_device_chain(sent.certificate_chain).leaf_key
    assert key is not None

    def floor() -> None:
        assert raw_signature_verify(key, report.signature, report.signed)

    return [
        Case("floor", 20, floor),
        Case("cold", 10, lambda: verify(Caches())),
        Case("known_rims", 8, lambda: verify(Caches(rims=warm.rims))),
        Case("new_gpu", 8, lambda: verify(Caches(rims=warm.rims, authorities=warm.authorities))),
        Case("warm", 20, lambda: verify(warm)),
    ]


@contextmanager
def signatures_counted() -> Iterator[list[int]]:
    """Count the signatures that are verified meanwhile, at the three places that do it."""
    count = [0]
    places: list[tuple[Any, str]] = [
        (links, "_signed_by"),
        (device, "raw_signature_verify"),
        (xmldsig, "raw_signature_verify"),
    ]
    before = [getattr(module, name) for module, name in places]

    def counted(verify: Callable[..., bool]) -> Callable[..., bool]:
        def call(*given: Any) -> bool:
            count[0] += 1
            return verify(*given)

        return call

    for (module, name), verify in zip(places, before, strict=True):
        setattr(module, name, counted(verify))
    try:
        yield count
    finally:
        for (module, name), verify in zip(places, before, strict=True):
            setattr(module, name, verify)


def measure(seconds: float) -> dict[str, Any]:
    fleet = fleet_find()
    floor, *measured = everything = cases(fleet)
    signatures = {}
    for case in measured:
        with signatures_counted() as count:
            case.work()
        signatures[case.name] = count[0]
    deadline = time.process_time() + seconds
    while time.process_time() < deadline or len(floor.rounds) < 5:
        for case in everything:
            case.round()

    def vs_floor(case: Case) -> float:
        ratios = [f / c for f, c in zip(floor.rounds, case.rounds, strict=True)]
        return round(statistics.median(ratios), 4)

    return {
        "evidence": fleet.name,
        **{f"{case.name}_vs_floor": vs_floor(case) for case in measured},
        **{f"{c.name}_per_s": round(1 / statistics.median(c.rounds), 1) for c in everything},
        **{
            f"{c.name}_p99_ms": round(statistics.quantiles(c.seconds, n=100)[98] * 1000, 2)
            for c in everything
        },
        "signatures": signatures,
        "rounds": len(floor.rounds),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU seconds to spend")
    print(json.dumps(measure(parser.parse_args().seconds)))


if __name__ == "__main__":
    main()
