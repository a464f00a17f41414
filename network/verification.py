"""What the verifier needs of this deployment: trust anchors, reference manifests, EAR keys."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from joserfc import jwt

from chain import clock
from network.attestation import Caches, TrustAnchors
from network.attestation.emulator.installation import RIMS_DIRECTORY, emulator_trust
from network.attestation.rim import ChainedRimStore, DirectoryRimStore
from network.ear_keys import (
    EarKeyInvalid,
    EarKeys,
    Fingerprint,
    ear_keys_fingerprint,
    ear_keys_read,
)

logger = logging.getLogger(__name__)

#: Version of the verifier as written into verdicts and their tokens.
VERIFIER_BUILD = "althing/1"

#: Certificate chains and manifests repeat from report to report; parsing them is the dear part.
CACHES = Caches()


def trust_anchors() -> TrustAnchors:
    """NVIDIA's roots, and the emulator's where this deployment says so (never in production)."""
    anchors = TrustAnchors.nvidia()
    if settings.EMULATOR_ROOT_DIR:
        return emulator_trust(anchors, Path(settings.EMULATOR_ROOT_DIR))
    return anchors


def manifest_directories() -> tuple[Path, ...]:
    """Where this deployment's manifests lie as files: ``RIM_DIR`` and the emulator's. They are
    taken from there into the database, which verdicts are made with."""
    directories = []
    if settings.RIM_DIR:
        directories.append(Path(settings.RIM_DIR))
    if settings.EMULATOR_ROOT_DIR:
        directories.append(Path(settings.EMULATOR_ROOT_DIR) / RIMS_DIRECTORY)
    return tuple(directories)


def manifest_files() -> ChainedRimStore:
    """The files themselves, for checks that need no database."""
    return ChainedRimStore(tuple(DirectoryRimStore(path) for path in manifest_directories()))


def ear_sign(claims: dict[str, Any]) -> str:
    """Sign an attestation result as a JWT; empty text where no key is in force."""
    signing = _ear_keys().signing(clock.now())
    if signing is None:
        return ""
    header = {"alg": "ES256", "typ": "eat+jwt", "kid": signing.kid}
    return jwt.encode(header, claims, signing.key)


def ear_jwks() -> dict[str, Any]:
    """The public keys that tokens may be signed with, as a JSON Web Key Set (RFC 7517)."""
    return _ear_keys().jwks(clock.now())


def ear_keys_check() -> None:
    """Be sure, before anything is served, that verdicts can be signed.

    A bad file beside a good one is logged and stops nothing: server processes are started again
    at any time, also while somebody is changing the keys.

    Raises:
        EarKeyInvalid: no key is set, can be read or is in force.
    """
    if settings.EAR_KEY_PATH is None:
        raise EarKeyInvalid("ALTHING_EAR_KEY names no key, and unsigned verdicts prove nothing.")
    found = _ear_keys()
    if found.signing(clock.now()) is None:
        why = f"ALTHING_EAR_KEY: there is no key in force in {settings.EAR_KEY_PATH}."
        raise EarKeyInvalid(" ".join((why, *found.faults)))


def _ear_keys() -> EarKeys:
    """The keys as they lie on disk now: rotating them needs no restart."""
    if settings.EAR_KEY_PATH is None:
        return EarKeys()
    path = Path(settings.EAR_KEY_PATH)
    return _ear_keys_load(path, ear_keys_fingerprint(path))


@lru_cache(maxsize=2)
def _ear_keys_load(path: Path, fingerprint: Fingerprint) -> EarKeys:
    """Read once for each state of the files; a fault is logged as often."""
    found = ear_keys_read(path)
    for fault in found.faults:
        logger.error("%s", fault)
    return found
