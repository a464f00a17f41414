"""Signed manifests (RIMs) for emulated firmware, in the genuine format."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from network.attestation.references import EMULATED_RIM_PREFIX
from network.attestation.rim import HASH_NAMESPACE, SWID
from network.attestation.signatures import raw_signature_sign
from network.attestation.xmldsig import C14N_11, DS, ECDSA_SHA384, ENVELOPED, SHA384

from .authority import EmulatorAuthority
from .gpu import BLOCKS, DRIVER_INDICES, VALUE_BYTES, VBIOS_INDICES, Firmware

# The stubs know no default namespace.
_NAMESPACES: Final[Any] = {None: SWID.strip("{}"), "SHA384": HASH_NAMESPACE.strip("{}")}


def driver_manifest(authority: EmulatorAuthority, firmware: Firmware) -> tuple[str, bytes]:
    """The driver's manifest: its id in the store and its XML."""
    if firmware.architecture == "HOPPER":
        kind = f"NV_GPU_DRIVER_{firmware.chip}"
    else:
        kind = f"NV_GPU_CC_DRIVER_{firmware.chip}"
    rim_id = f"{EMULATED_RIM_PREFIX}{kind}_{firmware.driver_version}"
    return rim_id, _manifest(authority, rim_id, firmware, DRIVER_INDICES, firmware.driver_version)


def vbios_manifest(authority: EmulatorAuthority, firmware: Firmware) -> tuple[str, bytes]:
    """The VBIOS's manifest: its id in the store and its XML."""
    board = "_".join((firmware.project, firmware.project_sku, firmware.chip_sku)).upper()
    version = firmware.vbios_version.replace(".", "").upper()
    rim_id = f"{EMULATED_RIM_PREFIX}NV_GPU_VBIOS_{board}_{version}"
    return rim_id, _manifest(authority, rim_id, firmware, VBIOS_INDICES, firmware.vbios_version)


def firmware_manifests(
    authority: EmulatorAuthority, firmwares: Iterable[Firmware]
) -> dict[str, bytes]:
    """Both manifests of every firmware, by id. ValueError where two need one id differently."""
    manifests: dict[str, bytes] = {}
    for firmware in firmwares:
        for manifest in (driver_manifest, vbios_manifest):
            rim_id, xml = manifest(authority, firmware)
            if manifests.setdefault(rim_id, xml) != xml:
                raise ValueError(f"two firmwares need {rim_id} with different values")
    return manifests


def manifests_write(
    authority: EmulatorAuthority, directory: Path, firmwares: Iterable[Firmware]
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


def _manifest(
    authority: EmulatorAuthority,
    rim_id: str,
    firmware: Firmware,
    active: Collection[int],
    version: str,
) -> bytes:
    root = etree.Element(f"{SWID}SoftwareIdentity", nsmap=_NAMESPACES)
    # Of what the manifest stands for alone: boards that run one driver share its manifest.
    tag_id = hashlib.sha384(rim_id.encode()).hexdigest()
    root.attrib.update(
        {
            "name": firmware.chip,
            "tagId": tag_id,
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
        colloquialVersion=version,
        edition="GPU",
        product=firmware.chip,
        PayloadType="direct",
    )
    payload = etree.SubElement(root, f"{SWID}Payload")
    for index in range(BLOCKS):
        golden = firmware.golden(index) if index in active else None
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
