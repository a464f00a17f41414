"""Signed manifests (RIMs) for emulated firmware, in the genuine format."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from network.attestation.evidence import DeviceKind
from network.attestation.opaque import OpaqueField
from network.attestation.references import (
    EDITIONS,
    EMULATED_RIM_PREFIX,
    SWITCH_BOARD,
    SWITCH_PRODUCT,
)
from network.attestation.rim_payload import (
    HASH_NAMESPACE,
    OPAQUE_NAMESPACE,
    SVN_INDEX_BASE,
    SWID,
    SvnFloor,
)
from network.attestation.signatures import raw_signature_sign
from network.attestation.xmldsig import C14N_11, DS, ECDSA_SHA384, ENVELOPED, SHA384

from .authority import EmulatorAuthority
from .firmware import (
    BLOCKS,
    DRIVER_INDICES,
    SWITCH_BLOCKS,
    VALUE_BYTES,
    VBIOS_INDICES,
    Firmware,
    SwitchFirmware,
)

# The stubs know no default namespace.
_NAMESPACES: Final[Any] = {None: SWID.strip("{}"), "SHA384": HASH_NAMESPACE.strip("{}")}
_SVN_NAMESPACES: Final[Any] = {"opaque": OPAQUE_NAMESPACE.strip("{}")}
#: The vendor's name for the security version of a GPU's boot firmware.
SVN_NAME: Final = "FSP_UCODE_MIN_SVN"


@dataclass(frozen=True, slots=True)
class Content:
    """What a manifest says: of which product and version, and the golden values by index."""

    product: str
    version: str
    golden: Mapping[int, bytes]
    edition: str = EDITIONS[DeviceKind.GPU]
    blocks: int = BLOCKS
    svn_floors: Mapping[int, SvnFloor] = field(default_factory=dict)


def driver_manifest(authority: EmulatorAuthority, firmware: Firmware) -> tuple[str, bytes]:
    """The driver's manifest: its id in the store and its XML."""
    if firmware.architecture == "HOPPER":
        kind = f"NV_GPU_DRIVER_{firmware.chip}"
    else:
        kind = f"NV_GPU_CC_DRIVER_{firmware.chip}"
    rim_id = f"{EMULATED_RIM_PREFIX}{kind}_{firmware.driver_version}"
    floor = firmware.svn_floor
    content = Content(
        product=firmware.chip,
        version=firmware.driver_version,
        golden=_golden(firmware, DRIVER_INDICES),
        svn_floors={} if floor is None else {OpaqueField.FSP_UCODE_SVN: SvnFloor(SVN_NAME, floor)},
    )
    return rim_id, manifest_sign(authority, manifest_tree(rim_id, content))


def vbios_manifest(authority: EmulatorAuthority, firmware: Firmware) -> tuple[str, bytes]:
    """The VBIOS's manifest: its id in the store and its XML."""
    board = "_".join((firmware.project, firmware.project_sku, firmware.chip_sku)).upper()
    version = firmware.vbios_version.replace(".", "").upper()
    rim_id = f"{EMULATED_RIM_PREFIX}NV_GPU_VBIOS_{board}_{version}"
    content = Content(
        product=firmware.chip,
        version=firmware.vbios_version,
        golden=_golden(firmware, VBIOS_INDICES),
    )
    return rim_id, manifest_sign(authority, manifest_tree(rim_id, content))


def _golden(firmware: Firmware, indices: Iterable[int]) -> dict[int, bytes]:
    found = {index: firmware.golden(index) for index in indices}
    return {index: value for index, value in found.items() if value is not None}


def switch_manifest(authority: EmulatorAuthority, firmware: SwitchFirmware) -> tuple[str, bytes]:
    """The switch's one manifest: its id in the store and its XML."""
    version = firmware.vbios_version
    rim_id = f"{EMULATED_RIM_PREFIX}NV_SWITCH_BIOS_{SWITCH_BOARD}_{version.replace('.', '')}"
    content = Content(
        product=SWITCH_PRODUCT,
        version=version,
        golden={index: firmware.golden(index) for index in range(SWITCH_BLOCKS)},
        edition=EDITIONS[DeviceKind.SWITCH],
        blocks=SWITCH_BLOCKS,
    )
    return rim_id, manifest_sign(authority, manifest_tree(rim_id, content))


def firmware_manifests(
    authority: EmulatorAuthority, firmwares: Iterable[Firmware | SwitchFirmware]
) -> dict[str, bytes]:
    """The manifests of every firmware, by id. ValueError where two need one id differently."""
    manifests: dict[str, bytes] = {}
    for firmware in firmwares:
        if isinstance(firmware, SwitchFirmware):
            made = [switch_manifest(authority, firmware)]
        else:
            made = [driver_manifest(authority, firmware), vbios_manifest(authority, firmware)]
        for rim_id, xml in made:
            if manifests.setdefault(rim_id, xml) != xml:
                raise ValueError(f"two firmwares need {rim_id} with different values")
    return manifests


def manifests_write(
    authority: EmulatorAuthority,
    directory: Path,
    firmwares: Iterable[Firmware | SwitchFirmware],
) -> list[Path]:
    """Write the manifests as ``<id>.swidtag``, as ``DirectoryRimStore`` reads them."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for rim_id, xml in firmware_manifests(authority, firmwares).items():
        path = directory / f"{rim_id}.swidtag"
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(xml)
        os.replace(temporary, path)
        paths.append(path)
    return paths


def manifest_tree(rim_id: str, content: Content) -> etree._Element:
    """The unsigned manifest. Its tag is of what it stands for alone: boards that run one driver
    share its manifest."""
    root = etree.Element(f"{SWID}SoftwareIdentity", nsmap=_NAMESPACES)
    root.attrib.update(
        {
            "name": content.product,
            "tagId": hashlib.sha384(rim_id.encode()).hexdigest(),
            "version": "1.0",
            "tagVersion": "0",
            "corpus": "false",
            "patch": "false",
            "supplemental": "false",
        }
    )
    etree.SubElement(root, f"{SWID}Entity", name="ALTHING EMULATED", role="softwareCreator")
    etree.SubElement(
        root,
        f"{SWID}Meta",
        colloquialVersion=content.version,
        edition=content.edition,
        product=content.product,
        PayloadType="direct",
    )
    payload = etree.SubElement(root, f"{SWID}Payload")
    for index in range(content.blocks):
        golden = content.golden.get(index)
        attributes = {
            "type": "Measurement",
            "index": str(index),
            "active": "True" if golden else "False",
            "alternatives": "1",
            f"{HASH_NAMESPACE}Hash0": (golden or bytes(VALUE_BYTES)).hex(),
            "name": f"Measurement_{index}",
            "size": str(VALUE_BYTES),
        }
        etree.SubElement(payload, f"{SWID}Resource", attributes)
    for number, floor in content.svn_floors.items():
        attributes = {
            "type": "Measurement",
            "index": str(SVN_INDEX_BASE + number),
            "active": "True",
            f"{OPAQUE_NAMESPACE}minSvn": str(floor.floor),
            "name": floor.name,
        }
        etree.SubElement(payload, f"{SWID}Resource", attributes, nsmap=_SVN_NAMESPACES)
    return root


def manifest_sign(authority: EmulatorAuthority, root: etree._Element) -> bytes:
    """The XML with the enveloped signature in the one profile that :mod:`..xmldsig` accepts."""
    _sign(authority, root)
    return etree.tostring(root, encoding="utf-8")


def _sign(authority: EmulatorAuthority, root: etree._Element) -> None:
    """Append the enveloped signature in the one profile that :mod:`..xmldsig` accepts."""
    digest = hashlib.sha384(etree.tostring(root, method="c14n")).digest()
    signature = etree.SubElement(root, f"{DS}Signature", nsmap={"ds": DS.strip("{}")})
    info = etree.SubElement(signature, f"{DS}SignedInfo")
    etree.SubElement(info, f"{DS}CanonicalizationMethod", Algorithm=C14N_11)
    etree.SubElement(info, f"{DS}SignatureMethod", Algorithm=ECDSA_SHA384)
    reference = etree.SubElement(info, f"{DS}Reference", URI="")
    transforms = etree.SubElement(reference, f"{DS}Transforms")
    for algorithm in (ENVELOPED, C14N_11):
        etree.SubElement(transforms, f"{DS}Transform", Algorithm=algorithm)
    etree.SubElement(reference, f"{DS}DigestMethod", Algorithm=SHA384)
    _text(reference, "DigestValue", digest)
    signer = authority.rim_chain[0]
    signed = etree.tostring(info, method="c14n")
    _text(signature, "SignatureValue", raw_signature_sign(signer.key, signed, deterministic=True))
    data = etree.SubElement(etree.SubElement(signature, f"{DS}KeyInfo"), f"{DS}X509Data")
    for issuer in authority.rim_chain:
        _text(data, "X509Certificate", issuer.certificate.public_bytes(Encoding.DER))


def _text(parent: etree._Element, name: str, value: bytes) -> None:
    etree.SubElement(parent, f"{DS}{name}").text = base64.b64encode(value).decode("ascii")
