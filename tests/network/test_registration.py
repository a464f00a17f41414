"""The registration's typed data is what wallets sign; the keys hash is what the registry holds."""

from __future__ import annotations

import eth_abi
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from chain.signatures import SignatureInvalid, recover_digest
from network.registration import (
    ML_DSA_65_KEY_BYTES,
    ML_DSA_65_SIGNATURE_BYTES,
    ML_DSA_REGISTER_CONTEXT,
    RegisterNode,
    ed25519_verify,
    keys_hash,
    ml_dsa_65_verify,
)
from tests.network.nodes import operator_sign

KEY = bytes(range(1, 33))
WORD = st.binary(min_size=32, max_size=32)
ADDRESS = st.binary(min_size=20, max_size=20)


@given(
    operator=ADDRESS,
    node_id=WORD,
    hash_=WORD,
    nonce=WORD,
    deadline_s=st.integers(0, 2**48),
    chain_id=st.integers(1, 2**32),
    registry=ADDRESS,
)
def test_a_wallet_signs_our_digest(
    operator: bytes,
    node_id: bytes,
    hash_: bytes,
    nonce: bytes,
    deadline_s: int,
    chain_id: int,
    registry: bytes,
) -> None:
    statement = RegisterNode(operator, node_id, hash_, nonce, deadline_s, chain_id, registry)
    data = statement.typed_data()
    message = data["message"] | {name: int(data["message"][name]) for name in ("nonce", "deadline")}
    signable = encode_typed_data(full_message=data | {"message": message})
    whole = keccak(b"\x19" + signable.version + signable.header + signable.body)
    assert whole == statement.digest()


def test_the_signature_of_a_wallet_recovers() -> None:
    account = Account.from_key(KEY)
    digest = keccak(b"anything")
    signature = operator_sign(KEY, digest)
    assert recover_digest(digest, signature).hex() == account.address[2:].lower()
    # EIP-2098: s and v in 32 bytes.
    odd = (signature[64] - 27) << 7
    compact = signature[:32] + bytes([signature[32] | odd]) + signature[33:64]
    assert recover_digest(digest, compact) == recover_digest(digest, signature)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\x01" * 63,
        b"\x01" * 66,
        b"\x00" * 64 + b"\x1b",
        b"\x01" * 64 + b"\x1d",
        b"\xff" * 64 + b"\x1b",
        b"\x01" * 32 + b"\xff" * 32 + b"\x1b",
    ],
)
def test_what_is_no_signature(signature: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        recover_digest(b"\x01" * 32, signature)


@given(operator=ADDRESS, ed25519=WORD, ml_dsa=st.binary(max_size=64))
def test_the_keys_hash_is_abi_encoded(operator: bytes, ed25519: bytes, ml_dsa: bytes) -> None:
    second = keccak(ml_dsa) if ml_dsa else bytes(32)
    encoded = eth_abi.encode(["address", "bytes32", "bytes32"], [operator, ed25519, second])
    found = keys_hash(operator=operator, ed25519=ed25519, ml_dsa_65=ml_dsa)
    assert found == keccak(encoded)


def test_ed25519_refuses_what_it_should() -> None:
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key().public_bytes_raw(), b"m" * 32
    signature = key.sign(message)
    assert ed25519_verify(public_key=public, message=message, signature=signature)
    assert not ed25519_verify(public_key=public, message=b"n" * 32, signature=signature)
    assert not ed25519_verify(public_key=public, message=message, signature=signature[:63])
    assert not ed25519_verify(public_key=b"\x00" * 31, message=message, signature=signature)


def test_ml_dsa_refuses_what_it_should() -> None:
    key, message = MLDSA65PrivateKey.generate(), b"m" * 32
    public = key.public_key().public_bytes_raw()
    signature = key.sign(message, ML_DSA_REGISTER_CONTEXT)
    assert (len(public), len(signature)) == (ML_DSA_65_KEY_BYTES, ML_DSA_65_SIGNATURE_BYTES)
    assert ml_dsa_65_verify(public_key=public, message=message, signature=signature)
    for wrong in (
        {"message": b"n" * 32},
        {"message": b""},
        {"signature": signature[:-1]},
        {"signature": signature + b"\0"},
        {"signature": b""},
        {"signature": bytes(ML_DSA_65_SIGNATURE_BYTES)},
        # The same key and message for another purpose, and with no purpose named.
        {"signature": key.sign(message, b"althing-node-v1")},
        {"signature": key.sign(message)},
        {"public_key": public[:-1]},
        {"public_key": b""},
        {"public_key": bytes(ML_DSA_65_KEY_BYTES)},
        {"public_key": MLDSA65PrivateKey.generate().public_key().public_bytes_raw()},
    ):
        given = {"public_key": public, "message": message, "signature": signature} | wrong
        assert not ml_dsa_65_verify(**given), wrong.keys()
