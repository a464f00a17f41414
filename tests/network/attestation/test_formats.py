"""The parsers: report, opaque data, certificates, manifests, and arbitrary bytes into all of
them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from network.attestation import (
    DeviceEvidence,
    EvidenceError,
    EvidenceFormatError,
    MappingRimStore,
    Policy,
    Status,
    Tier,
    devices_from_json,
)
from network.attestation.certificates import load_device_chain
from network.attestation.emulator import driver_manifest
from network.attestation.emulator.manifests import _sign as sign
from network.attestation.opaque import OpaqueField, parse_opaque
from network.attestation.rim import load_rim
from network.attestation.rim_payload import RimError
from network.attestation.signatures import raw_signature_sign
from network.attestation.spdm import ReportError, parse_report
from network.attestation.xmldsig import DS

from .encodings import pem_of
from .samples import AUTHORITY, EMULATED_RIMS, FIRMWARE, NONCE, Judge, codes, gpu

REPORT = gpu().report(NONCE)
CHAIN = gpu().certificate_chain
MANIFEST_ID, MANIFEST = driver_manifest(AUTHORITY, FIRMWARE)
RECORD_START = 45
OPAQUE_SIZE_AT = RECORD_START + int.from_bytes(REPORT[42:45], "little") + 32


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value) :]


class TestReport:
    def test_the_layout(self) -> None:
        report = parse_report(REPORT)
        assert report.request_nonce == NONCE
        assert sorted(report.record.values) == list(range(1, 65))
        assert set(report.record.value_types.values()) == {1}
        assert report.signed + report.signature == REPORT

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"", "report.too_short"),
            (REPORT[:100], "report.too_short"),
            (REPORT + bytes(8192), "report.too_long"),
            (patched(REPORT, 0, b"\x12"), "report.bad_header"),
            (patched(REPORT, 1, b"\xe1"), "report.bad_header"),
            (patched(REPORT, 2, b"\x00"), "report.bad_header"),
            (patched(REPORT, 3, b"\x01"), "report.bad_header"),
            (patched(REPORT, 37, b"\x12"), "report.bad_header"),
            (patched(REPORT, 38, b"\x7f"), "report.bad_header"),
            (patched(REPORT, 41, b"\x3f"), "report.record_overflow"),
            (patched(REPORT, 41, b"\x41"), "report.record_overflow"),
            (patched(REPORT, 42, b"\xff\xff\xff"), "report.record_overflow"),
            (patched(REPORT, RECORD_START, b"\x00"), "report.dup_index"),
            (patched(REPORT, RECORD_START, b"\x02"), "report.dup_index"),
            (patched(REPORT, RECORD_START + 1, b"\x02"), "report.not_dmtf"),
            (patched(REPORT, RECORD_START + 2, b"\x34"), "report.not_dmtf"),
            (patched(REPORT, RECORD_START + 2, b"\xff\xff\x01\xfc\xff"), "report.record_overflow"),
            (patched(REPORT, OPAQUE_SIZE_AT, b"\xff\xff"), "report.opaque_overflow"),
            (REPORT[:-1], "report.opaque_overflow"),
            (REPORT + b"\0", "report.trailing_bytes"),
        ],
    )
    def test_each_fault_has_its_code(self, data: bytes, code: str) -> None:
        with pytest.raises(ReportError) as caught:
            parse_report(data)
        assert caught.value.code == code
        assert caught.value.detail.endswith(".")

    @pytest.mark.parametrize("length", range(0, len(REPORT), 97))
    def test_no_truncation_parses(self, length: int) -> None:
        with pytest.raises(ReportError):
            parse_report(REPORT[:length])


def signed_with_opaque(opaque: bytes) -> DeviceEvidence:
    """An honest emulated report whose opaque data is replaced and signed again."""
    card = gpu()
    signed = REPORT[:OPAQUE_SIZE_AT] + struct.pack("<H", len(opaque)) + opaque
    report = signed + raw_signature_sign(card.leaf.key, signed)
    return replace(card.evidence(NONCE), report=report)


class TestOpaque:
    ORIGINAL = parse_report(REPORT).opaque

    def test_an_unknown_id_is_accepted(self) -> None:
        unknown = struct.pack("<HH", 4711, 3) + b"new"
        appraisal = Judge()(signed_with_opaque(self.ORIGINAL + unknown + unknown))
        assert appraisal.status is Status.AFFIRMING
        assert parse_opaque(unknown).fields == {4711: b"new"}

    @pytest.mark.parametrize(
        ("extra", "code"),
        [
            (b"\1", "report.opaque_overflow"),
            (struct.pack("<HH", 9000, 5) + b"abc", "report.opaque_overflow"),
            (
                struct.pack("<HH", OpaqueField.DRIVER_VERSION, 4) + b"1.0\0",
                "report.opaque_duplicate",
            ),
        ],
    )
    def test_each_fault_has_its_code(self, extra: bytes, code: str) -> None:
        appraisal = Judge()(signed_with_opaque(self.ORIGINAL + extra))
        assert code in codes(appraisal)
        assert appraisal.tier is Tier.T1

    def test_fields_that_make_no_sense_are_absent(self) -> None:
        opaque = parse_opaque(
            struct.pack("<HH", OpaqueField.DRIVER_VERSION, 3)
            + b"\xff\xfe\0"
            + struct.pack("<HH", OpaqueField.VBIOS_VERSION, 2)
            + b"ab"
            + struct.pack("<HH", OpaqueField.FWID, 1)
            + b"x"
            + struct.pack("<HH", OpaqueField.FEATURE_FLAG, 2)
            + b"\x09\x00"
        )
        assert opaque.driver_version is None
        assert opaque.vbios_version is None
        assert opaque.fwid is None
        assert opaque.mode == "unknown"
        assert not opaque.nvdec_disabled

    @pytest.mark.parametrize(("flag", "mode"), [(0, "spt"), (1, "mpt"), (2, "ppcie")])
    def test_all_gpus_of_a_node_run_in_one_mode(self, flag: int, mode: str) -> None:
        field = struct.pack("<HH", OpaqueField.FEATURE_FLAG, 2)
        assert field + bytes(2) in self.ORIGINAL
        changed = self.ORIGINAL.replace(field + bytes(2), field + struct.pack("<H", flag))
        first, second = signed_with_opaque(changed), gpu("another").evidence(NONCE)
        appraisal = Judge()(first, second)
        assert [device.mode for device in appraisal.devices] == [mode, "spt"]
        expected = {"node.mode_mixed"} if flag else set()
        assert codes(appraisal, None) == expected | (
            {"node.switches_missing"} if flag == 2 else set()
        )
        assert appraisal.accepted is (flag == 0)

    def test_a_measurement_of_a_running_decoder_is_not_waived(self) -> None:
        enabled = self.ORIGINAL.replace(
            struct.pack("<HHB", OpaqueField.NVDEC0_STATUS, 1, 0x55),
            struct.pack("<HHB", OpaqueField.NVDEC0_STATUS, 1, 0xAA),
        )
        appraisal = Judge()(signed_with_opaque(enabled))
        (finding,) = (f for f in appraisal.devices[0].findings if f.code == "meas.mismatch")
        assert finding.data["index"] == 35

    def test_a_driver_version_cannot_escape_the_manifest_store(self) -> None:
        value = b"../../x\0"
        field = struct.pack("<HH", OpaqueField.DRIVER_VERSION, 10) + b"550.90.07\0"
        assert field in self.ORIGINAL
        evil = self.ORIGINAL.replace(
            field, struct.pack("<HH", OpaqueField.DRIVER_VERSION, len(value)) + value
        )
        assert codes(Judge()(signed_with_opaque(evil))) == {"rim.not_found"}


class TestManifest:
    def tree(self) -> etree._Element:
        return etree.fromstring(MANIFEST)

    def refused(self, xml: bytes) -> str:
        with pytest.raises(RimError) as caught:
            load_rim(xml)
        return caught.value.code

    def test_it_loads(self) -> None:
        rim = load_rim(MANIFEST)
        assert len(rim.golden) == 21
        assert (rim.product, rim.version) == ("GH100", FIRMWARE.driver_version)

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (b'index="7" active="True"', b'index="7" active="False"', "rim.digest"),
            (b'colloquialVersion="550', b'colloquialVersion="551', "rim.digest"),
            (b"<SoftwareIdentity", b"<!DOCTYPE a><SoftwareIdentity", "rim.doctype"),
            (
                b"<SoftwareIdentity",
                b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><SoftwareIdentity',
                "rim.doctype",
            ),
            (b"<Payload>", b"<Payload><!-- hidden -->", "rim.malformed"),
            (b"<Payload>", b'<Payload xml:base="http://x/">', "rim.malformed"),
            (b"<Payload>", b'<Payload xml:lang="en">', "rim.malformed"),
            (b"<Payload>", b'<Payload xml:space="preserve">', "rim.malformed"),
            (b"<Payload>", b'<Payload xml:id="p">', "rim.malformed"),
            (b"<Payload>", b"<Payload><?run it?>", "rim.malformed"),
            (b"<Payload>", b"<Payload>&unknown;", "rim.malformed"),
            (b"</SoftwareIdentity>", b"", "rim.malformed"),
            (b'URI=""', b'URI="#x"', "rim.profile"),
            (b"xmldsig-more#ecdsa-sha384", b"xmldsig-more#ecdsa-sha256", "rim.profile"),
            (b"2006/12/xml-c14n11", b"2001/10/xml-exc-c14n#", "rim.profile"),
            (b"<ds:X509Data>", b"<ds:KeyValue/><ds:X509Data>", "rim.keyinfo"),
            (b"<ds:X509Data>", b"<ds:X509Data><ds:X509SKI/>", "rim.keyinfo"),
            (b"<ds:X509Certificate>", b"<ds:X509Certificate>!", "rim.malformed"),
        ],
    )
    def test_each_fault_has_its_code(self, old: bytes, new: bytes, code: str) -> None:
        assert old in MANIFEST
        assert self.refused(MANIFEST.replace(old, new, 1)) == code

    def test_entities_that_would_fill_the_memory_are_not_expanded(self) -> None:
        """Nine levels of ten references each: a thousand million words."""
        levels = b"".join(
            b'<!ENTITY e%d "%s">' % (level, b"&e%d;" % (level - 1) * 10) for level in range(1, 10)
        )
        bomb = b'<!DOCTYPE a [<!ENTITY e0 "word">' + levels + b"]><a>&e9;</a>"
        assert self.refused(bomb) in {"rim.doctype", "rim.malformed"}

    @pytest.mark.parametrize("count", [0, 9])
    def test_too_few_and_too_many_certificates(self, count: int) -> None:
        root = self.tree()
        data = root.find(f".//{DS}X509Data")
        assert data is not None
        certificate = etree.tostring(data[0])
        for child in list(data):
            data.remove(child)
        for _ in range(count):
            data.append(etree.fromstring(certificate))
        assert self.refused(etree.tostring(root)) == "rim.keyinfo"

    def test_a_wrong_signature_value(self) -> None:
        root = self.tree()
        value = root.find(f".//{DS}SignatureValue")
        assert value is not None
        value.text = base64.b64encode(bytes(95) + b"\1").decode()
        assert self.refused(etree.tostring(root)) == "rim.signature"

    def test_a_certificate_left_out(self) -> None:
        root = self.tree()
        data = root.find(f".//{DS}X509Data")
        assert data is not None
        data.remove(data[1])
        assert self.refused(etree.tostring(root)) == "rim.chain"

    @pytest.mark.parametrize("name", ["Reference", "SignatureMethod", "CanonicalizationMethod"])
    def test_signed_info_holds_exactly_one_of_each(self, name: str) -> None:
        root = self.tree()
        part = root.find(f".//{DS}{name}")
        assert part is not None
        parent = part.getparent()
        assert parent is not None
        parent.append(etree.fromstring(etree.tostring(part)))
        assert self.refused(etree.tostring(root)) == "rim.profile"

    @pytest.mark.parametrize("position", [0, 1, None])
    def test_white_space_around_the_signature_is_signed(self, position: int | None) -> None:
        """Wherever the signature stands, what follows it belongs to the document."""
        plain = self.tree()
        signature = plain.find(f"{DS}Signature")
        assert signature is not None
        place = len(plain) - 1 if position is None else position
        plain.remove(signature)
        space = "\n  "
        if place == 0:
            plain.text = space
        else:
            plain[place - 1].tail = space
        sign(AUTHORITY, plain)
        again = plain.find(f"{DS}Signature")
        assert again is not None
        plain.remove(again)
        if place == 0:
            plain.text = None
        else:
            plain[place - 1].tail = None
        plain.insert(place, again)
        assert self.refused(etree.tostring(plain)) == "rim.digest"
        again.tail = space
        assert load_rim(etree.tostring(plain)).golden == load_rim(MANIFEST).golden

    def test_a_second_signature_or_one_deeper_down(self) -> None:
        root = self.tree()
        signature = root.find(f"{DS}Signature")
        assert signature is not None
        root.append(etree.fromstring(etree.tostring(signature)))
        assert self.refused(etree.tostring(root)) == "rim.profile"
        moved = self.tree()
        inner = moved.find(f"{DS}Signature")
        assert inner is not None
        moved[0].append(inner)
        assert self.refused(etree.tostring(moved)) == "rim.profile"

    def test_wrapping_the_signed_payload_does_not_help(self) -> None:
        """Measurements beside the signed ones are part of the digest, wherever they stand."""
        root = self.tree()
        payload = next(child for child in root if child.tag.endswith("Payload"))
        root.insert(0, etree.fromstring(etree.tostring(payload)))
        assert self.refused(etree.tostring(root)) == "rim.digest"

    def test_size_is_bounded(self) -> None:
        assert self.refused(MANIFEST + b" " * 300_000) == "rim.malformed"

    def test_nesting_is_bounded(self) -> None:
        assert self.refused(b"<a>" * 40_000) == "rim.malformed"


class TestRequestDevices:
    def entry(self, **changes: object) -> dict[str, object]:
        return {
            "arch": "HOPPER",
            "evidence": base64.b64encode(REPORT).decode(),
            "certificate": base64.b64encode(CHAIN).decode(),
        } | changes

    def test_round_trip(self) -> None:
        (device,) = devices_from_json([self.entry(uuid="GPU-1")])
        assert device == DeviceEvidence(REPORT, CHAIN, "HOPPER", "GPU-1")

    @pytest.mark.parametrize(
        "changes",
        [
            {"evidence": None},
            {"evidence": "***"},
            {"evidence": "é"},
            {"evidence": "A" * 20_000},
            {"certificate": 7},
            {"certificate": "A" * 20_000},
            {"arch": 1},
            {"arch": "H" * 65},
            {"uuid": "x" * 65},
        ],
    )
    def test_a_misshapen_entry_is_named(self, changes: dict[str, object]) -> None:
        with pytest.raises(EvidenceFormatError) as caught:
            devices_from_json([self.entry(), self.entry(**changes)])
        assert caught.value.code == "evidence.invalid"
        assert caught.value.data == {"device": 1}

    def test_too_many_and_not_objects(self) -> None:
        with pytest.raises(EvidenceFormatError):
            devices_from_json([self.entry()] * 129)
        with pytest.raises(EvidenceFormatError):
            devices_from_json(["x"])  # type: ignore[list-item]


FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def code_of(parse: Callable[[bytes], object], data: bytes, errors: type[EvidenceError]) -> str:
    """The code that ``parse`` refuses ``data`` with, or ``none``; other exceptions pass through."""
    try:
        parse(data)
    except errors as error:
        return error.code
    return "none"


class TestArbitraryBytes:
    """Whatever comes in, there are coded findings and never an acceptance."""

    @FUZZ
    @given(st.binary(max_size=600), st.binary(max_size=600))
    def test_garbage(self, report: bytes, chain: bytes) -> None:
        policy = Policy(version=1, required_tiers={"h100_80g": Tier.T0})
        appraisal = Judge(policy=policy)(DeviceEvidence(report, chain))
        assert appraisal.status is Status.CONTRAINDICATED
        assert "verifier.fault" not in codes(appraisal)
        assert codes(appraisal)

    @FUZZ
    @given(st.integers(0, len(REPORT) - 1), st.binary(min_size=1, max_size=6))
    def test_a_report_with_bytes_replaced(self, offset: int, value: bytes) -> None:
        changed = patched(REPORT, offset, value)
        appraisal = Judge()(replace(gpu().evidence(NONCE), report=changed))
        assert "verifier.fault" not in codes(appraisal)
        assert appraisal.accepted is (changed == REPORT)

    @FUZZ
    @given(st.integers(0, len(CHAIN) - 1), st.binary(min_size=1, max_size=4))
    def test_a_chain_with_bytes_replaced(self, offset: int, value: bytes) -> None:
        changed = patched(CHAIN, offset, value)
        appraisal = Judge()(replace(gpu().evidence(NONCE), certificate_chain=changed))
        assert "verifier.fault" not in codes(appraisal)
        assert appraisal.accepted is (changed == CHAIN)

    @FUZZ
    @given(st.integers(0, 4), st.data())
    def test_a_certificate_with_a_byte_replaced_inside(
        self, which: int, data: st.DataObject
    ) -> None:
        chain = load_device_chain(CHAIN).certificates
        parts = []
        for position, certificate in enumerate(chain):
            der = certificate.public_bytes(Encoding.DER)
            if position == which:
                offset = data.draw(st.integers(0, len(der) - 1))
                der = patched(der, offset, bytes([der[offset] ^ data.draw(st.integers(1, 255))]))
            parts.append(der)
        appraisal = Judge()(replace(gpu().evidence(NONCE), certificate_chain=pem_of(parts)))
        assert "verifier.fault" not in codes(appraisal)
        assert not appraisal.accepted

    @FUZZ
    @given(st.binary(max_size=400))
    def test_opaque_data(self, data: bytes) -> None:
        assert code_of(parse_opaque, data, EvidenceError).startswith(("none", "report.opaque_"))

    @FUZZ
    @given(st.integers(0, len(MANIFEST) - 1), st.binary(min_size=1, max_size=8))
    def test_a_manifest_with_bytes_replaced(self, offset: int, value: bytes) -> None:
        changed = patched(MANIFEST, offset, value)
        rims = MappingRimStore({**EMULATED_RIMS.manifests, MANIFEST_ID: changed})
        found = codes(Judge(rims=rims)(gpu().evidence(NONCE)))
        assert all(code.startswith("rim.") for code in found)
        assert bool(found) is (changed != MANIFEST)

    @FUZZ
    @given(st.binary(max_size=300))
    def test_a_manifest_of_garbage(self, xml: bytes) -> None:
        with pytest.raises(RimError):
            load_rim(xml)
