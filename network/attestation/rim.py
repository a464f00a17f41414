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
from .errors import Finding
from .links import (
    Authorities,
    ChainError,
    check_certificates,
    leaf_usage_findings,
    link_findings,
    submitted_root,
    validity,
)
from .rim_payload import SWID, RimError, SvnFloor, payload_read
from .trust import SubmittedRoot, TrustAnchor
from .xmldsig import XmlSignatureError, verify_enveloped

#: Real manifests have 20 KiB.
MAX_RIM_BYTES: Final = 256 * 1024
_RIM_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,160}")


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


def load_rim(xml: bytes, *, authorities: Authorities | None = None) -> Rim:
    """Verify a manifest's signature and links and read it, or raise :class:`RimError`.

    ``authorities`` remembers the certificates that manifests have in common; their signatures are
    verified with every manifest all the same.
    """
    if len(xml) > MAX_RIM_BYTES:
        raise RimError("rim.malformed", f"The manifest has {len(xml)} bytes; that is too many.")
    try:
        signed = verify_enveloped(xml, authorities=authorities)
    except XmlSignatureError as error:
        raise RimError(error.code, error.detail, error.data) from error
    certificates = signed.certificates
    _check_links(certificates)
    if authorities is not None:
        authorities.remember(certificates[1:])
    root = submitted_root(certificates)
    valid_from, valid_until = validity(certificates, root)
    meta = _only_child(signed.root, "Meta")
    golden, svn_floors = payload_read(_only_child(signed.root, "Payload"))
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
