"""The keys that sign requests: how a message names them, and ML-DSA-65 as RFC 9421 takes it."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from http_message_signatures import HTTPSignatureAlgorithm

#: The context (FIPS 204, 5.2) of a request's second signature: what an ML-DSA key signs for a
#: request can be shown as nothing else.
PQ_CONTEXT: Final = b"althing-node-v1"


def key_id(public_key: bytes) -> str:
    """The ``keyid`` of a raw 32-byte Ed25519 public key: its lowercase hex."""
    if len(public_key) != 32:
        raise ValueError(f"an Ed25519 public key has 32 bytes, not {len(public_key)}")
    return public_key.hex()


def pq_key_id(public_key: bytes) -> str:
    """The ``keyid`` of a raw ML-DSA-65 public key: its SHA-256 in lowercase hex."""
    return hashlib.sha256(public_key).hexdigest()


class MlDsa65(HTTPSignatureAlgorithm):
    """ML-DSA-65 in the context of a node's request (FIPS 204, the pure variant)."""

    algorithm_id = "ml-dsa-65"

    def __init__(self, public_key: Any = None, private_key: Any = None) -> None:
        self._public: MLDSA65PublicKey = public_key
        self._private: MLDSA65PrivateKey = private_key

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, PQ_CONTEXT)

    def verify(self, signature: bytes, message: bytes) -> None:
        self._public.verify(signature, message, PQ_CONTEXT)
