"""Blackwell and later: typed reports, least security versions, chips that are known in part."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from network.attestation import (
    DeviceEvidence,
    MappingRimStore,
    Severity,
    Status,
    Tier,
    trust_vector,
)
from network.attestation.appraisal import DeviceAppraisal
from network.attestation.emulator import (
    BLACKWELL_TYPED,
    HOPPER,
    WORKSTATION,
    EmulatedGpu,
    Firmware,
    driver_manifest,
    firmware_manifests,
    vbios_manifest,
)
from network.attestation.emulator.device import pem_of
from network.attestation.emulator.encoding import Field, opaque_encode, report_encode
from network.attestation.emulator.manifests import manifest_sign
from network.attestation.errors import Finding
from network.attestation.opaque import SVN_VALUE_TYPE, OpaqueField
from network.attestation.rim import load_rim
from network.attestation.rim_payload import OPAQUE_NAMESPACE, SWID, RimError, SvnFloor

from .samples import AUTHORITY, EMULATED_RIMS, NONCE, STRICT, Judge, codes, gpu

TYPED = gpu("typed", firmware=BLACKWELL_TYPED)
B200 = Judge(gpu_class="b200_192g")
SVN = OpaqueField.FSP_UCODE_SVN


def sent(card: EmulatedGpu, fields: list[Field], *, typed: bool | None = None) -> DeviceEvidence:
    """The card's evidence with other fields, signed by its leaf."""
    opaque = opaque_encode(fields, typed=card.typed if typed is None else typed)
    content = report_encode(NONCE, card.blocks(), opaque)
    return replace(card.evidence(NONCE), report=card.signed(content))


def other(*changes: Field, without: int = 0) -> list[Field]:
    """The typed card's fields with some replaced or left out."""
    changed = {change.number: change for change in changes}
    return [changed.get(f.number, f) for f in TYPED.opaque_fields() if f.number != without]


def too_low(device: DeviceAppraisal) -> list[Finding]:
    return [finding for finding in device.findings if finding.code == "meas.svn_too_low"]


class TestTyped:
    def test_an_honest_gpu_is_affirmed(self) -> None:
        appraisal = B200(TYPED.evidence(NONCE))
        device = appraisal.devices[0]
        assert codes(appraisal) == set()
        assert (appraisal.status, appraisal.tier) == (Status.AFFIRMING, Tier.T4)
        assert (device.measurements_compared, device.measurements_matched) == (32, 32)
        assert (device.driver_version, device.vbios_version) == ("620.12", "97.00.D9.00.0F")
        assert (device.fwid, device.mode) == (TYPED.firmware_id.hex(), "spt")
        assert (device.appraised_as, device.unknown_fields) == ("full", ())

    def test_unknown_fields_are_told_and_change_nothing(self) -> None:
        unknown = [Field(38, 0x85, b"\xaa"), Field(9000, 1, b"x"), Field(9000, 2, b"y")]
        appraisal = B200(sent(TYPED, [*TYPED.opaque_fields(), *unknown]))
        assert appraisal.status is Status.AFFIRMING
        assert [entry.as_json() for entry in appraisal.devices[0].unknown_fields] == [
            {"field": 38, "value_type": 0x85, "data": "aa"},
            {"field": 9000, "value_type": 1, "data": "78"},
            {"field": 9000, "value_type": 2, "data": "79"},
        ]

    def test_of_very_many_unknown_fields_the_first_are_told(self) -> None:
        unknown = [Field(1000 + number, 0, b"") for number in range(200)]
        device = B200(sent(TYPED, [*TYPED.opaque_fields(), *unknown])).devices[0]
        assert [entry.field for entry in device.unknown_fields] == list(range(1000, 1016))

    def test_a_report_without_any_field_is_appraised_in_part(self) -> None:
        policy = replace(STRICT, enforce_rim=False)
        for typed in (True, False):
            device = replace(B200, policy=policy)(sent(TYPED, [], typed=typed)).devices[0]
            found = {finding.code for finding in device.findings}
            assert found >= {"rim.not_found", "fwid.absent"}
            assert (device.status, device.tier) == (Status.WARNING, Tier.T4)
            assert device.appraised_as == "partial"

    @pytest.mark.parametrize("bit", range(0, 96, 7))
    def test_a_bit_of_the_header_changed_after_signing(self, bit: int) -> None:
        report = bytearray(TYPED.report(NONCE))
        start = report.index(b"NVDAOD")
        report[start + bit // 8] ^= 1 << bit % 8
        appraisal = B200(replace(TYPED.evidence(NONCE), report=bytes(report)))
        assert "sig.report" in codes(appraisal)
        assert appraisal.status is Status.CONTRAINDICATED


class TestSecurityVersion:
    @pytest.mark.parametrize(
        ("svn", "met"), [(0, False), (1, False), (2, True), (3, True), (0xFFFF, True)]
    )
    def test_the_floor(self, svn: int, met: bool) -> None:
        card = gpu("typed", firmware=replace(BLACKWELL_TYPED, svn=svn))
        appraisal = B200(card.evidence(NONCE))
        assert codes(appraisal) == (set() if met else {"meas.svn_too_low"})
        assert appraisal.accepted is met
        for finding in too_low(appraisal.devices[0]):
            assert finding.data == {
                "field": 37,
                "name": "FSP_UCODE_MIN_SVN",
                "source": "driver",
                "floor": 2,
                "runtime": svn,
            }

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            (other(without=SVN), "is not reported"),
            (other(Field(SVN, 0x86, b"\2\0")), "is not given as one"),
            (other(Field(SVN, SVN_VALUE_TYPE, b"")), "is not given as one"),
            (other(Field(SVN, SVN_VALUE_TYPE, bytes(9))), "is not given as one"),
        ],
    )
    def test_what_is_no_security_version_is_too_low(self, fields: list[Field], words: str) -> None:
        appraisal = B200(sent(TYPED, fields))
        (finding,) = too_low(appraisal.devices[0])
        assert words in finding.detail
        assert finding.data["runtime"] is None

    def test_an_untyped_report_does_not_reach_a_floor(self) -> None:
        assert codes(B200(sent(TYPED, TYPED.opaque_fields(), typed=False))) == {"meas.svn_too_low"}

    def test_it_is_observed_or_enforced_with_the_measurements(self) -> None:
        card = gpu("typed", firmware=replace(BLACKWELL_TYPED, svn=1))
        policy = replace(STRICT, enforce_measurements=False)
        appraisal = replace(B200, policy=policy)(card.evidence(NONCE))
        assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T4)

    def test_the_count_of_golden_values_stays_their_count(self) -> None:
        card = gpu("typed", firmware=replace(BLACKWELL_TYPED, svn=1))
        device = B200(card.evidence(NONCE)).devices[0]
        assert (device.measurements_compared, device.measurements_matched) == (32, 32)

    def test_two_manifests_must_not_ask_for_one_field(self) -> None:
        vbios_id, xml = vbios_manifest(AUTHORITY, BLACKWELL_TYPED)
        for index, name, data in (
            (0x1000 + 37, "ANOTHER", {"field": 37}),
            (0x1000 + 40, "FSP_UCODE_MIN_SVN", {"name": "FSP_UCODE_MIN_SVN"}),
        ):
            changed = with_records(xml, {"index": str(index), "name": name, "minSvn": "1"})
            rims = MappingRimStore({**EMULATED_RIMS.manifests, vbios_id: changed})
            device = replace(B200, rims=rims)(TYPED.evidence(NONCE)).devices[0]
            conflicts = [f.data for f in device.findings if f.code == "rim.index_conflict"]
            assert conflicts == [data]


def with_records(xml: bytes, *records: dict[str, str]) -> bytes:
    """The manifest with more records about opaque fields, signed again."""
    root = etree.fromstring(xml)
    for part in list(root):
        if part.tag.endswith("Signature"):
            root.remove(part)
    payload = next(part for part in root if part.tag == f"{SWID}Payload")
    for record in records:
        attributes = {"type": "Measurement", "active": "True"}
        for name, value in record.items():
            attributes[f"{OPAQUE_NAMESPACE}{name}" if name == "minSvn" else name] = value
        etree.SubElement(payload, f"{SWID}Resource", attributes)
    return manifest_sign(AUTHORITY, root)


class TestRecords:
    """Records about opaque fields in a manifest (index from 4096 on)."""

    XML = driver_manifest(AUTHORITY, HOPPER)[1]
    RIGHT = {"index": "4133", "name": "X", "minSvn": "7"}

    @pytest.mark.parametrize(
        ("changes", "field", "floor"),
        [
            ({}, 37, 7),
            ({"index": "4096"}, 0, 7),
            ({"index": "69631"}, 0xFFFF, 7),
            ({"minSvn": "0"}, 37, 0),
            ({"minSvn": str(2**64 - 1)}, 37, 2**64 - 1),
        ],
    )
    def test_what_is_right(self, changes: dict[str, str], field: int, floor: int) -> None:
        rim = load_rim(with_records(self.XML, {**self.RIGHT, **changes}))
        assert rim.svn_floors == {field: SvnFloor("X", floor)}
        assert len(rim.golden) == 21

    @pytest.mark.parametrize(
        "changes",
        [
            {"index": "256"},
            {"index": "4095"},
            {"index": "69632"},
            {"index": "99999"},
            {"index": "100000"},
            {"index": "-1"},
            {"index": "0x1025"},
            {"minSvn": ""},
            {"minSvn": "-1"},
            {"minSvn": "1.0"},
            {"minSvn": " 1"},
            {"minSvn": str(2**64)},
            {"minSvn": "9" * 21},
            {"minSvn": "\u0661"},
            {"name": ""},
            {"active": "true"},
            {"active": ""},
        ],
    )
    def test_what_is_not(self, changes: dict[str, str]) -> None:
        with pytest.raises(RimError) as caught:
            load_rim(with_records(self.XML, {**self.RIGHT, **changes}))
        assert caught.value.code == "rim.malformed"

    def test_a_record_that_is_not_active_asks_for_nothing(self) -> None:
        record = {**self.RIGHT, "active": "False"}
        assert load_rim(with_records(self.XML, record)).svn_floors == {}

    def test_a_field_that_comes_twice(self) -> None:
        with pytest.raises(RimError) as caught:
            load_rim(with_records(self.XML, self.RIGHT, self.RIGHT))
        assert caught.value.code == "rim.index_conflict"


class TestChips:
    def test_a_manifest_is_compared_with_the_chip_that_the_report_names(self) -> None:
        """The certificate says GB20X, the manifests and the report GB202."""
        card = gpu("workstation", firmware=WORKSTATION)
        appraisal = Judge(gpu_class="workstation_48g")(card.evidence(NONCE))
        device = appraisal.devices[0]
        assert codes(appraisal) == {"class.sku_unknown"}
        assert (device.chip, device.tier) == ("GB20X", Tier.T4)
        assert (device.measurements_matched, device.appraised_as) == (32, "full")

    def test_a_manifest_of_another_chip_does_not_count(self) -> None:
        own_id, _ = driver_manifest(AUTHORITY, WORKSTATION)
        hopper = Firmware(driver_version=WORKSTATION.driver_version)
        rims = MappingRimStore(
            {**EMULATED_RIMS.manifests, own_id: driver_manifest(AUTHORITY, hopper)[1]}
        )
        judge = Judge(gpu_class="workstation_48g", rims=rims)
        appraisal = judge(gpu("workstation", firmware=WORKSTATION).evidence(NONCE))
        (finding,) = (f for f in appraisal.devices[0].findings if f.code == "rim.version")
        assert finding.data == {"field": "product", "manifest": "GH100", "device": "GB202"}

    def named(self, name: str) -> DeviceEvidence:
        """A GPU whose leaf certificate has another common name."""
        card = gpu("named")
        leaf = AUTHORITY.issue(
            name=name,
            key=card.leaf.key,
            issuer=card.device,
            is_authority=False,
            extensions=card.leaf_extensions(),
        )
        chain = pem_of(leaf, card.device, *AUTHORITY.device_chain)
        return replace(card.evidence(NONCE), certificate_chain=chain, claimed_architecture=None)

    @pytest.mark.parametrize("gpu_class", ["h100_80g", "edge_iot"])
    def test_a_chip_that_is_not_known_is_told_and_proves_nothing(self, gpu_class: str) -> None:
        policy = replace(STRICT, enforce_rim=False, required_tiers={gpu_class: Tier.T1})
        appraisal = Judge(policy=policy, gpu_class=gpu_class)(self.named("GX100 A01 GSP FMC LF"))
        device = appraisal.devices[0]
        assert codes(appraisal) == {"device.unknown_type", "rim.not_found", "rim.version"}
        (finding,) = (f for f in device.findings if f.code == "device.unknown_type")
        assert (finding.severity, finding.data) == (Severity.WARNING, {"chip": "GX100"})
        assert (appraisal.status, appraisal.tier) == (Status.WARNING, Tier.T1)
        assert (device.chip, device.architecture) == ("GX100", None)
        assert device.appraised_as == "partial"

    def test_of_a_chip_that_is_not_known_nothing_is_claimed_about_hardware(self) -> None:
        policy = replace(STRICT, enforce_rim=False, required_tiers={"h100_80g": Tier.T1})
        device = Judge(policy=policy)(self.named("GX100 A01 GSP FMC LF")).devices[0]
        assert trust_vector(replace(device, emulated=False)) == {"executables": 33}

    @pytest.mark.parametrize("name", ["CX7 A01 FMC LF", "GX100 A01 GSP BROM", "GH100"])
    def test_what_names_no_gpu_is_refused(self, name: str) -> None:
        policy = replace(STRICT, required_tiers={"h100_80g": Tier.T0})
        appraisal = Judge(policy=policy)(self.named(name))
        assert "device.unknown_type" in codes(appraisal)
        assert appraisal.status is Status.CONTRAINDICATED

    def test_a_chip_of_which_no_class_consists_fits_none(self) -> None:
        appraisal = Judge(policy=replace(STRICT, enforce_rim=False))(
            self.named("GR100 A01 GSP FMC LF")
        )
        assert codes(appraisal) == {"device.class_mismatch", "rim.not_found", "rim.version"}
        assert appraisal.devices[0].architecture == "RUBIN"

    def test_its_driver_is_looked_for_by_its_own_name(self) -> None:
        device = Judge()(self.named("GR100 A01 GSP FMC LF")).devices[0]
        ids = {f.data["id"] for f in device.findings if f.code == "rim.not_found"}
        assert ids == {"EMULATED_NV_GPU_CC_DRIVER_GR100_550.90.07"}


def test_every_emulated_firmware_has_its_manifests() -> None:
    assert firmware_manifests(AUTHORITY, [BLACKWELL_TYPED]).keys() < EMULATED_RIMS.manifests.keys()
    with pytest.raises(ValueError, match="GB202"):
        Firmware(chip="GX100")
