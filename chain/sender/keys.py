"""Keys that sign. The interface is small so that a KMS, Clef or Web3Signer fits behind it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account
from eth_account.signers.local import LocalAccount

from chain import conf


class KeyUnavailable(Exception):
    """The key cannot be used: file missing, malformed, or passphrase wrong."""

    code = "key_unavailable"


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Signed bytes, ready to broadcast, and their hash (32 bytes)."""

    raw: bytes
    hash: bytes


class SigningKey(Protocol):
    """Signs transactions of one address (20 bytes)."""

    @property
    def address(self) -> bytes:
        """The sending address."""

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        """Sign an EIP-1559 transaction (fields as in eth_account; ``to`` in EIP-55 form).

        Raises:
            KeyUnavailable
        """


class AccountKey:
    """A key held in this process's memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self._address = bytes.fromhex(account.address[2:])

    @property
    def address(self) -> bytes:
        return self._address

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        signed = self._account.sign_transaction(dict(transaction))
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))


def key_from_private(private_key: bytes) -> AccountKey:
    """A key from its 32 bytes."""
    return AccountKey(Account.from_key(private_key))


def key_from_settings() -> AccountKey | None:
    """The keeper's key, from its keystore file; None where none is configured.

    Raises:
        KeyUnavailable
    """
    path = conf.keeper_keystore()
    if path is None:
        return None
    passphrase = conf.keeper_passphrase_file()
    if passphrase is None:
        raise KeyUnavailable("ALTHING_KEEPER_KEYSTORE needs ALTHING_KEEPER_PASSPHRASE_FILE.")
    try:
        return _keystore_load(path, path.stat().st_mtime_ns, passphrase)
    except OSError as error:
        raise KeyUnavailable(f"The keeper's keystore cannot be read: {error}") from error


@lru_cache(maxsize=2)
def _keystore_load(path: Path, changed: int, passphrase: Path) -> AccountKey:
    """Decrypt once per process and file: scrypt is slow on purpose."""
    secret = passphrase.read_text(encoding="utf-8").rstrip("\r\n")
    try:
        keystore = json.loads(path.read_text(encoding="utf-8"))
        return key_from_private(bytes(Account.decrypt(keystore, secret)))
    except (ValueError, KeyError, TypeError) as error:
        raise KeyUnavailable(
            "The keeper's keystore does not open: wrong passphrase, or no v3 keystore."
        ) from error
