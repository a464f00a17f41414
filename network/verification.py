"""What the verifier needs from this deployment: trust anchors, reference manifests, the EAR key."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from network.attestation import Caches, RimStore, TrustAnchors
from network.attestation.emulator.installation import emulator_rims, emulator_trust
from network.attestation.rim import ChainedRimStore, DirectoryRimStore

#: Certificate chains and manifests repeat from report to report; parsing them is the dear part.
CACHES = Caches()


class EarKeyInvalid(RuntimeError):
    """``ALTHING_EAR_KEY`` names no usable ES256 key. ``code`` is ``ear_key_invalid``."""

    code = "ear_key_invalid"


def trust_anchors() -> TrustAnchors:
    """NVIDIA's roots, and the emulator's where this deployment says so (never in production)."""
    anchors = TrustAnchors.nvidia()
    if settings.EMULATOR_ROOT_DIR:
        return emulator_trust(anchors, Path(settings.EMULATOR_ROOT_DIR))
    return anchors


def manifest_store() -> ChainedRimStore:
    """Reference manifests from ``RIM_DIR`` and from the emulator's installation."""
    stores: list[RimStore] = []
    if settings.RIM_DIR:
        stores.append(DirectoryRimStore(Path(settings.RIM_DIR)))
    if settings.EMULATOR_ROOT_DIR:
        stores.append(emulator_rims(Path(settings.EMULATOR_ROOT_DIR)))
    return ChainedRimStore(tuple(stores))


def ear_key() -> ECKey | None:
    """The service's ES256 key; None where the deployment has none.

    Raises:
        EarKeyInvalid: the file cannot be read or holds no P-256 private key.
    """
    path = settings.EAR_KEY_FILE
    return _ear_key_load(str(path)) if path else None


@lru_cache(maxsize=2)
def _ear_key_load(path: str) -> ECKey:
    try:
        key = ECKey.import_key(Path(path).read_bytes())
    except (OSError, ValueError, JoseError) as error:
        raise EarKeyInvalid(f"The EAR key in {path} cannot be read: {error}") from error
    if key.curve_name != "P-256" or not key.is_private:
        raise EarKeyInvalid(f"The EAR key in {path} is no P-256 private key (ES256 needs one).")
    return key


def ear_sign(claims: dict[str, Any]) -> str:
    """Sign an attestation result as a JWT; empty text where the deployment has no key."""
    key = ear_key()
    if key is None:
        return ""
    header = {"alg": "ES256", "typ": "eat+jwt", "kid": key.thumbprint()}
    return jwt.encode(header, claims, key)


def ear_jwks() -> dict[str, Any]:
    """The public half as a JSON Web Key Set (RFC 7517); an empty set without a key."""
    key = ear_key()
    if key is None:
        return {"keys": []}
    public = key.as_dict(private=False)
    return {"keys": [public | {"kid": key.thumbprint(), "use": "sig", "alg": "ES256"}]}
