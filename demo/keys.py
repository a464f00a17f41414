"""The demo's keys, made at the first start: the keeper's keystore and the verdicts' key."""

import json
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from eth_account import Account

from demo.settings import DemoFolder, write_secret


def keeper_make(folder: DemoFolder) -> str:
    """Make the keeper's keystore (Web3 secret storage v3); return its address."""
    account = Account.create()
    passphrase = secrets.token_urlsafe(24)
    # pbkdf2 with few rounds: the passphrase lies beside it, and the demo starts in seconds.
    keystore = Account.encrypt(account.key, passphrase, kdf="pbkdf2", iterations=2)
    write_secret(folder.passphrase, passphrase)
    write_secret(folder.keystore, json.dumps(keystore))
    return str(account.address)


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
