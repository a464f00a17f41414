"""Take reference manifests in: verified now, pinned by digest for ever, withdrawn when need be."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from network.attestation import EvidenceError, TrustAnchor, TrustAnchors
from network.attestation.rim import Rim as LoadedRim
from network.attestation.rim import load_rim
from network.attestation.xmldsig import verify_enveloped
from network.errors import Conflict, NotFound, Refused
from network.models import Rim, RimKind
from network.services.collateral_certificates import NotedChain, certificate_sha256, chains_note
from network.services.collateral_version import version_raise

EMULATED: Final = "EMULATED_"
_EDITIONS: Final = {RimKind.DRIVER: "GPU", RimKind.VBIOS: "GPU", RimKind.SWITCH: "SWITCH"}
_WORD: Final = "[A-Za-z0-9.-]+"
#: How each kind of id is made: from the chip and version, or from the board and the version's hex.
_PATTERNS: Final = (
    (RimKind.DRIVER, re.compile(f"NV_GPU_(?:CC_)?DRIVER_(?P<chip>{_WORD})_(?P<version>{_WORD})")),
    (
        RimKind.VBIOS,
        re.compile(f"NV_GPU_VBIOS_{_WORD}_{_WORD}_{_WORD}_(?P<digits>[0-9A-F]{{6,32}})"),
    ),
    (
        RimKind.SWITCH,
        re.compile(f"NV_SWITCH_BIOS_{_WORD}_{_WORD}_{_WORD}_(?P<digits>[0-9A-F]{{6,32}})"),
    ),
)
_BOARD: Final = re.compile(r"(\w+_[0-9]+_[0-9]+_[0-9A-Fa-f]{6,32})(?:_[A-Za-z_]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one manifest. ``is_new`` is False for bytes that were there under this id."""

    rim: Rim
    is_new: bool


@transaction.atomic
def rim_ingest(
    xml: bytes,
    *,
    rim_id: str,
    trust: TrustAnchors,
    source: str,
    at: datetime,
    as_of: datetime | None = None,
) -> Ingested:
    """Verify a manifest and store it under its id; from now on it answers for that id.

    ``as_of`` lets one in whose signer has run out, where it was valid at that time.

    Raises:
        Refused: ``rim.*`` as the verifier says it; ``rim_id_malformed``, ``rim_id_mismatch``,
            ``rim_expired``, ``rim_not_yet_valid``, ``rim_as_of_future``, ``rim_withdrawn``.
    """
    sha256 = hashlib.sha256(xml).digest()
    known = Rim.objects.filter(rim_id=rim_id, sha256=sha256).first()
    if known is not None:
        if known.withdrawn_at is not None:
            raise Refused(
                "rim_withdrawn",
                f"{rim_id} was withdrawn on {known.withdrawn_at:%Y-%m-%d} "
                f"({known.withdrawn_reason}); rim_withdraw --restore takes it back.",
            )
        return Ingested(known, is_new=False)
    loaded, anchor = _verify(xml, trust)
    kind = _check_id(rim_id, loaded, emulated=anchor.emulated)
    expired = _check_time(rim_id, loaded, at=at, as_of=as_of)
    certificates = [exact.certificate for exact in verify_enveloped(xml).certificates]
    chain = NotedChain(certificates, emulated=anchor.emulated, has_device=False)
    chains_note([chain], at=at)
    # Two processes may take one file in at once; then the second finds it there.
    rim, is_new = Rim.objects.get_or_create(
        rim_id=rim_id,
        sha256=sha256,
        defaults={
            "xml": xml,
            "kind": kind,
            "product": loaded.product[:64],
            "version": loaded.version[:64],
            "valid_from": loaded.valid_from,
            "valid_until": loaded.valid_until,
            "root_spki": bytes.fromhex(loaded.root.spki_sha256),
            "signer_id": certificate_sha256(certificates[0]),
            "emulated": anchor.emulated,
            "expired_at_ingest": expired,
            "source": source[:200],
            "ingested_at": at,
        },
    )
    version_raise(rims=True)
    return Ingested(rim, is_new)


@transaction.atomic
def rim_withdraw(*, rim_id: str, sha256: str, reason: str, at: datetime) -> Rim:
    """Let a manifest answer no more. It stays stored: verdicts that used it can be derived again.

    ``sha256`` is hex, or its beginning where that names one manifest of the id; empty text means
    the one that answers now.

    Raises:
        NotFound: ``rim_unknown``. Conflict: ``rim_ambiguous``. Refused: ``reason_missing``.
    """
    if not reason.strip():
        raise Refused("reason_missing", "Say why the manifest is withdrawn.")
    rim = _find(rim_id, sha256, Rim.objects.filter(withdrawn_at=None))
    rim.withdrawn_at, rim.withdrawn_reason = at, reason.strip()[:200]
    rim.save(update_fields=["withdrawn_at", "withdrawn_reason"])
    version_raise(rims=True)
    return rim


@transaction.atomic
def rim_restore(*, rim_id: str, sha256: str) -> Rim:
    """Undo a withdrawal. Raises like :func:`rim_withdraw`."""
    rim = _find(rim_id, sha256, Rim.objects.exclude(withdrawn_at=None))
    rim.withdrawn_at, rim.withdrawn_reason = None, ""
    rim.save(update_fields=["withdrawn_at", "withdrawn_reason"])
    version_raise(rims=True)
    return rim


def rim_id_guess(name: str, xml: bytes) -> str:
    """The id of a file named ``name`` (without its suffix): the name itself where it is an id,
    otherwise what the vendor's own file names and the manifest say. Nothing is trusted yet.

    Raises:
        Refused: ``rim_id_unknown``; ``rim.*`` for a manifest that cannot be read.
    """
    if _kind(name) is not None:
        return name
    loaded = _load(xml)
    if loaded.edition == "GPU" and (board := _BOARD.fullmatch(name)):
        return f"NV_GPU_VBIOS_{board.group(1).upper()}"
    if loaded.edition == "GPU" and name.startswith("Driver_RIM"):
        return f"NV_GPU_DRIVER_{loaded.product}_{loaded.version}"
    raise Refused(
        "rim_id_unknown", f"{name} is no manifest id; name the file by it or give it with --id."
    )


def _load(xml: bytes) -> LoadedRim:
    try:
        return load_rim(xml)
    except EvidenceError as error:
        raise Refused(error.code, error.detail, dict(error.data)) from error


def _verify(xml: bytes, trust: TrustAnchors) -> tuple[LoadedRim, TrustAnchor]:
    loaded = _load(xml)
    anchor = trust.rim.get(loaded.root.spki_sha256)
    if anchor is None or not anchor.accepts(loaded.root):
        raise Refused(
            "rim.chain",
            "The manifest's chain ends in a root that is not pinned here.",
            {"root_spki_sha256": loaded.root.spki_sha256},
        )
    return loaded, anchor


def _kind(rim_id: str) -> tuple[RimKind, re.Match[str]] | None:
    if len(rim_id) > 160:
        return None
    for kind, pattern in _PATTERNS:
        if match := pattern.fullmatch(rim_id.removeprefix(EMULATED)):
            return kind, match
    return None


def _check_id(rim_id: str, loaded: LoadedRim, *, emulated: bool) -> RimKind:
    """An id is asked for by product and version, so the manifest must be of exactly these."""
    found = _kind(rim_id)
    if found is None:
        raise Refused("rim_id_malformed", f"{rim_id[:160]!r} is no manifest id that is known here.")
    kind, match = found
    parts = match.groupdict()
    wanted: dict[str, tuple[str, str]] = {"edition": (loaded.edition, _EDITIONS[kind])}
    if "digits" in parts:
        digits = loaded.version.replace(".", "").upper()
        wanted["version"] = (digits, parts["digits"])
    else:
        wanted["version"] = (loaded.version, parts["version"])
        # A certificate may name a family where the id names a member: GB20X and GB202.
        family = loaded.product.endswith("X") and parts["chip"].startswith(loaded.product[:-1])
        wanted["product"] = (parts["chip"] if family else loaded.product, parts["chip"])
    wanted["root"] = _emulated_words(emulated), _emulated_words(rim_id.startswith(EMULATED))
    for field, (says, asked) in wanted.items():
        if says != asked:
            raise Refused(
                "rim_id_mismatch",
                f"{rim_id} asks for {field} {asked!r}; the manifest's is {says!r}.",
                {"field": field},
            )
    return kind


def _emulated_words(emulated: bool) -> str:
    return "emulated" if emulated else "genuine"


def _check_time(rim_id: str, loaded: LoadedRim, *, at: datetime, as_of: datetime | None) -> bool:
    """True for a manifest that has run out and was valid at ``as_of``."""
    if as_of is not None and as_of > at:
        raise Refused("rim_as_of_future", "--as-of is a time that has passed.")
    moment = at if as_of is None else as_of
    if moment < loaded.valid_from:
        raise Refused("rim_not_yet_valid", f"{rim_id} begins on {loaded.valid_from:%Y-%m-%d}.")
    if moment > loaded.valid_until:
        raise Refused(
            "rim_expired",
            f"The signer of {rim_id} ran out on {loaded.valid_until:%Y-%m-%d}. If it is still the "
            "newest there is, take it in with --as-of and a time when it was valid.",
            {"valid_until": loaded.valid_until.isoformat()},
        )
    return at > loaded.valid_until


def _find(rim_id: str, sha256: str, rows: QuerySet[Rim]) -> Rim:
    found = list(rows.select_for_update().filter(rim_id=rim_id).order_by("-id"))
    matching = [rim for rim in found if rim.sha256.hex().startswith(sha256.lower())]
    if not matching:
        raise NotFound("rim_unknown", f"There is no such manifest of {rim_id}.")
    if sha256 and len(matching) > 1:
        raise Conflict("rim_ambiguous", f"{sha256} is the beginning of {len(matching)} digests.")
    return matching[0]
