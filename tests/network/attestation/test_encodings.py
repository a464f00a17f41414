"""One thing has one encoding: what decodes to the same but was not written so is refused."""

from __future__ import annotations

import base64
import string
from collections.abc import Callable
from dataclasses import replace

import pytest

from network.attestation import DeviceEvidence, MappingRimStore, Status, TrustAnchors
from network.attestation.emulator import EmulatorAuthority, driver_manifest
from network.attestation.rim import load_rim
from network.attestation.rim_payload import RimError
from network.attestation.xmldsig import DECLARATION

from .encodings import (
    ders_of,
    flipped,
    manifest_certificates,
    manifest_with_certificate,
    pem_of,
    unused_bits_claimed,
)
from .samples import (
    AUTHORITY,
    FIRMWARE,
    NONCE,
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
MANIFEST = driver_manifest(AUTHORITY, FIRMWARE)[1]
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
#: One kind of evidence and the judge that affirms it.
Sample = Callable[[], tuple[DeviceEvidence, Judge]]
EMULATED = (gpu().evidence(NONCE), Judge())


def genuine() -> tuple[DeviceEvidence, Judge]:
    judge = Judge(
        now=SAMPLE_TIME, trust=TrustAnchors.nvidia(), rims=nvidia_rims(), nonce=NVIDIA_NONCE
    )
    return nvidia_device(), judge


both_samples = pytest.mark.parametrize(
    "sample",
    [
        pytest.param(lambda: EMULATED, id="emulated"),
        pytest.param(genuine, id="genuine", marks=needs_nvidia_samples),
    ],
)


def manifests(judge: Judge) -> list[bytes]:
    assert isinstance(judge.rims, MappingRimStore)
    return list(judge.rims.manifests.values())


def pad_bits_set(text: str) -> str:
    """Base64 text that decodes to the same bytes, with a bit set that its padding leaves over."""
    body = text.rstrip("=\n")
    end = text[len(body) :]
    assert "=" in end
    return body[:-1] + BASE64[BASE64.index(body[-1]) | 1] + end


class TestPem:
    @both_samples
    @pytest.mark.parametrize("end", [b"", b"\n", b"\0", b"\n\0\0\0", b"\0" * 200])
    def test_the_final_newline_is_optional_and_nuls_may_follow(
        self, sample: Sample, end: bytes
    ) -> None:
        """NVIDIA's own samples exist in both forms; NVML's buffer is filled with NULs."""
        device, judge = sample()
        chain = device.certificate_chain.rstrip(b"\n") + end
        assert judge(replace(device, certificate_chain=chain)).status is Status.AFFIRMING

    @both_samples
    def test_every_other_way_to_write_it_is_refused(self, sample: Sample) -> None:
        device, judge = sample()
        pem: bytes = device.certificate_chain
        first_line = pem.index(b"\n") + 1
        variants = {
            "text before": b"subject=GPU\n" + pem,
            "text between": pem.replace(b"-----\n-----", b"-----\nroot:\n-----", 1),
            "text after": pem + b"issuer=CA\n",
            "blank line between": pem.replace(b"-----\n-----", b"-----\n\n-----", 1),
            "blank line after": pem + b"\n",
            "carriage returns": pem.replace(b"\n", b"\r\n"),
            "one carriage return": pem.replace(b"\n", b"\r\n", 1),
            "a space in a line": pem[: first_line + 9] + b" " + pem[first_line + 9 :],
            "other line lengths": pem[: first_line + 9] + b"\n" + pem[first_line + 9 :],
            "older label": pem.replace(b" CERTIFICATE-", b" X509 CERTIFICATE-"),
            "lower case": pem.replace(b"BEGIN CERTIFICATE", b"begin certificate", 1),
            "another block": pem + b"-----BEGIN NOTE-----\nAAAA\n-----END NOTE-----\n",
            "NUL between": pem.replace(b"-----\n-----", b"-----\n\0-----", 1),
            "NULs and text": pem + b"\0\0x",
            "nothing but NULs": b"\0" * 100,
        }
        for name, changed in variants.items():
            assert changed != pem, name
            found = codes(judge(replace(device, certificate_chain=changed[:5120])))
            assert found == {"chain.pem"}, name

    def test_bits_that_the_padding_leaves_over_must_be_zero(self) -> None:
        tried = 0
        for line in (line for line in CHAIN.decode().splitlines() if line.endswith("=")):
            changed = CHAIN.replace(line.encode(), pad_bits_set(line).encode())
            assert changed != CHAIN
            found = codes(Judge()(replace(EMULATED[0], certificate_chain=changed)))
            assert found == {"chain.pem"}
            tried += 1
        assert tried


class TestSignatureBits:
    """A BIT STRING says how many of its last bits are unused; in a signature none are."""

    @both_samples
    def test_a_chains_signatures_have_no_unused_bits(self, sample: Sample) -> None:
        device, judge = sample()
        ders = ders_of(device.certificate_chain)
        tried = set()
        for position, der in enumerate(ders):
            changed = unused_bits_claimed(der)
            if changed is not None:
                chain = pem_of([*ders[:position], changed, *ders[position + 1 :]])
                appraisal = judge(replace(device, certificate_chain=chain))
                root = position == len(ders) - 1
                expected = "chain.root_certificate" if root else "chain.signature"
                assert codes(appraisal) == {expected}
                tried.add(position)
        assert tried

    def test_nor_have_a_manifests(self) -> None:
        tried = set()
        for number in range(4):
            authority = EmulatorAuthority.from_seed(f"bits {number}")
            xml = driver_manifest(authority, FIRMWARE)[1]
            for position, text in enumerate(manifest_certificates(xml)[:-1]):
                changed = unused_bits_claimed(base64.b64decode(text))
                if changed is not None:
                    text = base64.b64encode(changed).decode()
                    assert refused(manifest_with_certificate(xml, position, text)) == "rim.chain"
                    tried.add(position)
        assert tried == {0, 1, 2}


def refused(xml: bytes) -> str:
    with pytest.raises(RimError) as caught:
        load_rim(xml)
    return caught.value.code


class TestManifest:
    @both_samples
    def test_base64_has_one_form(self, sample: Sample) -> None:
        _, judge = sample()
        tried = 0
        for xml in manifests(judge):
            for position, text in enumerate(manifest_certificates(xml)):
                if text.rstrip().endswith("="):
                    changed = manifest_with_certificate(xml, position, pad_bits_set(text))
                    assert refused(changed) == "rim.malformed"
                    tried += 1
        assert tried

    @pytest.mark.parametrize("space", ["\u00a0", "\u2028", "\u0085"])
    def test_base64_has_no_white_space_but_xmls(self, space: str) -> None:
        text = manifest_certificates(MANIFEST)[0]
        changed = manifest_with_certificate(MANIFEST, 0, text[:8] + space + text[8:])
        assert refused(changed) == "rim.malformed"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"<SoftwareIdentity", b'<?xml version="1.0"?><SoftwareIdentity'),
            (b"<SoftwareIdentity", b'<?xml version="1.0" encoding="utf-8"?><SoftwareIdentity'),
            (b"<SoftwareIdentity", b"<?xml version='1.0' encoding='UTF-8'?><SoftwareIdentity"),
            (b"<SoftwareIdentity", DECLARATION[:-2] + b' standalone="yes"?><SoftwareIdentity'),
            (b"<SoftwareIdentity", DECLARATION + b"\n\n<SoftwareIdentity"),
            (b"<SoftwareIdentity", DECLARATION + b" <SoftwareIdentity"),
            (b"<SoftwareIdentity", DECLARATION + b"\r\n<SoftwareIdentity"),
            (b"<SoftwareIdentity", DECLARATION + DECLARATION + b"<SoftwareIdentity"),
            (b"<SoftwareIdentity", b"<!-- note --><SoftwareIdentity"),
            (b"<SoftwareIdentity", b"<?note it?><SoftwareIdentity"),
            (b"<SoftwareIdentity", b"\n<SoftwareIdentity"),
            (b"<SoftwareIdentity", b"\xef\xbb\xbf<SoftwareIdentity"),
            (b"</SoftwareIdentity>", b"</SoftwareIdentity><!-- note -->"),
            (b"</SoftwareIdentity>", b"</SoftwareIdentity><?note it?>"),
            (b"</SoftwareIdentity>", b"</SoftwareIdentity>\r\n"),
            (b"</SoftwareIdentity>", b"</SoftwareIdentity> \n"),
            (b"</SoftwareIdentity>", b"</SoftwareIdentity >"),
            (b' index="7"', b'  index="7"'),
            (b' index="7"', b" index='7'"),
            (b' index="7"', b' index="&#55;"'),
            (b"</ds:X509Certificate>", b"&#10;</ds:X509Certificate>\r\n"),
            (b"<ds:X509Certificate>", b"<ds:X509Certificate><![CDATA[]]>"),
        ],
    )
    def test_it_is_written_in_one_way(self, old: bytes, new: bytes) -> None:
        assert old in MANIFEST
        assert refused(MANIFEST.replace(old, new, 1)) in {"rim.malformed", "rim.digest"}

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"<ds:SignatureValue>", b'<ds:SignatureValue Id="x">'),
            (b"<ds:KeyInfo>", b'<ds:KeyInfo Id="x">'),
            (b"<ds:X509Data>", b'<ds:X509Data Id="x">'),
            (b"<ds:X509Certificate>", b'<ds:X509Certificate Id="x">'),
            (b"<ds:KeyInfo>", b"text<ds:KeyInfo>"),
            (b"<ds:X509Data>", b"text<ds:X509Data>"),
            (b"<ds:X509Certificate>", b"text<ds:X509Certificate>"),
            (b"</ds:Signature>", b"text</ds:Signature>"),
        ],
    )
    def test_nothing_unsigned_stands_in_the_signature(self, old: bytes, new: bytes) -> None:
        assert old in MANIFEST
        assert refused(MANIFEST.replace(old, new, 1)) == "rim.profile"

    @pytest.mark.parametrize("newlines", [0, 1, 2, 5])
    def test_what_says_nothing_may_stand_around_it(self, newlines: int) -> None:
        """A manifest that NVIDIA publishes ends in two newlines, the others in one or none."""
        plain = load_rim(MANIFEST)
        for head in (b"", DECLARATION, DECLARATION + b"\n"):
            assert load_rim(head + MANIFEST + newlines * b"\n").golden == plain.golden

    @pytest.mark.parametrize("position", range(len(DECLARATION) + 1))
    def test_a_bit_of_the_declaration_is_noticed(self, position: int) -> None:
        declared = DECLARATION + b"\n" + MANIFEST
        for bit in range(8):
            assert refused(flipped(declared, position, bit)) == "rim.malformed"

    @needs_nvidia_samples
    def test_all_of_nvidias_are_written_so(self) -> None:
        for path in NVIDIA_DIRECTORY.glob("*.swidtag"):
            assert load_rim(path.read_bytes()).golden

    @both_samples
    def test_a_signer_whose_key_is_not_on_the_curve_is_refused_in_words(
        self, sample: Sample
    ) -> None:
        """The library tells that late, when the key is asked for."""
        _, judge = sample()
        for xml in manifests(judge):
            certificate = base64.b64decode(manifest_certificates(xml)[0])
            point = certificate.index(bytes.fromhex("06052b8104002203620004")) + 11
            changed = flipped(certificate, point + 95)
            text = base64.b64encode(changed).decode()
            assert refused(manifest_with_certificate(xml, 0, text)) == "rim.keyinfo"
