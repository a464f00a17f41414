"""The demo's keys, made at the first start: keystores of keeper and attestor, the verdicts' key."""

import json
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account

from demo.settings import DemoFolder, write_secret

#: anvil's own; account 2 of it is the attestor of every local deployment.
MNEMONIC = "test test test test test test test test test test test junk"
ATTESTOR = 2


def keeper_make(folder: DemoFolder) -> str:
    """Make the keeper's keystore (Web3 secret storage v3); return its address."""
    account = Account.create()
    _keystore_write(account.key, folder.keystore, folder.passphrase)
    return str(account.address)


def attestor_make(folder: DemoFolder) -> None:
    """Make the keystore of the account that the local deployment gave the attestor's role, unless
    it is there; the mnemonic is public, as everything of a local chain."""
    if folder.attestor_keystore.exists():
        return
    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{ATTESTOR}")
    _keystore_write(account.key, folder.attestor_keystore, folder.attestor_passphrase)


def _keystore_write(key: bytes, keystore: Path, passphrase: Path) -> None:
    phrase = secrets.token_urlsafe(24)
    # pbkdf2 with few rounds: the passphrase lies beside it, and the demo starts in seconds.
    stored = Account.encrypt(key, phrase, kdf="pbkdf2", iterations=2)
    write_secret(passphrase, phrase)
    write_secret(keystore, json.dumps(stored))


def ear_key_make(folder: DemoFolder) -> None:
    """Make the ES256 key that signs verdicts."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(
        folder.ear_key,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
