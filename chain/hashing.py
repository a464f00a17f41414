"""Ethereum's hash, without anything else: pure cores need it and may import no settings."""

from sha3 import keccak_256


def keccak(data: bytes) -> bytes:
    """keccak-256, 32 bytes. By safe-pysha3: a tenth of the time of eth_hash's default."""
    digest: bytes = keccak_256(data).digest()
    return digest
