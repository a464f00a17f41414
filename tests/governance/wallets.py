"""Wallets of the tests: sign texts as a browser's wallet does."""

from __future__ import annotations

from typing import Any

from django.test import Client
from eth_account import Account
from eth_account.messages import encode_defunct

JSON = "application/json"


def sign(account: Any, text: str) -> str:
    """``personal_sign``: 0x and 65 bytes in hex."""
    signed = Account.sign_message(encode_defunct(text=text), private_key=account.private_key)
    return f"0x{bytes(signed.signature).hex()}"


def sign_in(client: Client, account: Any) -> None:
    """Sign a test client in, by the real way."""
    answer = client.post("/auth/siwe/start", {"address": account.checksum}, content_type=JSON)
    assert answer.status_code == 200, answer.content
    signature = sign(account, answer.json()["message"])
    answer = client.post("/auth/siwe", {"signature": signature}, content_type=JSON)
    assert answer.status_code == 200, answer.content
    assert answer.json() == {"address": account.checksum}
