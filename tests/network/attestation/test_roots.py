"""A submitted root certificate: its key is pinned, and no byte of the rest may be anything else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from network.attestation import MappingRimStore, Status, TrustAnchors
from network.attestation.emulator import driver_manifest, vbios_manifest
from network.attestation.rim import load_rim
from network.attestation.trust import TrustAnchor

from .encodings import (
    ders_of,
    flipped,
    manifest_certificates,
    manifest_with_certificate,
    pem_of,
)
from .samples import (
    AUTHORITY,
    EMULATOR_TRUST,
    FIRMWARE,
    NONCE,
    NOW,
    NVIDIA_DIRECTORY,
    NVIDIA_NONCE,
    SAMPLE_TIME,
    Judge,
    codes,
    gpu,
    needs_nvidia_samples,
    nvidia_device,
    nvidia_rims,
)

CHAIN = gpu().certificate_chain
DRIVER_ID, DRIVER = driver_manifest(AUTHORITY, FIRMWARE)
ROOT = AUTHORITY.device_chain[-1]


def root_codes(root: bytes, judge: Judge | None = None) -> set[str]:
    """The codes of an honest GPU whose chain ends in another root certificate."""
    chain = pem_of([*ders_of(CHAIN)[:-1], root])
    return codes((judge or Judge())(replace(gpu().evidence(NONCE), certificate_chain=chain)))


def reissued(
    *,
    until: datetime = datetime(9999, 1, 1, tzinfo=UTC),
    issuer: str | None = None,
    serial: int = 77,
) -> x509.Certificate:
    """Another certificate of the pinned key, by that key."""
    name = ROOT.certificate.subject
    if issuer is not None:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(ROOT.certificate.subject)
        .issuer_name(name)
        .public_key(ROOT.key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(until)
    )
    for extension in ROOT.certificate.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(ROOT.key, hashes.SHA384())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def with_year(certificate: bytes, old: bytes, new: bytes) -> bytes:
    assert certificate.count(old) == 1
    return certificate.replace(old, new)


def test_another_certificate_of_the_pinned_key_counts_when_that_key_signed_it() -> None:
    assert root_codes(der(reissued())) == set()


def test_its_dates_count_then() -> None:
    assert root_codes(der(reissued(until=NOW - timedelta(days=1)))) == {"chain.expired"}


def test_a_root_that_names_another_issuer_is_not_a_root() -> None:
    assert root_codes(der(reissued(issuer="somebody"))) == {"chain.root_certificate"}


def test_an_altered_root_is_refused_and_its_dates_say_nothing() -> None:
    original = ders_of(CHAIN)[-1]
    expired = with_year(original, b"99991231235959Z", b"20211231235959Z")
    not_yet = with_year(original, b"200101000000Z", b"480101000000Z")
    for altered in (expired, not_yet, flipped(original, 20), flipped(original, len(original) - 1)):
        assert root_codes(altered) == {"chain.root_certificate"}


def test_a_certificate_known_by_its_digest_needs_no_signature() -> None:
    """As a root whose key lives in hardware that cannot sign itself."""
    crossed = der(reissued(issuer="somebody"))
    anchor = EMULATOR_TRUST.device[AUTHORITY.device_root_spki_sha256]
    known = replace(anchor, certificate_sha256=frozenset({hashlib.sha256(crossed).hexdigest()}))
    trust = replace(EMULATOR_TRUST, device={known.spki_sha256: known})
    assert root_codes(crossed, Judge(trust=trust)) == set()


def test_the_digest_alone_does_not_count_below_another_pin() -> None:
    """The key is what is pinned; a digest only says which certificates of it are known."""
    original = hashlib.sha256(ders_of(CHAIN)[-1]).hexdigest()
    stranger = TrustAnchor("somebody", "00" * 32, certificate_sha256=frozenset({original}))
    trust = replace(EMULATOR_TRUST, device={stranger.spki_sha256: stranger})
    assert root_codes(ders_of(CHAIN)[-1], Judge(trust=trust)) == {"chain.root_unpinned"}


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"99991231235959Z", b"20211231235959Z"), (b"200101000000Z", b"480101000000Z")],
)
def test_a_manifests_root_is_judged_in_the_same_way(old: bytes, new: bytes) -> None:
    texts = manifest_certificates(DRIVER)
    altered = with_year(base64.b64decode(texts[-1]), old, new)
    xml = manifest_with_certificate(DRIVER, 3, base64.b64encode(altered).decode())
    manifests = {DRIVER_ID: xml, **dict([vbios_manifest(AUTHORITY, FIRMWARE)])}
    appraisal = Judge(rims=MappingRimStore(manifests))(gpu().evidence(NONCE))
    assert codes(appraisal) == {"rim.chain"}
    assert appraisal.devices[0].measurements_compared == 12


@needs_nvidia_samples
def test_nvidias_roots_are_known_by_their_digests() -> None:
    trust = TrustAnchors.nvidia()
    directory = NVIDIA_DIRECTORY.parent / "certs"
    for name, anchors in (("device", trust.device), ("RIM", trust.rim)):
        (anchor,) = anchors.values()
        pem = (directory / f"verifier_{name}_root.pem").read_bytes()
        (certificate,) = x509.load_pem_x509_certificates(pem)
        assert anchor.certificate_sha256 == {hashlib.sha256(der(certificate)).hexdigest()}
    for path in NVIDIA_DIRECTORY.glob("*.swidtag"):
        assert load_rim(path.read_bytes()).root.certificate_sha256 in anchor.certificate_sha256


@needs_nvidia_samples
def test_the_genuine_chain_below_an_altered_root_is_refused() -> None:
    judge = Judge(
        now=SAMPLE_TIME, trust=TrustAnchors.nvidia(), rims=nvidia_rims(), nonce=NVIDIA_NONCE
    )
    device = nvidia_device()
    assert judge(device).status is Status.AFFIRMING
    ders = ders_of(device.certificate_chain)
    for offset in (20, len(ders[-1]) - 1):
        chain = pem_of([*ders[:-1], flipped(ders[-1], offset)])
        appraisal = judge(replace(device, certificate_chain=chain))
        assert codes(appraisal) == {"chain.root_certificate"}
        assert not appraisal.emulated
