"""Contents that could be read in two ways, or that the library only warns of."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from network.attestation import (
    ChainedRimStore,
    DirectoryRimStore,
    MappingRimStore,
    Severity,
    Status,
    Tier,
)
from network.attestation.certificates import load_device_chain
from network.attestation.dice import (
    DICE_FWID_OID,
    DICE_TCB_INFO_OID,
    SHA384_OID_DER,
    DiceError,
    parse_dice,
)
from network.attestation.emulator import driver_manifest, manifests_write
from network.attestation.emulator.encoding import der
from network.attestation.links import ChainError
from network.attestation.opaque import OpaqueField

from .encodings import pem_of
from .samples import AUTHORITY, EMULATED_RIMS, FIRMWARE, NONCE, STRICT, Judge, codes, gpu
from .test_certificates import FWID, SPKI, VERSION, Spec, chain_codes, make
from .test_formats import TestOpaque, signed_with_opaque

OTHER_FWID = der(0x30, der(0x06, SHA384_OID_DER) + der(0x04, b"\x22" * 48))
DEBUG_FLAGS = der(0x87, b"\0\xd0\0\0\1")
COMPOSITE = der(0x30, VERSION + SPKI + FWID)


class TestDice:
    def leaf(self, *extensions: tuple[x509.ObjectIdentifier, bytes]) -> x509.Certificate:
        values = tuple((x509.UnrecognizedExtension(*one), False) for one in extensions)
        return make(Spec(0, extensions=values))

    @pytest.mark.parametrize("debug_first", [False, True])
    def test_neither_shape_hides_the_others_flags(self, debug_first: bool) -> None:
        shapes = [
            (DICE_FWID_OID, COMPOSITE),
            (DICE_TCB_INFO_OID, der(0x30, der(0xA6, FWID) + DEBUG_FLAGS)),
        ]
        identity = parse_dice(self.leaf(*(reversed(shapes) if debug_first else shapes)))
        assert identity is not None
        assert identity.debug
        assert (identity.fwid, identity.issuer_spki) == (b"\x11" * 48, SPKI)

    def test_two_shapes_that_name_different_firmware_are_refused(self) -> None:
        other = der(0x30, der(0xA6, OTHER_FWID))
        leaf = self.leaf((DICE_FWID_OID, COMPOSITE), (DICE_TCB_INFO_OID, other))
        with pytest.raises(DiceError, match="different firmware"):
            parse_dice(leaf)

    @pytest.mark.parametrize(
        "value",
        [
            der(0xA6, FWID) + der(0xA6, OTHER_FWID),
            DEBUG_FLAGS + der(0x87, b"\0\x80\0\0\1"),
            der(0x80, b"a") + der(0xA6, FWID) + der(0x80, b"b"),
        ],
    )
    def test_a_field_that_comes_twice_is_refused(self, value: bytes) -> None:
        extension = (x509.UnrecognizedExtension(DICE_TCB_INFO_OID, der(0x30, value)), False)
        assert chain_codes(Spec(0, extensions=(extension,))) == {"dice.malformed"}

    @pytest.mark.parametrize("flags", [b"\x01", b"\x01\x80\x01", b"\x07\xff"])
    def test_unused_bits_of_the_flags_are_zero(self, flags: bytes) -> None:
        with pytest.raises(DiceError, match="flags"):
            parse_dice(self.leaf((DICE_TCB_INFO_OID, der(0x30, der(0x87, flags)))))

    def test_fewer_flags_than_a_byte_are_flags(self) -> None:
        identity = parse_dice(self.leaf((DICE_TCB_INFO_OID, der(0x30, der(0x87, b"\x03\x90")))))
        assert identity is not None
        assert identity.flags == {0, 3}


@pytest.fixture(params=["error", "ignore"])
def warning_filter(request: pytest.FixtureRequest) -> Iterator[None]:
    """Warnings are errors in these tests and silent in production; both must judge alike."""
    with warnings.catch_warnings():
        warnings.simplefilter(request.param)
        yield


def changed_leaf(certificate: x509.Certificate, old: bytes, new: bytes) -> bytes:
    """A chain whose leaf has some bytes replaced by as many others."""
    leaf = certificate.public_bytes(Encoding.DER)
    assert leaf.count(old) == 1
    assert len(old) == len(new)
    others = [make(Spec(position)).public_bytes(Encoding.DER) for position in range(1, 5)]
    return pem_of([leaf.replace(old, new), *others])


def with_policy(text: str) -> x509.Certificate:
    notice = x509.UserNotice(None, text)
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), [notice])
    return make(Spec(0, extensions=((x509.CertificatePolicies([policy]), False),)))


def long_country() -> x509.Name:
    """A name that RFC 5280 does not allow: countries have two letters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "USA", _validate=False)])


SERIAL = b"\xa0\x03\x02\x01\x02\x02\x01"
NAME, ISSUER = b"GH100 A01 GSP FMC LF", b"test authority 1"


class TestWarnedOf:
    """Certificates that the library reads, and only warns of."""

    @pytest.mark.usefixtures("warning_filter")
    @pytest.mark.parametrize(
        ("certificate", "old", "new"),
        [
            pytest.param(make(Spec(0)), SERIAL + b"\1", SERIAL + b"\xff", id="negative serial"),
            pytest.param(make(Spec(0)), SERIAL + b"\1", SERIAL + b"\0", id="serial zero"),
            pytest.param(
                make(Spec(0)), b"\x03\x0c\x14" + NAME, b"\x06\x0c\x14" + NAME, id="subject"
            ),
            pytest.param(
                make(Spec(0)), b"\x03\x0c\x10" + ISSUER, b"\x06\x0c\x10" + ISSUER, id="issuer"
            ),
            pytest.param(
                make(Spec(0)), b"\x03\x0c\x14" + NAME, b"\x03\x03\x14" + NAME, id="name of bits"
            ),
            pytest.param(with_policy("h\u00e9"), b"\x0c\x03h\xc3", b"\x1a\x03h\xc3", id="policy"),
        ],
    )
    def test_it_is_refused_whatever_the_filter(
        self, certificate: x509.Certificate, old: bytes, new: bytes
    ) -> None:
        with pytest.raises(ChainError) as caught:
            load_device_chain(changed_leaf(certificate, old, new))
        assert (caught.value.code, caught.value.data) in (
            ("chain.pem", {"certificate": 0}),
            # With warnings as errors the library stops at the serial number while it loads.
            ("chain.pem", {}),
        )

    @pytest.mark.usefixtures("warning_filter")
    @pytest.mark.parametrize(
        "extension",
        [
            lambda names: x509.SubjectAlternativeName(names),
            lambda names: x509.IssuerAlternativeName(names),
            lambda names: x509.AuthorityKeyIdentifier(b"key", names, 1),
            lambda names: x509.CRLDistributionPoints(
                [x509.DistributionPoint(names, None, None, None)]
            ),
            lambda names: x509.CRLDistributionPoints(
                [x509.DistributionPoint(None, names[0].value.rdns[0], None, None)]
            ),
            lambda names: x509.FreshestCRL([x509.DistributionPoint(None, None, None, names)]),
            lambda names: x509.AuthorityInformationAccess(
                [x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, names[0])]
            ),
            lambda names: x509.NameConstraints(names, None),
        ],
    )
    def test_so_is_a_name_inside_an_extension(
        self, extension: Callable[[list[x509.GeneralName]], x509.ExtensionType]
    ) -> None:
        names: list[x509.GeneralName] = [x509.DirectoryName(long_country())]
        leaf = make(Spec(0, extensions=((extension(names), False),)))
        chain = [leaf, *(make(Spec(position)) for position in range(1, 5))]
        with pytest.raises(ChainError) as caught:
            load_device_chain(pem_of(c.public_bytes(Encoding.DER) for c in chain))
        assert caught.value.code == "chain.pem"

    def test_what_is_allowed_is_read(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "US")])
        names = x509.SubjectAlternativeName([x509.DirectoryName(name)])
        extensions = ((names, False), *((e.value, False) for e in with_policy("ok").extensions))
        policies = tuple(e for e in extensions if isinstance(e[0], x509.CertificatePolicies))
        assert chain_codes(Spec(0, extensions=(extensions[0], *policies))) == set()


class TestFirmwareId:
    @pytest.mark.parametrize("length", [0, 1, 32, 47, 49])
    def test_a_firmware_id_of_another_length_is_not_an_absent_one(self, length: int) -> None:
        field = struct.pack("<HH", OpaqueField.FWID, 48)
        start = TestOpaque.ORIGINAL.index(field)
        changed = (
            TestOpaque.ORIGINAL[:start]
            + struct.pack("<HH", OpaqueField.FWID, length)
            + b"\x11" * length
            + TestOpaque.ORIGINAL[start + 52 :]
        )
        appraisal = Judge()(signed_with_opaque(changed))
        (finding,) = (f for f in appraisal.devices[0].findings if f.code == "fwid.malformed")
        assert (finding.severity, finding.data) == (Severity.ERROR, {"length": length})
        assert codes(appraisal) == {"fwid.malformed"}
        assert appraisal.status is Status.CONTRAINDICATED

    def test_it_buys_no_tier_even_where_chains_are_only_observed(self) -> None:
        field = struct.pack("<HH", OpaqueField.FWID, 48)
        start = TestOpaque.ORIGINAL.index(field)
        changed = (
            TestOpaque.ORIGINAL[:start]
            + struct.pack("<HH", OpaqueField.FWID, 0)
            + TestOpaque.ORIGINAL[start + 52 :]
        )
        lenient = replace(STRICT, enforce_chain=False, required_tiers={"h100_80g": Tier.T0})
        appraisal = Judge(policy=lenient)(signed_with_opaque(changed))
        assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T1)


class TestManifestStore:
    DRIVER_ID = driver_manifest(AUTHORITY, FIRMWARE)[0]

    def reasons(self, judge: Judge) -> dict[str, str]:
        device = judge(gpu().evidence(NONCE)).devices[0]
        assert "verifier.fault" not in {finding.code for finding in device.findings}
        return {
            finding.data["source"]: finding.data["reason"]
            for finding in device.findings
            if finding.code == "rim.not_found"
        }

    def test_a_manifest_that_cannot_be_read_is_not_found_and_says_why(self, tmp_path: Path) -> None:
        manifests_write(AUTHORITY, tmp_path / "rims", [FIRMWARE])
        store = DirectoryRimStore(tmp_path / "rims")
        assert self.reasons(Judge(rims=store)) == {}
        path = tmp_path / "rims" / f"{self.DRIVER_ID}.swidtag"
        path.unlink()
        assert self.reasons(Judge(rims=store)) == {"driver": "the store does not know it"}
        path.mkdir()
        reason = "the store cannot be read (Is a directory)"
        assert self.reasons(Judge(rims=store)) == {"driver": reason}

    def test_it_is_by_policy_a_warning_or_a_refusal(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no directory")
        store = DirectoryRimStore(tmp_path / "file")
        for enforced, status in ((False, Status.WARNING), (True, Status.CONTRAINDICATED)):
            policy = replace(STRICT, enforce_rim=enforced)
            appraisal = Judge(policy=policy, rims=store)(gpu().evidence(NONCE))
            assert codes(appraisal) == {"rim.not_found"}
            assert appraisal.status is status

    def test_another_store_answers_for_one_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("no directory")
        broken = DirectoryRimStore(tmp_path / "file")
        for stores in ((broken, EMULATED_RIMS), (EMULATED_RIMS, broken)):
            assert self.reasons(Judge(rims=ChainedRimStore(stores))) == {}
        empty = MappingRimStore({})
        for stores in ((broken, empty), (empty, broken)):
            found = self.reasons(Judge(rims=ChainedRimStore(stores)))
            assert set(found.values()) == {"the store cannot be read (Not a directory)"}
        assert ChainedRimStore((empty, EMULATED_RIMS)).get("unknown") is None

    def test_a_report_that_names_no_driver_is_told_apart(self) -> None:
        field = struct.pack("<HH", OpaqueField.DRIVER_VERSION, 10) + b"550.90.07\0"
        assert field in TestOpaque.ORIGINAL
        device = signed_with_opaque(TestOpaque.ORIGINAL.replace(field, b""))
        finding = next(f for f in Judge()(device).devices[0].findings if f.code == "rim.not_found")
        assert finding.data == {
            "source": "driver",
            "id": None,
            "reason": "the report does not name the firmware",
        }
