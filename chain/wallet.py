"""A key from an Ethereum keystore that signs transactions and digests. No Django.

For programs that run beside the service, such as the node agent. The service's own keeper signs
through ``chain.sender.keys``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32


class WalletUnavailable(Exception):
    """The keystore cannot be opened. ``code`` is ``wallet_unavailable``."""

    code = "wallet_unavailable"


class Wallet:
    """One account's private key, held in this process's memory."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        #: 20 bytes.
        self.address = bytes.fromhex(account.address[2:])

    @classmethod
    def open(cls, keystore: Path, passphrase_file: Path) -> "Wallet":
        """Decrypt a Web3 Secret Storage (v3) keystore with the passphrase in a file.

        Raises:
            WalletUnavailable
        """
        try:
            passphrase = passphrase_file.read_text(encoding="utf-8").rstrip("\r\n")
            content = json.loads(keystore.read_text(encoding="utf-8"))
            return cls(Account.from_key(Account.decrypt(content, passphrase)))
        except OSError as error:
            raise WalletUnavailable(f"The keystore or its passphrase: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise WalletUnavailable(
                f"{keystore} does not open: wrong passphrase, or no v3 keystore."
            ) from error

    @classmethod
    def from_private(cls, private_key: bytes) -> "Wallet":
        """Take a raw 32-byte private key, for tests and demonstrations."""
        return cls(Account.from_key(private_key))

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign an EIP-1559 transaction (fields as in eth_account); return the raw bytes."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte hash as it is (an EIP-712 digest): r, s, v, 65 bytes."""
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)
