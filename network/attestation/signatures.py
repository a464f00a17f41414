"""ECDSA P-384 over SHA-384 with raw r || s values, as SPDM reports and NVIDIA's manifests use."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

COORDINATE_BYTES: Final = 48


def raw_signature_verify(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """True when the 96-byte signature is right; False for any wrong or misshapen one."""
    if len(signature) != 2 * COORDINATE_BYTES:
        return False
    r = int.from_bytes(signature[:COORDINATE_BYTES], "big")
    s = int.from_bytes(signature[COORDINATE_BYTES:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


def raw_signature_sign(
    key: ec.EllipticCurvePrivateKey, message: bytes, *, deterministic: bool = False
) -> bytes:
    """The 96-byte signature. ``deterministic`` uses RFC 6979, for reproducible test evidence."""
    algorithm = ec.ECDSA(hashes.SHA384(), deterministic_signing=deterministic)
    r, s = decode_dss_signature(key.sign(message, algorithm))
    return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")
