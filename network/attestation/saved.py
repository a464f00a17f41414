"""Evidence kept in files, for checking it later: by whom it was sent and when is not in there.

Three forms are read:

* a node's report as it was sent, JSON ``{"nonce", "devices": [...], ...}``;
* a JSON list of devices ``[{"arch", "nonce", "evidence", "certificate"}, ...]``;
* a directory as NVIDIA publishes its sample: ``attestationReport.txt`` (hex),
  ``gpuAkCertChain.txt`` (PEM) and manifests ``*_test_no_gpu.swidtag``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from .certificates import MAX_CHAIN_BYTES
from .chain_revocation import RevocationMaterial, StoredDocument
from .evidence import DeviceEvidence, EvidenceFormatError, devices_from_json
from .rim import MAX_RIM_BYTES, MappingRimStore, RimStore
from .spdm import MAX_REPORT_BYTES, NONCE_BYTES

#: More than the largest report that the service takes.
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
REPORT_FILE: Final = "attestationReport.txt"
CHAIN_FILE: Final = "gpuAkCertChain.txt"
_SAMPLE_SUFFIX: Final = "_test_no_gpu.swidtag"
_SAMPLE_DRIVER: Final = "Driver_RIM"


@dataclass(frozen=True, slots=True)
class SampleRimStore:
    """The two manifests beside a sample, whatever id is asked for: the verifier compares product
    and version with the device's own. ``vbios`` is by the id's part after ``NV_GPU_VBIOS_``."""

    driver: bytes | None
    vbios: Mapping[str, bytes]

    def get(self, rim_id: str) -> bytes | None:
        if rim_id.startswith("NV_GPU_DRIVER_"):
            return self.driver
        return self.vbios.get(rim_id.removeprefix("NV_GPU_VBIOS_"))


@dataclass(frozen=True, slots=True)
class SavedEvidence:
    """What a file holds. ``nonce`` is the challenge that it names (32 bytes), None for none."""

    devices: tuple[DeviceEvidence, ...]
    nonce: bytes | None
    rims: RimStore


def saved_evidence_read(path: Path) -> SavedEvidence:
    """Read saved evidence. Raises EvidenceFormatError ``evidence.unreadable|invalid|too_many``."""
    if path.is_dir():
        return _read_sample(path)
    try:
        content = json.loads(_read(path, MAX_FILE_BYTES))
    except (ValueError, RecursionError) as error:
        raise EvidenceFormatError("evidence.unreadable", f"{path} holds no JSON.") from error
    if isinstance(content, dict) and isinstance(content.get("devices"), list):
        return _saved(content["devices"], [content.get("nonce")])
    if isinstance(content, list):
        entries = [entry for entry in content if isinstance(entry, dict)]
        return _saved(content, [entry.get("nonce") for entry in entries])
    raise EvidenceFormatError(
        "evidence.unreadable", f"{path} holds neither a report with devices nor a list of devices."
    )


def revocation_read(
    *, ocsp: Path | None, crl: Path | None, received_at: datetime
) -> RevocationMaterial:
    """Read OCSP responses (``*.ocsp``) and lists (``*.crl``), all in DER, each from its directory,
    as if they had come at ``received_at``. Raises EvidenceFormatError ``evidence.unreadable`` for
    what is no directory."""

    def documents(directory: Path | None, pattern: str) -> list[StoredDocument]:
        if directory is None:
            return []
        if not directory.is_dir():
            raise EvidenceFormatError("evidence.unreadable", f"{directory} is no directory.")
        files = sorted(directory.glob(pattern))
        return [StoredDocument(_read(file, MAX_FILE_BYTES), received_at) for file in files]

    return RevocationMaterial.load(ocsp=documents(ocsp, "*.ocsp"), crls=documents(crl, "*.crl"))


def nonce_read(text: str) -> bytes:
    """A challenge from hex, with or without 0x. Raises EvidenceFormatError ``evidence.invalid``."""
    try:
        nonce = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        nonce = b""
    if len(nonce) != NONCE_BYTES:
        raise EvidenceFormatError(
            "evidence.invalid", f"A challenge has {NONCE_BYTES} bytes in hexadecimal digits."
        )
    return nonce


def _saved(devices: Sequence[Any], nonces: Sequence[Any]) -> SavedEvidence:
    if not devices:
        raise EvidenceFormatError("evidence.unreadable", "There is no device's evidence in it.")
    found = [nonce for nonce in nonces if nonce is not None]
    if any(not isinstance(nonce, str) or nonce != found[0] for nonce in found):
        raise EvidenceFormatError(
            "evidence.invalid", "The nonce is no text, or the devices name different ones."
        )
    nonce = nonce_read(found[0]) if found else None
    return SavedEvidence(devices_from_json(devices), nonce, MappingRimStore({}))


def _read_sample(directory: Path) -> SavedEvidence:
    hexadecimal = _read(directory / REPORT_FILE, 2 * MAX_REPORT_BYTES + 2)
    try:
        report = bytes.fromhex(hexadecimal.decode("ascii"))
    except ValueError as error:
        raise EvidenceFormatError(
            "evidence.unreadable", f"{directory / REPORT_FILE} is not hexadecimal."
        ) from error
    chain = _read(directory / CHAIN_FILE, MAX_CHAIN_BYTES)
    manifests = {
        file.name.removesuffix(_SAMPLE_SUFFIX): _read(file, MAX_RIM_BYTES)
        for file in sorted(directory.glob(f"*{_SAMPLE_SUFFIX}"))
    }
    rims = SampleRimStore(manifests.pop(_SAMPLE_DRIVER, None), manifests)
    return SavedEvidence((DeviceEvidence(report, chain),), None, rims)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise EvidenceFormatError(
            "evidence.unreadable", f"{path} cannot be read: {error.strerror}."
        ) from error
    if len(content) > limit:
        raise EvidenceFormatError("evidence.unreadable", f"{path} has more than {limit} bytes.")
    return content
