"""Keys that sign. The interface is small: a keystore in this process (here), or a signer behind
JSON-RPC (``chain.sender.remote_key``).

No passphrase and no key ever stands in a log, an exception, a representation or the database. A
traceback shows the frames' variables to whoever may see it, so the functions that hold a secret
return a verdict instead of raising, and nothing raised carries their frames.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn, Protocol

import orjson
from eth_account import Account
from eth_account.signers.local import LocalAccount

from chain import conf
from chain.models import SendingAccount

#: Bytes. A v3 keystore has about 500, a passphrase a line.
_KEYSTORE_MAX, _PASSPHRASE_MAX = 64 * 1024, 4 * 1024
_CREDENTIAL = "credential:"


class KeyUnavailable(Exception):
    """The key cannot be used; ``code`` says why, the message what to do.

    Codes: ``key_ambiguous``, ``key_shared``, ``keystore_unreadable``, ``keystore_invalid``,
    ``keystore_exposed``, ``passphrase_missing``, ``passphrase_unreadable``,
    ``passphrase_invalid``, ``passphrase_exposed``, ``passphrase_wrong``, ``credential_missing``,
    ``sign_failed``, and those of an external signer: ``signer_address_invalid``,
    ``signer_address_unknown``, ``signer_unreachable``, ``signer_refused``, ``signer_lied``.
    """

    def __init__(self, message: str, *, code: str = "key_unavailable") -> None:
        super().__init__(message)
        self.code = code


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
    """A key held in this process's memory. Shows its address and nothing else."""

    __slots__ = ("_account", "_address")

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self._address = bytes.fromhex(account.address[2:])

    @property
    def address(self) -> bytes:
        return self._address

    def __repr__(self) -> str:
        return f"<key of 0x{self._address.hex()}>"

    def __reduce__(self) -> NoReturn:
        # A task's argument, a cache entry, a session: none of them is a place for a key.
        raise TypeError("A signing key is never pickled.")

    def sign(self, transaction: Mapping[str, Any]) -> SignedTransaction:
        signed = self._sign(transaction)
        if signed is None:
            raise KeyUnavailable(
                "The transaction could not be signed: one of its fields is malformed.",
                code="sign_failed",
            )
        return signed

    def _sign(self, transaction: Mapping[str, Any]) -> SignedTransaction | None:
        try:
            signed = self._account.sign_transaction(dict(transaction))
        except (TypeError, ValueError, KeyError, AttributeError):
            return None
        return SignedTransaction(bytes(signed.raw_transaction), bytes(signed.hash))


def key_from_private(private_key: bytes) -> AccountKey:
    """A key from its 32 bytes."""
    return AccountKey(Account.from_key(private_key))


def key_from_settings(account: str = SendingAccount.KEEPER) -> SigningKey | None:
    """An account's key: an external signer, or a keystore; None where neither is configured.

    Raises:
        KeyUnavailable
    """
    prefix = f"ALTHING_{account.upper()}"
    keystore, url = conf.account_keystore(account), conf.account_signer_url(account)
    if keystore and url:
        raise KeyUnavailable(
            f"{prefix}_KEYSTORE and {prefix}_SIGNER_URL are both set; keep one.",
            code="key_ambiguous",
        )
    if url:
        from chain.sender.remote_key import remote_key

        address = conf.account_signer_address(account)
        return remote_key(url, address, conf.keeper_signer_timeout_s(), account)
    if not keystore:
        return None
    passphrase = conf.account_passphrase_file(account)
    if not passphrase:
        raise KeyUnavailable(
            f"{prefix}_KEYSTORE needs {prefix}_PASSPHRASE_FILE.", code="passphrase_missing"
        )
    return _keystore_open(_place(keystore), _place(passphrase), account)


def _place(value: str) -> Path:
    """A path, or the file of a systemd credential (``LoadCredential=``, systemd.exec(5))."""
    if not value.startswith(_CREDENTIAL):
        return Path(value)
    name, folder = value.removeprefix(_CREDENTIAL), os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not re.fullmatch(r"[A-Za-z0-9_.@-]+", name) or set(name) <= {"."}:
        raise KeyUnavailable(
            f"{value!r} names a systemd credential, and there is none of that name: add "
            "LoadCredential= (or LoadCredentialEncrypted=) to the service.",
            code="credential_missing",
        )
    return Path(folder) / name


def _keystore_open(keystore: Path, passphrase: Path, account: str) -> AccountKey:
    """Open a keystore: once per process and version of the two files, scrypt is slow on purpose."""
    stamps = [
        _file_stamp(keystore, "keystore", account),
        _file_stamp(passphrase, "passphrase", account),
    ]
    opened = _keystore_decrypt(keystore, passphrase, *stamps)
    if not isinstance(opened, str):
        return opened
    sentences = {
        "keystore_unreadable": f"The {account}'s keystore {keystore} cannot be read.",
        "keystore_invalid": f"{keystore} is no keystore of version 3 (Web3 secret storage).",
        "passphrase_unreadable": f"The {account}'s passphrase file {passphrase} cannot be read.",
        "passphrase_invalid": f"The {account}'s passphrase file {passphrase} is empty, longer than "
        f"{_PASSPHRASE_MAX} bytes, or no UTF-8.",
        "passphrase_wrong": f"The {account}'s keystore does not open: wrong passphrase.",
    }
    raise KeyUnavailable(sentences[opened], code=opened)


def _file_stamp(path: Path, what: str, account: str) -> tuple[int, int, int]:
    """What changes when a file does. Refuses one that everybody may read.

    Raises:
        KeyUnavailable
    """
    try:
        status = path.stat()
    except OSError as error:
        raise KeyUnavailable(
            f"The {account}'s {what} file {path} cannot be read: {error.strerror}.",
            code=f"{what}_unreadable",
        ) from None
    if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise KeyUnavailable(
            f"Every user of this machine may read or write the {account}'s {what} file {path}. "
            f"Run chmod 600 {path}, and use a new key if others have accounts here.",
            code=f"{what}_exposed",
        )
    return status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _keystore_decrypt(
    keystore: Path, passphrase: Path, *stamps: tuple[int, int, int]
) -> AccountKey | str:
    """The key, or the code of what is wrong. Never raises: its variables are secrets."""
    try:
        secret = _read(passphrase, _PASSPHRASE_MAX).decode("utf-8").rstrip("\r\n")
    except OSError:
        return "passphrase_unreadable"
    except ValueError:
        return "passphrase_invalid"
    if not secret:
        return "passphrase_invalid"
    try:
        content = orjson.loads(_read(keystore, _KEYSTORE_MAX))
    except OSError:
        return "keystore_unreadable"
    except ValueError:
        return "keystore_invalid"
    return _decrypt(content, secret)


def _decrypt(content: Any, secret: str) -> AccountKey | str:
    if not isinstance(content, dict) or content.get("version") != 3:
        return "keystore_invalid"
    try:
        return key_from_private(bytes(Account.decrypt(content, secret)))
    except ValueError as error:
        # eth_keyfile tells a wrong passphrase from a malformed file by its words alone.
        return "passphrase_wrong" if "MAC mismatch" in str(error) else "keystore_invalid"
    except (KeyError, TypeError, NotImplementedError, OverflowError):
        return "keystore_invalid"


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError("too long")
    return content
