"""Certificates are sliced instead of encoded again, and what a fleet's chains share is remembered.

Neither may change a result: slices are what the library would encode, and what is remembered is
what reading and verifying again would find.
"""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from network.attestation import Caches, links
from network.attestation.certificate_encoding import (
    ExactCertificate,
    certificate_from_der,
    certificates_from_pem,
)
from network.attestation.certificates import load_device_chain, parse_certificates
from network.attestation.emulator import driver_manifest, vbios_manifest
from network.attestation.rim import load_rim
from network.attestation.rim_payload import RimError
from network.attestation.trust import spki_sha256

from .encodings import ders_of, flipped, manifest_certificates, pem_of
from .samples import AUTHORITY, FIRMWARE, STRANGER, gpu, needs_nvidia_samples, nvidia_device
from .test_certificates import KEYS, Spec, make

SPKI = PublicFormat.SubjectPublicKeyInfo


def check_slices(exact: ExactCertificate) -> None:
    certificate = exact.certificate
    assert certificate.public_bytes(Encoding.DER) == exact.der
    assert certificate.tbs_certificate_bytes == exact.signed
    assert certificate.issuer.public_bytes() == exact.issuer
    assert certificate.subject.public_bytes() == exact.subject
    assert certificate.public_key().public_bytes(Encoding.DER, SPKI) == exact.spki
    assert spki_sha256(certificate.public_key()) == exact.spki_sha256
    assert certificate.subject == exact.subject_name


class TestSlices:
    def test_of_a_chain(self) -> None:
        chain = parse_certificates(gpu().certificate_chain)
        assert len(chain) == 5
        for exact in chain:
            check_slices(exact)
            assert exact.outside_exact
            # The usual key is not encoded again.
            assert exact.spki is exact.key_field

    @needs_nvidia_samples
    def test_of_the_genuine_chain(self) -> None:
        for exact in parse_certificates(nvidia_device().certificate_chain):
            check_slices(exact)
            assert exact.outside_exact
            assert exact.spki is exact.key_field

    @pytest.mark.parametrize(
        "key",
        [
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP256R1()),
            ec.generate_private_key(ec.SECP521R1()),
        ],
        ids=["RSA", "P-256", "P-521"],
    )
    def test_of_a_certificate_with_another_key(
        self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    ) -> None:
        check_slices(certificate_from_der(make(Spec(1, key=key)).public_bytes(Encoding.DER)))

    def test_of_a_certificate_with_a_long_extension_and_name(self) -> None:
        extra = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), bytes(70_000))
        spec = Spec(0, name="n" * 64, extensions=((extra, False),))
        check_slices(certificate_from_der(make(spec).public_bytes(Encoding.DER)))

    def test_a_signature_of_another_kind_is_not_exact(self) -> None:
        signer = ed25519.Ed25519PrivateKey.generate()
        name = x509.Name([])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(KEYS[0].public_key())
            .serial_number(1)
            .not_valid_before(Spec(0).start)
            .not_valid_after(Spec(0).until)
            .sign(signer, None)
        )
        exact = certificate_from_der(certificate.public_bytes(Encoding.DER))
        check_slices(exact)
        assert not exact.outside_exact

    @pytest.mark.parametrize("change", [b"", b"\0", b"\x30\0"])
    def test_nothing_may_follow(self, change: bytes) -> None:
        der = ders_of(gpu().certificate_chain)[0]
        if not change:
            check_slices(certificate_from_der(der))
            return
        with pytest.raises(ValueError, match=r"."):
            certificate_from_der(der + change)

    def test_pem_is_read_as_the_library_reads_it(self) -> None:
        pem = gpu().certificate_chain
        assert list(certificates_from_pem(pem)) == ders_of(pem)
        for accepted in (pem.rstrip(b"\n"), pem + b"\0\0", pem.rstrip(b"\n") + b"\0"):
            assert list(certificates_from_pem(accepted)) == ders_of(pem)

    @pytest.mark.parametrize(
        "pem",
        [
            b"",
            b"\n",
            b"\0",
            b"-----END CERTIFICATE-----\n",
            b"x" + gpu().certificate_chain,
            gpu().certificate_chain + b"\n",
            gpu().certificate_chain + b"x",
            gpu().certificate_chain.replace(b"\n", b"\r\n"),
            gpu().certificate_chain.replace(b"\n-----END", b"\n\n-----END", 1),
            gpu().certificate_chain.replace(b"-----\n", b"----- \n", 1),
            gpu().certificate_chain.replace(b"BEGIN", b"begin", 1),
            gpu().certificate_chain.replace(b"-----BEGIN CERTIFICATE-----\n", b"", 1),
        ],
    )
    def test_pem_in_any_other_form_is_refused(self, pem: bytes) -> None:
        with pytest.raises(ValueError, match=r"."):
            certificates_from_pem(pem)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[ExactCertificate]:
    """The certificates whose signatures are verified, in order."""
    found: list[ExactCertificate] = []
    before = links._signed_by

    def counted(subject: ExactCertificate, issuer: ExactCertificate) -> bool:
        found.append(subject)
        return before(subject, issuer)

    load_device_chain(gpu().certificate_chain)  # The root, which is looked at once in a process.
    load_rim(MANIFEST)
    monkeypatch.setattr(links, "_signed_by", counted)
    return found


MANIFEST, OTHER_MANIFEST = (
    driver_manifest(AUTHORITY, FIRMWARE)[1],
    vbios_manifest(AUTHORITY, FIRMWARE)[1],
)


class TestWhatIsRemembered:
    def test_nothing_without_a_place_for_it(self, verified: list[ExactCertificate]) -> None:
        for _ in range(2):
            load_device_chain(gpu().certificate_chain)
        assert len(verified) == 8

    def test_the_links_between_authorities(self, verified: list[ExactCertificate]) -> None:
        known = links.Authorities()
        first = load_device_chain(gpu().certificate_chain, authorities=known)
        assert len(verified) == 4
        second = load_device_chain(gpu("card 1").certificate_chain, authorities=known)
        # Its leaf and its own certificate; the authorities' are those of the first.
        assert len(verified) == 6
        assert second.findings == first.findings == ()
        assert second.identity_sha256 != first.identity_sha256
        for mine, other in zip(first.certificates[2:], second.certificates[2:], strict=True):
            assert mine is other
        assert len(known.certificates) == 3
        assert len(known.issued) == 2

    def test_a_result_is_the_same_with_and_without(self) -> None:
        known = links.Authorities()
        for _ in range(2):
            remembered = load_device_chain(gpu().certificate_chain, authorities=known)
            fresh = load_device_chain(gpu().certificate_chain)
            for field in fresh.__dataclass_fields__:
                if field != "leaf_key":
                    assert getattr(remembered, field) == getattr(fresh, field)

    def test_no_wrong_link(self, verified: list[ExactCertificate]) -> None:
        known = links.Authorities()
        own, other = (ders_of(gpu(authority=a).certificate_chain) for a in (AUTHORITY, STRANGER))
        for ders in (own, other):
            assert load_device_chain(pem_of(ders), authorities=known).findings == ()
        for position in range(1, 5):
            mixed = load_device_chain(
                pem_of([*own[:position], *other[position:]]), authorities=known
            )
            assert "chain.signature" in {finding.code for finding in mixed.findings}
        assert len(known.issued) == 4

    def test_a_changed_authority_is_found_beside_the_known_one(self) -> None:
        known = links.Authorities()
        ders = ders_of(gpu().certificate_chain)
        load_device_chain(pem_of(ders), authorities=known)
        for position in (2, 3):
            der = flipped(ders[position], len(ders[position]) - 1)
            chain = load_device_chain(
                pem_of([*ders[:position], der, *ders[position + 1 :]]), authorities=known
            )
            # Nobody knows the changed bytes, and the link below it is about another issuer.
            assert "chain.signature" in {finding.code for finding in chain.findings}

    def test_a_devices_own_certificates_are_not(self) -> None:
        known = links.Authorities()
        load_device_chain(gpu().certificate_chain, authorities=known)
        own = ders_of(gpu().certificate_chain)[: links.FIRST_SHARED]
        assert [known.certificates.get(der) for der in own] == [None, None]

    def test_manifests_share_certificates_but_no_signature(
        self, verified: list[ExactCertificate]
    ) -> None:
        known = links.Authorities()
        load_rim(MANIFEST, authorities=known)
        assert len(verified) == 3
        load_rim(OTHER_MANIFEST, authorities=known)
        assert len(verified) == 6
        assert len(known.certificates) == 3
        assert len(known.issued) == 0

    def test_a_certificate_that_cannot_be_read_is_not(self) -> None:
        known = links.Authorities()
        texts = manifest_certificates(MANIFEST)
        broken = MANIFEST.replace(texts[1].encode(), texts[1][:-8].encode())
        with pytest.raises(RimError):
            load_rim(broken, authorities=known)
        assert len(known.certificates) == 0

    def test_strangers_push_each_other_out(self) -> None:
        known = links.Authorities()
        for n in range(links.AUTHORITY_ENTRIES + 5):
            known.issued.put(hashlib.sha256(bytes([n % 256, n // 256])).digest(), True)
        assert len(known.issued) == links.AUTHORITY_ENTRIES

    def test_the_verifier_has_one_place_for_all(self) -> None:
        caches = Caches()
        assert caches.authorities is not Caches().authorities
