"""Signatures of plain accounts, of contracts, and of contracts that do not exist yet."""

from __future__ import annotations

from typing import Any

import eth_abi
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from chain.client import rpc_client
from chain.erc6492 import MAGIC_1271, MAGIC_6492
from chain.rpc.client import RpcClient
from chain.signatures import (
    SIGNATURE_MAX_BYTES,
    SignatureInvalid,
    keccak,
    recover_message,
    verify_message,
)
from tests.chain.conftest import Wallet

TEXT = "dao.example wants you to sign in ✓"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sign(account: Any, text: str = TEXT) -> bytes:
    key = account.private_key
    return bytes(Account.sign_message(encode_defunct(text=text), key).signature)


def creation(runtime: bytes) -> bytes:
    """Init code that deploys ``runtime``."""
    size = len(runtime).to_bytes(2, "big")
    return b"\x61" + size + b"\x80\x60\x0a\x5f\x39\x5f\xf3" + runtime


def answering(word: bytes) -> bytes:
    """A contract that answers every call with one word if the signature begins with 0x77."""
    # The signature's first word is at calldata 100: its first byte must be 0x77.
    check = bytes.fromhex("60643560f81c60771460105700") + b"\x00" * 3 + b"\x5b"
    return check + b"\x7f" + word + bytes.fromhex("5f5260205ff3")


YES = answering(MAGIC_1271 + bytes(28))
GARBAGE = answering(b"\xff" * 32)
SPIN = bytes.fromhex("5b5f56")
FLOOD = bytes.fromhex("620fffff5ff3")
REVERT = bytes.fromhex("5f5ffd")
#: Deploys its calldata with CREATE2 and salt 0.
FACTORY = bytes.fromhex("365f5f375f365f5ff55f526020") + bytes.fromhex("5ff3")


def deploy(client: RpcClient, sender: bytes, runtime: bytes) -> bytes:
    tx = {"from": f"0x{sender.hex()}", "data": f"0x{creation(runtime).hex()}"}
    sent = client.call("eth_sendTransaction", tx)
    receipt = None
    while receipt is None:
        receipt = client.call("eth_getTransactionReceipt", sent)
    return bytes.fromhex(receipt["contractAddress"][2:])


def test_plain_accounts_recover_in_every_form(web3_accounts: list[Any]) -> None:
    account = web3_accounts[4]
    signature = sign(account)
    assert recover_message(TEXT, signature) == account.address
    assert recover_message(TEXT, signature[:64] + bytes([signature[64] - 27])) == account.address
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    assert recover_message(TEXT, compact) == account.address
    assert recover_message(TEXT + "!", signature) != account.address


def test_malleable_and_malformed_signatures_are_refused(web3_accounts: list[Any]) -> None:
    signature = sign(web3_accounts[4])
    s = int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])
    for wrong in (
        twin,
        b"",
        signature[:-2],
        signature + b"\0",
        signature[:64] + b"\x1d",
        bytes(65),
        b"\xff" * 65,
        b"\0" * 64,
    ):
        with pytest.raises(SignatureInvalid):
            recover_message(TEXT, wrong)


@pytest.mark.chain
def test_contracts_are_asked(
    deployment: Any, client: RpcClient, wallet: Wallet, web3_accounts: list[Any]
) -> None:
    account = deploy(client, wallet.address, YES)
    assert verify_message(account, TEXT, b"\x77" + bytes(64))
    assert not verify_message(account, TEXT, b"\x78" + bytes(64))
    assert not verify_message(account, TEXT, sign(web3_accounts[4]))
    for hostile in (GARBAGE, SPIN, FLOOD, REVERT):
        address = deploy(client, wallet.address, hostile)
        assert not verify_message(address, TEXT, b"\x77" + bytes(64))
    assert not verify_message(b"\x99" * 20, TEXT, b"\x77" + bytes(64))
    assert not verify_message(account, TEXT, b"\x77" * (SIGNATURE_MAX_BYTES + 1))


def wrapped(factory: bytes, calldata: bytes, signature: bytes) -> bytes:
    return (
        eth_abi.encode(["address", "bytes", "bytes"], [factory, calldata, signature]) + MAGIC_6492
    )


@pytest.mark.chain
def test_accounts_not_deployed_yet_are_asked_and_stay_undeployed(
    deployment: Any, client: RpcClient, wallet: Wallet
) -> None:
    factory = deploy(client, wallet.address, FACTORY)
    init = creation(YES)
    account = keccak(b"\xff" + factory + bytes(32) + keccak(init))[12:]
    good = wrapped(factory, init, b"\x77" + bytes(64))
    assert verify_message(account, TEXT, good)
    assert client.code(account) == b""
    assert not verify_message(account, TEXT, wrapped(factory, init, b"\x78" + bytes(64)))
    assert not verify_message(b"\x55" * 20, TEXT, good)
    assert not verify_message(account, TEXT, wrapped(b"\x44" * 20, init, b"\x77" + bytes(64)))
    for hostile in (SPIN, REVERT, FLOOD):
        place = deploy(client, wallet.address, hostile)
        assert not verify_message(account, TEXT, wrapped(place, init, b"\x77" + bytes(64)))
    assert not verify_message(account, TEXT, b"nonsense" + MAGIC_6492)
    # Once it is deployed, the same wrapped signature still counts.
    wallet.send_raw(factory, init)
    assert rpc_client().code(account) == YES
    assert verify_message(account, TEXT, good)
