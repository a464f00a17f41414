"""Faults of the manifests that a service holds: none of them can be a node's doing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lxml import etree

from network.attestation.allow_lists import AllowList, AllowLists
from network.attestation.emulator.authority import EmulatorAuthority
from network.attestation.emulator.firmware import HOPPER, VBIOS_INDICES
from network.attestation.emulator.manifests import (
    Content,
    driver_manifest,
    manifest_sign,
    manifest_tree,
)
from network.attestation.emulator.scene import Scene
from network.attestation.xmldsig import DS


def _driver(scene: Scene, change: Callable[[bytes], bytes]) -> Scene:
    """The driver's manifest with its bytes changed."""
    rim_id, xml = driver_manifest(scene.authority, HOPPER)
    return replace(scene, manifests={**scene.manifests, rim_id: change(xml)})


def _changed(old: bytes, new: bytes) -> Callable[[Scene], Scene]:
    return lambda scene: _driver(scene, lambda xml: xml.replace(old, new, 1))


def _by(authority: EmulatorAuthority) -> Callable[[bytes], bytes]:
    return lambda _: driver_manifest(authority, HOPPER)[1]


def _signer(scene: Scene, **validity: object) -> Scene:
    """Signed by a signer of another validity, below the same root."""
    return _driver(scene, _by(replace(scene.authority, **validity)))  # type: ignore[arg-type]


def _stranger(scene: Scene) -> Scene:
    seed = scene.authority.derive_bytes("a stranger", 32)
    return _driver(scene, _by(EmulatorAuthority(seed)))


def _index_conflict(scene: Scene) -> Scene:
    """The driver's manifest claims what is the VBIOS's."""
    rim_id, _ = driver_manifest(scene.authority, HOPPER)
    golden = {index: value for index in VBIOS_INDICES if (value := HOPPER.golden(index))}
    content = Content(product=HOPPER.chip, version=HOPPER.driver_version, golden=golden)
    xml = manifest_sign(scene.authority, manifest_tree(rim_id, content))
    return _driver(scene, lambda _: xml)


def _version(scene: Scene) -> Scene:
    other = driver_manifest(scene.authority, replace(HOPPER, driver_version="550.54.15"))[1]
    return _driver(scene, lambda _: other)


def _signature(xml: bytes) -> bytes:
    """Another signature's value, rightly encoded."""
    root = etree.fromstring(xml)
    value = root.find(f".//{DS}SignatureValue")
    if value is None or not value.text:
        raise ValueError("the manifest is not signed")
    value.text = value.text[::-1] if value.text[-1] != "=" else "A" * len(value.text)
    return etree.tostring(root, encoding="utf-8")


#: A list that the network has voted for and that names something else, and one that the service
#: was not given.
_OTHERS: Final = AllowList("11" * 32, frozenset({"22" * 32}))
_NOT_GIVEN: Final = AllowList("11" * 32, None)


FAULTS: Final[Mapping[str, Callable[[Scene], Scene]]] = {
    "driver.not_allowed": lambda scene: replace(scene, allow_lists=AllowLists(drivers=_OTHERS)),
    "driver.not_evaluated": lambda scene: replace(
        scene, allow_lists=AllowLists(drivers=_NOT_GIVEN)
    ),
    "rim.chain": _stranger,
    "rim.digest": _changed(b'active="True"', b'active="False"'),
    "rim.doctype": _changed(b"<SoftwareIdentity", b"<!DOCTYPE a><SoftwareIdentity"),
    "rim.expired": lambda scene: _signer(
        scene, rim_signer_valid_until=scene.now - timedelta(days=1)
    ),
    "rim.index_conflict": _index_conflict,
    "rim.keyinfo": _changed(b"<ds:X509Data>", b"<ds:KeyValue/><ds:X509Data>"),
    "rim.malformed": _changed(b"</SoftwareIdentity>", b""),
    "rim.not_allowed": lambda scene: replace(scene, allow_lists=AllowLists(rims=_OTHERS)),
    "rim.not_evaluated": lambda scene: replace(scene, allow_lists=AllowLists(rims=_NOT_GIVEN)),
    "rim.not_found": lambda scene: replace(scene, manifests={}),
    "rim.not_yet_valid": lambda scene: _signer(
        scene, rim_signer_valid_from=scene.now + timedelta(days=1)
    ),
    "rim.profile": _changed(b'URI=""', b'URI="#a"'),
    "rim.signature": lambda scene: _driver(scene, _signature),
    "rim.version": _version,
}
