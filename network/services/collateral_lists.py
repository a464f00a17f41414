"""Allow-lists as files, and the ones behind the roots that the policy in force names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction

from chain.hashing import keccak
from network.attestation import BoundedCache
from network.attestation.allow_lists import AllowList as LoadedList
from network.attestation.allow_lists import AllowLists, driver_digest
from network.attestation.rim import load_rim
from network.epochs.merkle import LEAF_PREFIX, MerkleTree
from network.errors import Refused
from network.models import AllowList, AllowListKind, Rim, RimKind
from network.selectors.collateral import rims_in_force
from network.services.collateral_store import rim_xml

#: The parameter that holds the root of each kind.
PARAMETERS: Final = {
    AllowListKind.RIM: "attest.rim_root",
    AllowListKind.DRIVER: "attest.driver_digest_root",
}
MAX_LIST_BYTES: Final = 4 * 1024 * 1024
MAX_DIGESTS: Final = 20_000
_DIGEST: Final = re.compile(r"([0-9a-f]{64})(?:[ \t].*)?")
_NO_LIST: Final = bytes(32)
#: A root commits to its list, so what was found once is right for ever.
_LISTS: BoundedCache[frozenset[str]] = BoundedCache(16)


class _Absent(Exception):
    """No list with this root is stored."""


def list_root(digests: Iterable[str]) -> bytes:
    """The Merkle root over ascending SHA-256 digests (hex): leaves are keccak-256 of 0x00 and the
    digest, the tree is that of ``network.epochs.merkle``."""
    return MerkleTree([keccak(LEAF_PREFIX + bytes.fromhex(item)) for item in digests]).root


def list_read(content: bytes) -> list[str]:
    """The digests of a file: a line each, 64 lowercase hex digits, ascending; what follows them on
    the line, empty lines and lines that begin with # are for people.

    Raises:
        Refused: ``allow_list_malformed``, ``allow_list_order``, ``allow_list_empty``,
            ``allow_list_too_long``.
    """
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise Refused("allow_list_malformed", "The list is not ASCII text.") from error
    digests: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _DIGEST.fullmatch(line)
        if match is None:
            raise Refused(
                "allow_list_malformed",
                f"Line {number} does not begin with 64 lowercase hex digits.",
                {"line": number},
            )
        if digests and match[1] <= digests[-1]:
            raise Refused(
                "allow_list_order", f"Line {number} is not above the one before.", {"line": number}
            )
        digests.append(match[1])
    if not digests:
        raise Refused("allow_list_empty", "The list has no digest.")
    if len(digests) > MAX_DIGESTS:
        raise Refused("allow_list_too_long", f"The list has more than {MAX_DIGESTS} digests.")
    return digests


@transaction.atomic
def list_ingest(
    content: bytes, *, kind: AllowListKind, source: str, at: datetime
) -> tuple[AllowList, bool]:
    """Store a list under its root, and say whether it was new. Raises as :func:`list_read`."""
    digests = list_read(content)
    return AllowList.objects.get_or_create(
        kind=kind,
        root=list_root(digests),
        defaults={"digests": digests, "source": source[:200], "ingested_at": at},
    )


def list_make(kind: AllowListKind) -> list[tuple[str, str]]:
    """Digests with a word for people, ascending, of the genuine manifests in force: what a proposal
    for a list would begin with."""
    rows = rims_in_force().filter(emulated=False)
    return digests_of(kind, rows)


def digests_of(kind: AllowListKind, rows: Iterable[Rim]) -> list[tuple[str, str]]:
    """Digests of manifests as a list of this kind names them, ascending, each once."""
    found: dict[str, str] = {}
    for row in rows:
        if kind is AllowListKind.RIM:
            found[row.sha256.hex()] = row.rim_id
        elif row.kind == RimKind.DRIVER:
            found[driver_digest(load_rim(rim_xml(row.sha256)))] = row.rim_id
    return sorted(found.items())


def lists_in_force(values: Mapping[str, str]) -> AllowLists:
    """The lists that a policy's values name. No query where they name none, or where this process
    has found them before."""
    return AllowLists(
        rims=_loaded(AllowListKind.RIM, values), drivers=_loaded(AllowListKind.DRIVER, values)
    )


def lists_forget() -> None:
    """Forget what was found, for a process whose database was exchanged."""
    _LISTS.clear()


def root_in_force(kind: AllowListKind, values: Mapping[str, str]) -> bytes | None:
    """The root that the parameter holds; None where it is zero or not defined."""
    root = bytes.fromhex(values.get(PARAMETERS[kind], "").removeprefix("0x").zfill(64))
    return None if root == _NO_LIST else root


def _loaded(kind: AllowListKind, values: Mapping[str, str]) -> LoadedList | None:
    root = root_in_force(kind, values)
    if root is None:
        return None

    def load() -> frozenset[str]:
        digests = AllowList.objects.filter(kind=kind, root=root).values_list("digests", flat=True)
        found = digests.first()
        # Checked again on the way out: the row says what it wants, the root does not.
        if found is None or list_root(found) != root:
            raise _Absent
        return frozenset(found)

    try:
        return LoadedList(root.hex(), _LISTS.get_or_compute(kind.encode() + root, load))
    except _Absent:
        return LoadedList(root.hex(), None)
