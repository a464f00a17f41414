"""Manifests as files, taken into the database: the operator's way in that needs no network."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from network.attestation import TrustAnchors
from network.attestation.rim import MAX_RIM_BYTES
from network.errors import NetworkError, Refused
from network.services.collateral_rims import Ingested, rim_id_guess, rim_ingest
from network.verification import manifest_directories, trust_anchors

SUFFIX: Final = ".swidtag"


@dataclass(slots=True)
class ImportReport:
    """What became of each file: taken in, there already, or refused with the reason."""

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[tuple[Path, NetworkError]] = field(default_factory=list)


def manifests_import(
    paths: Iterable[Path] | None = None, *, at: datetime, as_of: datetime | None = None
) -> ImportReport:
    """Take in every manifest file and those in every directory; the deployment's own directories
    where no path is given. One refused file stops none of the others.

    Raises:
        Refused: ``file_unreadable``, a given path is neither file nor directory.
    """
    trust, report = trust_anchors(), ImportReport()
    if paths is None:
        paths = [path for path in manifest_directories() if path.is_dir()]
    for path in (file for given in paths for file in _files(given)):
        try:
            done = manifest_file_ingest(path, trust=trust, at=at, as_of=as_of)
        except NetworkError as error:
            report.refused.append((path, error))
        else:
            (report.new if done.is_new else report.known).append(done.rim.rim_id)
    return report


def manifest_file_ingest(
    path: Path,
    *,
    trust: TrustAnchors,
    at: datetime,
    as_of: datetime | None = None,
    rim_id: str | None = None,
) -> Ingested:
    """Take in one file. Its id is ``rim_id``, or the file's name.

    Raises:
        Refused: ``file_unreadable`` or what ``rim_ingest`` refuses.
    """
    xml = file_read(path, MAX_RIM_BYTES)
    return rim_ingest(
        xml,
        rim_id=rim_id or rim_id_guess(path.name.removesuffix(SUFFIX), xml),
        trust=trust,
        source=path.name,
        at=at,
        as_of=as_of,
    )


def file_read(path: Path, limit: int) -> bytes:
    """The content of a file of at most ``limit`` bytes. Raises Refused ``file_unreadable``."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise Refused("file_unreadable", f"{path}: {error.strerror or error}") from error
    if len(content) > limit:
        raise Refused("file_unreadable", f"{path} has more than {limit} bytes.")
    return content


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(path.glob(f"*{SUFFIX}"))
