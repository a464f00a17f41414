"""Manifests that are signed correctly and still say something that must not be believed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from network.attestation import MappingRimStore
from network.attestation.emulator import Firmware, driver_manifest, vbios_manifest
from network.attestation.emulator.manifests import _sign as sign
from network.attestation.emulator.manifests import firmware_manifests
from network.attestation.rim import load_rim
from network.attestation.rim_payload import HASH_NAMESPACE, SWID, RimError
from network.attestation.xmldsig import DS

from .samples import AUTHORITY, FIRMWARE, NONCE, Judge, codes, gpu

Change = Callable[[etree._Element], object]


def signed_again(change: Change, xml: bytes = driver_manifest(AUTHORITY, FIRMWARE)[1]) -> bytes:
    """The manifest changed, and signed by the right signer."""
    root = etree.fromstring(xml)
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    root.remove(signature)
    change(root)
    sign(AUTHORITY, root)
    return etree.tostring(root)


def resource(root: etree._Element, index: int) -> etree._Element:
    payload = root.find(f"{SWID}Payload")
    assert payload is not None
    return payload[index]


def setting(index: int, name: str, value: str) -> Change:
    return lambda root: resource(root, index).set(name, value)


def test_signing_again_is_not_what_fails() -> None:
    assert load_rim(signed_again(lambda _: None)).golden


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (setting(7, "active", "true"), "rim.malformed"),
        (setting(7, "active", ""), "rim.malformed"),
        (setting(7, "index", "8"), "rim.index_conflict"),
        (setting(7, "index", "-1"), "rim.malformed"),
        (setting(7, "index", "\u0667"), "rim.malformed"),
        (setting(7, "index", "256"), "rim.malformed"),
        (setting(7, "size", "32"), "rim.malformed"),
        (setting(7, "alternatives", "0"), "rim.malformed"),
        (setting(7, "alternatives", "2"), "rim.malformed"),
        (setting(7, "alternatives", "65"), "rim.malformed"),
        (setting(7, f"{HASH_NAMESPACE}Hash1", "00" * 48), "rim.malformed"),
        (setting(7, f"{HASH_NAMESPACE}Hash0", "zz" * 48), "rim.malformed"),
        (setting(7, f"{HASH_NAMESPACE}Hash0", "00 " * 32), "rim.malformed"),
        (setting(7, f"{HASH_NAMESPACE}Hash0", "\u0660" * 96), "rim.malformed"),
        (setting(7, f"{HASH_NAMESPACE}Hash0", ""), "rim.malformed"),
        (setting(7, "size", ""), "rim.malformed"),
        (setting(7, "size", " 48"), "rim.malformed"),
        (setting(7, "alternatives", "256"), "rim.malformed"),
        (setting(7, "type", "File"), "rim.malformed"),
        (lambda root: etree.SubElement(root, f"{SWID}Payload"), "rim.malformed"),
        (lambda root: root.remove(root[1]), "rim.malformed"),
        (
            lambda root: etree.SubElement(resource(root, 7).getparent(), f"{SWID}File"),
            "rim.malformed",
        ),
    ],
)
def test_each_fault_has_its_code(change: Change, code: str) -> None:
    with pytest.raises(RimError) as caught:
        load_rim(signed_again(change))
    assert caught.value.code == code


def test_a_value_of_no_bytes_is_none() -> None:
    def change(root: etree._Element) -> None:
        item = resource(root, 7)
        item.set("size", "0")
        item.set(f"{HASH_NAMESPACE}Hash0", "")

    with pytest.raises(RimError) as caught:
        load_rim(signed_again(change))
    assert caught.value.code == "rim.malformed"


def test_values_are_read_in_any_case_of_hex_and_from_all_alternatives() -> None:
    def change(root: etree._Element) -> None:
        item = resource(root, 21)
        item.set("alternatives", "2")
        item.set(f"{HASH_NAMESPACE}Hash1", item.get(f"{HASH_NAMESPACE}Hash0", "").upper())
        item.set(f"{HASH_NAMESPACE}Hash0", "00" * 48)

    golden = load_rim(signed_again(change)).golden[21]
    assert golden == (bytes(48), FIRMWARE.golden(21))


@pytest.mark.parametrize(
    ("name", "value"), [("product", "GB100"), ("edition", "SWITCH"), ("colloquialVersion", "1")]
)
def test_a_manifest_for_something_else_does_not_count(name: str, value: str) -> None:
    rim_id, original = driver_manifest(AUTHORITY, FIRMWARE)

    def change(root: etree._Element) -> None:
        meta = root.find(f"{SWID}Meta")
        assert meta is not None
        meta.set(name, value)

    manifests = dict([vbios_manifest(AUTHORITY, FIRMWARE)])
    manifests[rim_id] = signed_again(change, original)
    appraisal = Judge(rims=MappingRimStore(manifests))(gpu().evidence(NONCE))
    assert codes(appraisal) == {"rim.version"}
    # The other manifest still counts.
    assert appraisal.devices[0].measurements_compared == 12


def test_an_index_that_both_manifests_claim_is_told() -> None:
    driver_id, driver = driver_manifest(AUTHORITY, FIRMWARE)
    vbios_id, vbios = vbios_manifest(AUTHORITY, FIRMWARE)
    both = {driver_id: signed_again(setting(3, "active", "True"), driver), vbios_id: vbios}
    appraisal = Judge(rims=MappingRimStore(both))(gpu().evidence(NONCE))
    assert "rim.index_conflict" in codes(appraisal)


def test_a_manifest_that_cannot_be_read_is_a_finding_and_hides_nothing() -> None:
    driver_id, _ = driver_manifest(AUTHORITY, FIRMWARE)
    manifests = {driver_id: b"<broken", **dict([vbios_manifest(AUTHORITY, FIRMWARE)])}
    changed = gpu(changed_measurements=frozenset({0}))
    appraisal = Judge(rims=MappingRimStore(manifests))(changed.evidence(NONCE))
    assert codes(appraisal) == {"rim.malformed", "meas.mismatch"}


def test_a_measurement_that_is_missing_is_told() -> None:
    def change(root: etree._Element) -> None:
        item = resource(root, 63)
        item.set("index", "200")
        item.set("active", "True")

    driver_id, driver = driver_manifest(AUTHORITY, FIRMWARE)
    manifests = dict([vbios_manifest(AUTHORITY, FIRMWARE)])
    manifests[driver_id] = signed_again(change, driver)
    appraisal = Judge(rims=MappingRimStore(manifests))(gpu().evidence(NONCE))
    assert codes(appraisal) == {"meas.missing"}


def test_two_firmwares_that_need_one_id_differently_are_refused() -> None:
    clash = Firmware(chip="GB100", vbios_version=FIRMWARE.vbios_version)
    with pytest.raises(ValueError, match="different values"):
        firmware_manifests(AUTHORITY, [FIRMWARE, clash])
