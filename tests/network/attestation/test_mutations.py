"""Ten thousand seeded mutations of valid evidence: coded findings only, whatever the bytes become.

Text and bytes are mutated as sent, and also inside what usually guards them: certificates below
their base64, opaque data that is then signed again by the right key.
"""

from __future__ import annotations

import base64
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from network.attestation import DeviceEvidence, Severity
from network.attestation.codes import CODES
from network.attestation.spdm import parse_report

from .encodings import ders_of, manifest_certificates, manifest_with_certificate, pem_of
from .samples import needs_nvidia_samples
from .test_flipped_bits import Sample, chain_codes, emulated, genuine, manifest_codes
from .test_formats import signed_with_opaque

Bytes = Callable[[bytes, random.Random], bytes]


def flip(data: bytes, rng: random.Random) -> bytes:
    position = rng.randrange(len(data))
    return data[:position] + bytes([data[position] ^ 1 << rng.randrange(8)]) + data[position + 1 :]


def piece(data: bytes, rng: random.Random, longest: int = 64) -> tuple[int, int]:
    """Start and end of some part; short ones are likelier, one reaches the end now and then."""
    start = rng.randrange(len(data))
    length = min(rng.randint(1, longest), rng.randint(1, longest))
    return start, len(data) if rng.random() < 0.05 else min(len(data), start + length)


def cut(data: bytes, rng: random.Random) -> bytes:
    start, end = piece(data, rng)
    return data[:start] + data[end:]


def insert(data: bytes, rng: random.Random) -> bytes:
    position = rng.randint(0, len(data))
    extremes = (b"\0", b"\xff", b"\n", b"=", b"<a>", b"&#0;", b"\x30\x80")
    value = rng.choice((*extremes, rng.randbytes(rng.randint(1, 8))))
    return data[:position] + value + data[position:]


def duplicate(data: bytes, rng: random.Random) -> bytes:
    start, end = piece(data, rng, longest=1024)
    return data[:end] + data[start:]


def swap(data: bytes, rng: random.Random) -> bytes:
    cuts = sorted(rng.randint(0, len(data)) for _ in range(4))
    a, b, c, d = cuts
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


MUTATIONS: tuple[Bytes, ...] = (flip, cut, insert, duplicate, swap)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """One mutation, sometimes several."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(data, rng) or b"\0"
    return data


def plain_chain(pem: bytes) -> bytes:
    """A chain without what may follow it: one newline, then NULs."""
    return pem.rstrip(b"\0").removesuffix(b"\n")


def plain_manifest(xml: bytes) -> bytes:
    """A manifest without the newlines after it, and without white space in and between the base64
    values that follow SignedInfo: XML Schema ignores it there, and no signature covers it."""
    signed, tag, rest = xml.rstrip(b"\n").partition(b"<ds:SignatureValue>")
    return signed + tag + rest.translate(None, b" \t\n")


@dataclass(frozen=True)
class Trial:
    """What one mutation was made of and how it was judged."""

    part: str
    codes: set[str]
    unchanged: bool


class Mutator:
    """Mutates every part of one sample in turn."""

    def __init__(self, sample: Sample, seed: str) -> None:
        self.sample = sample
        self.rng = random.Random(seed)
        self.parts = [self.report, self.chain, self.certificate, self.manifest, self.signer]
        if sample.emulated:
            self.parts.append(self.signed_opaque)
        self.ders = ders_of(sample.device.certificate_chain)
        self.manifests = list(sample.manifests.values())
        self.signers = [manifest_certificates(xml) for xml in self.manifests]

    def trials(self, count: int) -> Iterator[Trial]:
        for number in range(count):
            yield self.parts[number % len(self.parts)]()

    def report(self) -> Trial:
        original = self.sample.device.report
        changed = mutated(original, self.rng)
        device = replace(self.sample.device, report=changed)
        return Trial("report", self.refusals(device), changed == original)

    def chain(self) -> Trial:
        original = self.sample.device.certificate_chain
        changed = mutated(original, self.rng)
        same = plain_chain(changed) == plain_chain(original)
        return Trial("chain", chain_codes(self.sample, changed), same)

    def certificate(self) -> Trial:
        """One of the chain's certificates, below PEM."""
        position = self.rng.randrange(len(self.ders))
        ders = list(self.ders)
        ders[position] = mutated(ders[position], self.rng)
        return Trial("certificate", chain_codes(self.sample, pem_of(ders)), ders == self.ders)

    def manifest(self) -> Trial:
        original = self.rng.choice(self.manifests)
        changed = mutated(original, self.rng)
        same = plain_manifest(changed) == plain_manifest(original)
        return Trial("manifest", manifest_codes(self.sample, changed), same)

    def signer(self) -> Trial:
        """One of a manifest's certificates, below base64."""
        number = self.rng.randrange(len(self.manifests))
        position = self.rng.randrange(len(self.signers[number]))
        original = base64.b64decode(self.signers[number][position])
        changed = mutated(original, self.rng)
        text = base64.b64encode(changed).decode("ascii")
        xml = manifest_with_certificate(self.manifests[number], position, text)
        return Trial("signer", manifest_codes(self.sample, xml), changed == original)

    def signed_opaque(self) -> Trial:
        """Opaque data that the device's own key vouches for. It may be acceptable."""
        changed = mutated(parse_report(self.sample.device.report).opaque, self.rng)
        device = signed_with_opaque(changed)
        return Trial("signed opaque", self.refusals(device), unchanged=True)

    def refusals(self, device: DeviceEvidence) -> set[str]:
        appraisal = self.sample.appraise(device)
        found = {f.code for f in appraisal.devices[0].findings if f.severity is Severity.ERROR}
        assert "verifier.fault" not in found
        assert appraisal.accepted is not bool(found)
        return found


@pytest.mark.parametrize(
    ("make", "count"),
    [
        pytest.param(emulated, 10_000, id="emulated"),
        pytest.param(genuine, 4_000, id="genuine", marks=needs_nvidia_samples),
    ],
)
def test_a_mutation_is_refused_in_words(make: Callable[[], Sample], count: int) -> None:
    met: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for trial in Mutator(make(), "mutations").trials(count):
        assert trial.codes or trial.unchanged, trial
        met.update(trial.codes)
        tried[trial.part] += 1
    assert tried.total() == count
    assert min(tried.values()) >= count // len(tried)
    assert {code.split(".")[0] for code in met} >= {"report", "sig", "chain", "rim"}
    assert len(met) > 20
    assert met.keys() <= CODES.keys()
