"""Reference Integrity Manifests: the golden measurements a vendor signed for one firmware version.

Format: a SWID tag (ISO 19770-2) with an enveloped XML signature in NVIDIA's one profile; see
:mod:`.xmldsig`. Measurements are read only from the tree that the signature was verified over.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from lxml import etree

from .certificate_encoding import ExactCertificate
from .errors import EvidenceError, Finding
from .links import (
    ChainError,
    check_certificates,
    leaf_usage_findings,
    link_findings,
    submitted_root,
    validity,
)
from .trust import SubmittedRoot, TrustAnchor
from .xmldsig import XmlSignatureError, verify_enveloped

SWID: Final = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
HASH_NAMESPACE: Final = "{http://www.w3.org/2001/04/xmlenc#sha384}"
OPAQUE_NAMESPACE: Final = "{https://docs.nvidia.com/attestation/specs/latest/opaque-data.html}"
#: Real manifests have 20 KiB.
MAX_RIM_BYTES: Final = 256 * 1024
MAX_ALTERNATIVES: Final = 64
MAX_MEASUREMENT_INDEX: Final = 255
#: From here on an index is that of an opaque field, and its record a least security version.
SVN_INDEX_BASE: Final = 0x1000
MAX_OPAQUE_FIELD: Final = 0xFFFF
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")
_RIM_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,160}")


class RimError(EvidenceError):
    """A manifest that cannot be used (codes ``rim.*``)."""


@dataclass(frozen=True, slots=True)
class SvnFloor:
    """The least security version number of one opaque field, and the vendor's name for it."""

    name: str
    floor: int


@dataclass(frozen=True, slots=True)
class Rim:
    """A manifest whose XML signature and chain links are right. The root pin and the time are
    judged by :func:`rim_findings`. ``golden`` maps index (SPDM index - 1) to allowed values,
    ``svn_floors`` the id of an opaque field to the least security version that it may have."""

    sha256: str
    product: str
    edition: str
    version: str
    golden: Mapping[int, tuple[bytes, ...]]
    root: SubmittedRoot
    valid_from: datetime
    valid_until: datetime
    svn_floors: Mapping[int, SvnFloor] = field(default_factory=dict)


class RimStore(Protocol):
    """Where trusted manifests come from. Never the node that is being judged."""

    def get(self, rim_id: str) -> bytes | None:
        """The manifest's XML bytes, or None when this id is unknown. OSError when the store cannot
        say. The same object again while the manifest stays the same, so that what was read from it
        is found without hashing it."""


@dataclass(frozen=True, slots=True)
class MappingRimStore:
    """Manifests held in memory, by id."""

    manifests: Mapping[str, bytes]

    def get(self, rim_id: str) -> bytes | None:
        return self.manifests.get(rim_id)


@dataclass(frozen=True, slots=True)
class _File:
    """A file's bytes, and what told apart the file that they were read from."""

    seen: tuple[int, ...]
    content: bytes


@dataclass(frozen=True, slots=True)
class DirectoryRimStore:
    """Manifests as ``<id>.swidtag`` files in one directory. A file is read once and again only when
    it was changed or replaced."""

    directory: Path
    _files: dict[str, _File] = field(default_factory=dict, repr=False, compare=False)

    def get(self, rim_id: str) -> bytes | None:
        # Ids are made from signed report fields, yet a field could still hold a path.
        if not _RIM_ID.fullmatch(rim_id) or rim_id.startswith("."):
            return None
        path = os.path.join(self.directory, f"{rim_id}.swidtag")
        try:
            # Looked at before it is read: a change meanwhile is seen the next time.
            status = os.stat(path)
            seen = (
                *(status.st_dev, status.st_ino, status.st_size),
                *(status.st_mtime_ns, status.st_ctime_ns),
            )
            known = self._files.get(rim_id)
            if known is None or known.seen != seen:
                known = _File(seen, Path(path).read_bytes())
                self._files[rim_id] = known
            return known.content
        except FileNotFoundError:
            self._files.pop(rim_id, None)
            return None


@dataclass(frozen=True, slots=True)
class ChainedRimStore:
    """Several stores, asked in order; the first that knows an id answers. One that cannot be read
    matters only where no other one answers."""

    stores: tuple[RimStore, ...]

    def get(self, rim_id: str) -> bytes | None:
        failure: OSError | None = None
        for store in self.stores:
            try:
                xml = store.get(rim_id)
            except OSError as error:
                failure = failure or error
                continue
            if xml is not None:
                return xml
        if failure is not None:
            raise failure
        return None


def load_rim(xml: bytes) -> Rim:
    """Verify a manifest's signature and links and read it, or raise :class:`RimError`."""
    if len(xml) > MAX_RIM_BYTES:
        raise RimError("rim.malformed", f"The manifest has {len(xml)} bytes; that is too many.")
    try:
        signed = verify_enveloped(xml)
    except XmlSignatureError as error:
        raise RimError(error.code, error.detail, error.data) from error
    certificates = signed.certificates
    _check_links(certificates)
    root = submitted_root(certificates)
    valid_from, valid_until = validity(certificates, root)
    meta = _only_child(signed.root, "Meta")
    golden, svn_floors = _read_payload(_only_child(signed.root, "Payload"))
    return Rim(
        sha256=hashlib.sha256(xml).hexdigest(),
        product=meta.get("product", ""),
        edition=meta.get("edition", ""),
        version=meta.get("colloquialVersion", ""),
        golden=golden,
        svn_floors=svn_floors,
        root=root,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def rim_findings(
    rim: Rim,
    *,
    roots: Mapping[str, TrustAnchor],
    now: datetime,
    product: str | None,
    version: str,
    emulated: bool,
    edition: str = "GPU",
) -> list[Finding]:
    """Judge a loaded manifest against the device: root pin, time, product, version, edition."""
    findings = []
    anchor = roots.get(rim.root.spki_sha256)
    if anchor is None or anchor.emulated != emulated or not anchor.accepts(rim.root):
        findings.append(
            Finding(
                "rim.chain",
                "The manifest's chain ends in a root that does not count for this device.",
                data={
                    "root_spki_sha256": rim.root.spki_sha256,
                    "root_certificate_sha256": rim.root.certificate_sha256,
                },
            )
        )
    if now > rim.valid_until:
        findings.append(
            Finding(
                "rim.expired",
                f"The signer of the {version} manifest ran out on {rim.valid_until:%Y-%m-%d}.",
                data={"valid_until": rim.valid_until.isoformat(), "version": version},
            )
        )
    if now < rim.valid_from:
        findings.append(
            Finding("rim.not_yet_valid", f"The manifest begins on {rim.valid_from:%Y-%m-%d}.")
        )
    expected = {"version": (rim.version, version), "product": (rim.product, product)}
    expected["edition"] = (rim.edition, edition)
    for name, (found, wanted) in expected.items():
        if found != wanted:
            findings.append(
                Finding(
                    "rim.version",
                    f"The manifest's {name} is {found!r}, the device's is {wanted!r}.",
                    data={"field": name, "manifest": found, "device": wanted},
                )
            )
    return findings


def _check_links(certificates: tuple[ExactCertificate, ...]) -> None:
    try:
        check_certificates(certificates)
    except ChainError as error:
        raise RimError("rim.chain", error.detail, error.data) from error
    findings = link_findings(certificates) + leaf_usage_findings(certificates[0])
    if findings:
        raise RimError(
            "rim.chain",
            "The manifest's certificate chain is broken: "
            + " ".join(finding.detail for finding in findings),
            {"faults": [finding.code for finding in findings]},
        )


def _only_child(root: etree._Element, name: str) -> etree._Element:
    children = root.findall(f"{SWID}{name}")
    if len(children) != 1:
        raise RimError("rim.malformed", f"The manifest has {len(children)} {name} elements, not 1.")
    return children[0]


def _read_payload(
    payload: etree._Element,
) -> tuple[dict[int, tuple[bytes, ...]], dict[int, SvnFloor]]:
    """Golden values by index, and security version floors by opaque field; active ones only."""
    golden: dict[int, tuple[bytes, ...]] = {}
    svn_floors: dict[int, SvnFloor] = {}
    seen: set[int] = set()
    for resource in payload:
        if resource.tag != f"{SWID}Resource" or resource.get("type") != "Measurement":
            raise RimError("rim.malformed", "The payload holds something else than measurements.")
        index = _number(resource, "index", limit=SVN_INDEX_BASE + MAX_OPAQUE_FIELD)
        if MAX_MEASUREMENT_INDEX < index < SVN_INDEX_BASE:
            raise RimError("rim.malformed", f"Index {index} is of no measurement or field.")
        if index in seen:
            raise RimError(
                "rim.index_conflict",
                f"Index {index} comes twice in one manifest.",
                {"index": index},
            )
        seen.add(index)
        active = resource.get("active")
        if active not in ("True", "False"):
            raise RimError("rim.malformed", f"Index {index} is neither active nor inactive.")
        if index >= SVN_INDEX_BASE:
            floor = _read_svn_floor(resource, index)
            if active == "True":
                svn_floors[index - SVN_INDEX_BASE] = floor
            continue
        values = _read_alternatives(resource, index)
        if active == "True":
            golden[index] = values
    return golden, svn_floors


def _read_svn_floor(resource: etree._Element, index: int) -> SvnFloor:
    """A record about an opaque field has a least version instead of values."""
    text, name = resource.get(f"{OPAQUE_NAMESPACE}minSvn", ""), resource.get("name", "")
    if not (_DECIMAL.fullmatch(text) and int(text) < 2**64) or not name:
        raise RimError(
            "rim.malformed",
            f"Index {index} has no name or no security version number.",
            {"index": index},
        )
    return SvnFloor(name, int(text))


def _read_alternatives(resource: etree._Element, index: int) -> tuple[bytes, ...]:
    size = _number(resource, "size", limit=1024)
    count = _number(resource, "alternatives", limit=MAX_ALTERNATIVES)
    values = []
    for position in range(count):
        text = resource.get(f"{HASH_NAMESPACE}Hash{position}", "")
        if not _HEX.fullmatch(text) or len(text) != 2 * size:
            raise RimError(
                "rim.malformed",
                f"Value {position} of index {index} is not {size} bytes of hex.",
                {"index": index},
            )
        values.append(bytes.fromhex(text))
    if not values or f"{HASH_NAMESPACE}Hash{count}" in resource.attrib:
        raise RimError("rim.malformed", f"Index {index} has another number of values than it says.")
    return tuple(values)


def _number(resource: etree._Element, name: str, *, limit: int) -> int:
    text = resource.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > limit:
        raise RimError("rim.malformed", f"The attribute {name} is not a number up to {limit}.")
    return int(text)
