"""One bit changed anywhere in valid evidence is found, and found in words: a property of positions.

Every byte of report and chain is changed in one seeded bit, of a manifest every fifth byte from
its signature on and every 29th of what the signature's digest covers. No changed bit may stay
unnoticed, whatever the byte means.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from network.attestation import (
    Appraisal,
    Caches,
    DeviceEvidence,
    MappingRimStore,
    NodeEvidence,
    Severity,
    Status,
    TrustAnchors,
    verify_evidence,
)
from network.attestation.certificates import chain_findings, load_device_chain
from network.attestation.links import ChainError
from network.attestation.rim import load_rim, rim_findings
from network.attestation.rim_payload import RimError

from .encodings import flipped
from .samples import (
    NONCE,
    NVIDIA_NONCE,
    SAMPLE_TIME,
    STRICT,
    Judge,
    gpu,
    needs_nvidia_samples,
    nvidia_device,
    nvidia_rims,
)

#: The digested part of a manifest is one hash's business, so fewer of its bytes are enough.
DIGESTED_STEP = 29
SIGNATURE_STEP = 5
#: Every so many changes the whole appraisal is made, not only that of the part.
WHOLE_STEP = 16


@dataclass
class Sample:
    """Valid evidence of one GPU. What is not changed is parsed once, as in a running service."""

    device: DeviceEvidence
    judge: Judge
    emulated: bool
    caches: Caches = field(default_factory=Caches)

    @property
    def manifests(self) -> dict[str, bytes]:
        """The manifests that this GPU is compared with."""
        assert isinstance(self.judge.rims, MappingRimStore)
        found = self.appraise(self.device).devices[0].collateral
        ids = [found[name]["id"] for name in ("driver_rim", "vbios_rim")]
        return {rim_id: self.judge.rims.manifests[rim_id] for rim_id in ids}

    def appraise(
        self, device: DeviceEvidence, *, changed: dict[str, bytes] | None = None
    ) -> Appraisal:
        rims = self.judge.rims
        if changed is not None:
            assert isinstance(rims, MappingRimStore)
            rims = MappingRimStore({**rims.manifests, **changed})
        return verify_evidence(
            NodeEvidence(self.judge.nonce, (device,), True, "h100_80g", 1),
            policy=STRICT,
            now=self.judge.now,
            trust=self.judge.trust,
            rims=rims,
            caches=self.caches,
        )


def emulated() -> Sample:
    return Sample(gpu().evidence(NONCE), Judge(), emulated=True)


def genuine() -> Sample:
    judge = Judge(
        now=SAMPLE_TIME, trust=TrustAnchors.nvidia(), rims=nvidia_rims(), nonce=NVIDIA_NONCE
    )
    return Sample(nvidia_device(), judge, emulated=False)


@pytest.fixture(
    params=[
        pytest.param(emulated, id="emulated"),
        pytest.param(genuine, id="genuine", marks=needs_nvidia_samples),
    ]
)
def sample(request: pytest.FixtureRequest) -> Sample:
    made: Sample = request.param()
    assert made.appraise(made.device).status is Status.AFFIRMING
    return made


def seeded_bits(positions: Iterable[int], seed: str) -> list[tuple[int, int]]:
    """One bit of every position, the same ones in every run."""
    generator = random.Random(seed)
    return [(position, generator.randrange(8)) for position in positions]


def refusals(appraisal: Appraisal) -> set[str]:
    """The codes that refuse the device. It must be refused, and for a reason that is not ours."""
    assert appraisal.status is Status.CONTRAINDICATED
    assert not appraisal.accepted
    found = {
        finding.code
        for finding in appraisal.devices[0].findings
        if finding.severity is Severity.ERROR
    }
    assert found
    assert "verifier.fault" not in found
    return found


def chain_codes(sample: Sample, pem: bytes) -> set[str]:
    """What the chain alone is refused for."""
    try:
        chain = load_device_chain(pem)
    except ChainError as error:
        return {error.code}
    roots = sample.judge.trust.device
    return {finding.code for finding in chain_findings(chain, roots=roots, now=sample.judge.now)[0]}


def manifest_codes(sample: Sample, xml: bytes) -> set[str]:
    """What the manifest alone is refused for; product and version are taken from itself."""
    try:
        rim = load_rim(xml)
    except RimError as error:
        return {error.code}
    findings = rim_findings(
        rim,
        roots=sample.judge.trust.rim,
        now=sample.judge.now,
        product=rim.product,
        version=rim.version,
        emulated=sample.emulated,
    )
    return {finding.code for finding in findings}


def test_a_bit_of_the_report(sample: Sample) -> None:
    report = sample.device.report
    met: Counter[str] = Counter()
    headers = [(position, bit) for position in range(60) for bit in range(8)]
    for position, bit in headers + seeded_bits(range(60, len(report)), "report"):
        changed = replace(sample.device, report=flipped(report, position, bit))
        met.update(refusals(sample.appraise(changed)))
    assert met["sig.report"] > 3000
    assert set(met) >= {"report.bad_header", "nonce.mismatch", "meas.mismatch", "report.not_dmtf"}


def test_a_bit_of_the_chain(sample: Sample) -> None:
    chain = sample.device.certificate_chain
    met: Counter[str] = Counter()
    for position, bit in seeded_bits(range(len(chain)), "chain"):
        other = flipped(chain, position, bit)
        found = chain_codes(sample, other)
        assert found
        met.update(found)
        if position % WHOLE_STEP == 0:
            changed = replace(sample.device, certificate_chain=other)
            assert found <= refusals(sample.appraise(changed))
    assert set(met) >= {"chain.pem", "chain.signature", "chain.name", "chain.root_certificate"}


def test_a_bit_of_a_manifest(sample: Sample) -> None:
    met: Counter[str] = Counter()
    for rim_id, xml in sample.manifests.items():
        signature = xml.index(b"<ds:Signature")
        digested, around = (
            range(0, signature, DIGESTED_STEP),
            range(signature, len(xml), SIGNATURE_STEP),
        )
        for number, (position, bit) in enumerate(seeded_bits([*digested, *around], rim_id)):
            other = flipped(xml, position, bit)
            found = manifest_codes(sample, other)
            assert found
            met.update(found)
            if number % WHOLE_STEP == 0:
                assert found == refusals(sample.appraise(sample.device, changed={rim_id: other}))
    expected = {"rim.digest", "rim.signature", "rim.chain", "rim.malformed", "rim.keyinfo"}
    assert set(met) >= expected
