"""Ethereum's hash, without anything else: pure cores need it and may import no settings."""

from eth_utils.crypto import keccak as _keccak


def keccak(data: bytes) -> bytes:
    """keccak-256, 32 bytes."""
    return bytes(_keccak(data))
