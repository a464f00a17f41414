"""An external signer: anvil signs for its unlocked accounts as Web3Signer and Clef do; a faulty
way to it shows every lie it could tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rlp
from eth_account import Account

from chain.addresses import to_checksum
from chain.models import Signer, TxAttempt, TxIntent
from chain.rpc.client import RpcClient
from chain.rpc.errors import Permanent, Transient
from chain.rpc.transport import HttpTransport
from chain.sender import remote_key as module
from chain.sender.alarms import alarms
from chain.sender.keys import KeyUnavailable, key_from_private, key_from_settings
from chain.sender.loop import Sender, outbox_run_once
from chain.sender.remote_key import RemoteKey
from tests.chain.conftest import FaultyTransport
from tests.chain.sending import KEEPER, delegatee, delegation, key, mine, read, submit

__all__ = ["delegation", "key"]

pytestmark = pytest.mark.chain

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def transaction(**changed: Any) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": 31337,
        "nonce": 0,
        "to": to_checksum(b"\x11" * 20),
        "value": 5,
        "data": b"\xde\xad\xbe\xef",
        "gas": 100_000,
        "maxFeePerGas": 3 * 10**9,
        "maxPriorityFeePerGas": 10**9,
        **changed,
    }


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    module.remote_key.cache_clear()
    yield
    module.remote_key.cache_clear()


@pytest.fixture
def way(anvil_url: str) -> Iterator[FaultyTransport]:
    transport = FaultyTransport(HttpTransport(anvil_url))
    yield transport
    transport.close()


@pytest.fixture
def remote(way: FaultyTransport, web3_accounts: list[Any]) -> RemoteKey:
    return RemoteKey(RpcClient(way, retries=0), web3_accounts[KEEPER].address)


def test_it_signs_the_same_bytes_as_the_key_itself(
    remote: RemoteKey, web3_accounts: list[Any]
) -> None:
    remote.check()
    own = key_from_private(web3_accounts[KEEPER].private_key)
    for wanted in (
        transaction(),
        transaction(nonce=1, value=0, data=b""),
        transaction(nonce=2**40, gas=21_000, maxPriorityFeePerGas=0),
        transaction(data=bytes(range(256)) * 20, to=to_checksum(b"\x00" * 19 + b"\x01")),
    ):
        assert remote.sign(wanted) == own.sign(wanted)


@pytest.mark.django_db
def test_the_sender_sends_what_it_signs(
    delegation: Any, client: RpcClient, key: Any, rpc: Any, settings: Any, anvil_url: str
) -> None:
    settings.KEEPER_SIGNER_URL = anvil_url
    settings.KEEPER_SIGNER_ADDRESS = to_checksum(key.address)
    intent = submit(b"\x11" * 20)
    outbox_run_once()
    outbox_run_once()
    mine(rpc, 3)
    outbox_run_once()
    assert read(intent).state == TxIntent.State.FINALIZED_OK
    assert delegatee(client, key.address) == b"\x11" * 20


def signs_instead(changed: dict[str, Any], account: Any) -> Callable[..., Any]:
    """A signer that signs something else, correctly."""

    def spoil(methods: list[str], answer: Any) -> Any:
        if methods == ["eth_signTransaction"]:
            raw = Account.from_key(account.private_key).sign_transaction(transaction(**changed))
            answer["result"] = f"0x{bytes(raw.raw_transaction).hex()}"
        return answer

    return spoil


LIES: dict[str, tuple[dict[str, Any], str]] = {
    "chain": ({"chainId": 1}, "another chain"),
    "nonce": ({"nonce": 1}, "another nonce"),
    "target": ({"to": to_checksum(b"\x66" * 20)}, "another target"),
    "value": ({"value": 6}, "another value"),
    "data": ({"data": b"\xde\xad\xbe\xee"}, "another data"),
    "no data": ({"data": b""}, "another data"),
    "gas": ({"gas": 100_001}, "another gas"),
    "fee": ({"maxFeePerGas": 4 * 10**9}, "another fee"),
    "tip": ({"maxPriorityFeePerGas": 2 * 10**9}, "another tip"),
    "access list": (
        {"accessList": [{"address": to_checksum(b"\x11" * 20), "storageKeys": []}]},
        "another access list",
    ),
    "type": ({"type": 1, "gasPrice": 3 * 10**9}, "another type"),
}


@pytest.mark.parametrize("name", list(LIES))
def test_every_field_that_differs_is_a_lie(
    remote: RemoteKey, way: FaultyTransport, web3_accounts: list[Any], name: str
) -> None:
    changed, words = LIES[name]
    if name == "type":
        way.spoil = _legacy(web3_accounts[KEEPER])
    else:
        way.spoil = signs_instead(changed, web3_accounts[KEEPER])
    with pytest.raises(KeyUnavailable, match=words) as caught:
        remote.sign(transaction())
    assert caught.value.code == "signer_lied"


def _legacy(account: Any) -> Callable[..., Any]:
    fields = {
        name: value
        for name, value in transaction().items()
        if name not in ("type", "maxFeePerGas", "maxPriorityFeePerGas")
    } | {"gasPrice": 3 * 10**9}

    def spoil(methods: list[str], answer: Any) -> Any:
        raw = Account.from_key(account.private_key).sign_transaction(fields)
        answer["result"] = f"0x{bytes(raw.raw_transaction).hex()}"
        return answer

    return spoil


def test_another_account_s_signature_is_a_lie(
    remote: RemoteKey, way: FaultyTransport, web3_accounts: list[Any]
) -> None:
    way.spoil = signs_instead({}, web3_accounts[3])
    with pytest.raises(KeyUnavailable, match=web3_accounts[3].checksum) as caught:
        remote.sign(transaction())
    assert caught.value.code == "signer_lied"


def broken(raw: bytes, name: str) -> Any:
    """What else an answer may be instead of signed bytes."""
    items = rlp.decode(raw[1:])
    parity, r, s = items[-3:]

    def again(*signature: bytes) -> str:
        return f"0x02{rlp.encode([*items[:-3], *signature]).hex()}"

    high = (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big")
    return {
        "null": None,
        "number": 7,
        "empty": "0x",
        "odd": "0x0",
        "no hex": "0xzz",
        "object without bytes": {"tx": {}},
        "cut": f"0x{raw[:-1].hex()}",
        "longer": f"0x{raw.hex()}00",
        "no list": "0x0280",
        "short list": f"0x02{rlp.encode(items[:-1]).hex()}",
        "nested": f"0x02{rlp.encode([items]).hex()}",
        "high s": again(b"" if parity else b"\x01", r, high),
        "zero r": again(parity, b"", s),
        "zero s": again(parity, r, b""),
        "other parity": again(b"" if parity else b"\x01", r, s),
        "parity of 27": again(b"\x1b", r, s),
        "long r": again(parity, b"\x01" + r.rjust(32, b"\0"), s),
        "list for r": f"0x02{rlp.encode([*items[:-2], [r], s]).hex()}",
    }[name]


BROKEN = (
    "null,number,empty,odd,no hex,object without bytes,cut,longer,no list,short list,nested,"
    "high s,zero r,zero s,other parity,parity of 27,long r,list for r"
)


@pytest.mark.parametrize("name", BROKEN.split(","))
def test_an_answer_that_is_no_signature_is_a_lie(
    remote: RemoteKey, way: FaultyTransport, name: str
) -> None:
    def spoil(methods: list[str], answer: Any) -> Any:
        answer["result"] = broken(bytes.fromhex(answer["result"][2:]), name)
        return answer

    way.spoil = spoil
    with pytest.raises(KeyUnavailable) as caught:
        remote.sign(transaction())
    assert caught.value.code == "signer_lied"


def test_the_object_that_clef_answers_is_read_too(remote: RemoteKey, way: FaultyTransport) -> None:
    plain = remote.sign(transaction())
    way.spoil = lambda methods, answer: answer | {"result": {"raw": answer["result"], "tx": {}}}
    assert remote.sign(transaction()) == plain


def test_a_signer_that_is_away_or_refuses_is_asked_once(
    remote: RemoteKey, way: FaultyTransport, anvil_url: str
) -> None:
    def away(methods: list[str]) -> None:
        raise Transient(f"no way to {anvil_url}/secret-token")

    way.fault = away
    for ask in (remote.check, lambda: remote.sign(transaction())):
        way.requests.clear()
        with pytest.raises(KeyUnavailable) as caught:
            ask()
        assert caught.value.code == "signer_unreachable"
        assert "secret-token" not in str(caught.value)
        assert len(way.requests) == 1

    def refuse(methods: list[str]) -> None:
        raise Permanent("Request denied")

    way.fault = refuse
    with pytest.raises(KeyUnavailable) as caught:
        remote.sign(transaction())
    assert caught.value.code == "signer_refused"


def test_the_settings_are_checked_against_the_signer(
    settings: Any, anvil_url: str, web3_accounts: list[Any]
) -> None:
    def code() -> str:
        with pytest.raises(KeyUnavailable) as caught:
            key_from_settings()
        return caught.value.code

    settings.KEEPER_SIGNER_URL = anvil_url
    for wrong in ("", "0x12", f"0x{web3_accounts[3].checksum[2:].swapcase()}"):
        settings.KEEPER_SIGNER_ADDRESS = wrong
        assert code() == "signer_address_invalid"
    settings.KEEPER_SIGNER_ADDRESS = to_checksum(b"\x66" * 20)
    assert code() == "signer_address_unknown"
    settings.KEEPER_SIGNER_ADDRESS = web3_accounts[3].checksum
    found = key_from_settings()
    assert found is not None
    assert found.address == web3_accounts[3].address
    assert anvil_url not in repr(found)
    settings.KEEPER_SIGNER_URL = "http://127.0.0.1:1"
    assert code() == "signer_unreachable"


@pytest.mark.django_db
def test_nothing_a_lying_signer_gives_is_stored_or_sent(
    delegation: Any,
    client: RpcClient,
    way: FaultyTransport,
    remote: RemoteKey,
    web3_accounts: list[Any],
) -> None:
    intent = submit(b"\x11" * 20)
    start = client.nonce(remote.address)
    way.spoil = signs_instead({"to": to_checksum(b"\x66" * 20)}, web3_accounts[KEEPER])
    sender = Sender(client=client, key=remote)
    sender.tick()
    assert (read(intent).state, intent.wait_code) == ("planned", TxIntent.Wait.KEY_UNAVAILABLE)
    assert not TxAttempt.objects.exists()
    assert Signer.objects.get().next_nonce == 0
    assert client.nonce(remote.address) == start
    assert "cannot be trusted" in alarms()[0].sentence
    way.spoil = lambda methods, answer: answer
    sender.tick()
    sender.tick()
    assert read(intent).mined_ok
