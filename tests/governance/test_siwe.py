"""Sign-in with Ethereum: the way in, and every way that must stay shut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from siwe import SiweMessage

from chain import clock
from governance.models import Draft
from governance.siwe import SESSION_ABSOLUTE_S, SESSION_IDLE_S
from tests.governance.wallets import JSON, sign, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.chain]


@pytest.fixture(autouse=True)
def _chain(anvil_url: str) -> None:
    """Contract wallets are asked on a real chain."""


def start(client: Client, address: str) -> str:
    answer = client.post("/auth/siwe/start", {"address": address}, content_type=JSON)
    assert answer.status_code == 200, answer.content
    return str(answer.json()["message"])


def finish(client: Client, signature: str) -> tuple[int, str]:
    answer = client.post("/auth/siwe", {"signature": signature}, content_type=JSON)
    return answer.status_code, answer.json().get("code", "")


def signed_in(client: Client) -> bool:
    """Only a signed-in account gets past the door of a comment; the proposal is unknown."""
    answer = client.post("/api/v1/comments/1/report/", {"reason": "spam"}, content_type=JSON)
    assert answer.status_code in (401, 404)
    return answer.status_code == 404


def test_signs_in_and_out(client: Client, web3_accounts: list[Any]) -> None:
    assert not signed_in(client)
    sign_in(client, web3_accounts[3])
    assert signed_in(client)
    answer = client.post("/auth/logout", content_type=JSON)
    assert answer.status_code == 200
    assert '"cache"' in answer["Clear-Site-Data"]
    assert not signed_in(client)


def test_the_message_is_a_valid_eip4361_text_of_ours(
    client: Client, web3_accounts: list[Any]
) -> None:
    text = start(client, web3_accounts[3].checksum)
    message = SiweMessage.from_message(text)
    assert message.domain == settings.SITE_DOMAIN
    assert message.chain_id == settings.CHAIN_ID
    assert len(message.nonce) == 32
    assert message.address == web3_accounts[3].checksum
    assert "cannot move funds" in (message.statement or "")


def test_the_domain_is_not_the_host_header(client: Client, web3_accounts: list[Any]) -> None:
    answer = client.post(
        "/auth/siwe/start",
        {"address": web3_accounts[3].checksum},
        content_type=JSON,
        headers={"X-Forwarded-Host": "evil.example"},
    )
    assert "evil.example" not in answer.json()["message"]


def test_a_signature_for_another_domain_does_not_fit(
    client: Client, web3_accounts: list[Any]
) -> None:
    text = start(client, web3_accounts[3].checksum)
    elsewhere = text.replace(settings.SITE_DOMAIN, "dao.example@evil.com", 1)
    assert finish(client, sign(web3_accounts[3], elsewhere)) == (400, "siwe_signature_invalid")


def test_a_signature_of_another_account_does_not_fit(
    client: Client, web3_accounts: list[Any]
) -> None:
    text = start(client, web3_accounts[3].checksum)
    assert finish(client, sign(web3_accounts[4], text)) == (400, "siwe_signature_invalid")


def test_a_challenge_is_spent_by_a_failure_too(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    assert finish(client, sign(web3_accounts[4], text))[0] == 400
    assert finish(client, sign(web3_accounts[3], text)) == (400, "siwe_no_challenge")


def test_replay_in_the_same_session(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    signature = sign(web3_accounts[3], text)
    assert finish(client, signature)[0] == 200
    assert finish(client, signature) == (400, "siwe_no_challenge")


def test_two_requests_at_once_pass_one(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    signature = sign(web3_accounts[3], text)
    session = client.session
    challenge = dict(session["siwe_challenge"])
    assert finish(client, signature)[0] == 200
    session = client.session
    session["siwe_challenge"] = challenge  # what a second request had read before
    session.save()
    assert finish(client, signature) == (400, "siwe_used")


def test_another_session_cannot_use_it(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    stranger = Client()
    assert finish(stranger, sign(web3_accounts[3], text)) == (400, "siwe_no_challenge")


def test_too_late(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    later = clock.now() + timedelta(minutes=5, seconds=2)
    with clock.clock_override(lambda: later):
        assert finish(client, sign(web3_accounts[3], text)) == (400, "siwe_expired")


def test_csrf_is_demanded(web3_accounts: list[Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    body = {"address": web3_accounts[3].checksum}
    answer = strict.post("/auth/siwe/start", body, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        ("0x", "siwe_signature_invalid"),
        ("0x00", "siwe_signature_invalid"),
        ("zz", "validation_error"),
        ("0x" + "00" * 9000, "validation_error"),
        ("0x" + "ff" * 65, "siwe_signature_invalid"),
        ("0x" + "00" * 32 + "6492" * 16, "siwe_signature_invalid"),
    ],
)
def test_bad_signatures(
    client: Client, web3_accounts: list[Any], signature: str, code: str
) -> None:
    start(client, web3_accounts[3].checksum)
    assert finish(client, signature) == (400, code)


@pytest.mark.parametrize(
    "address", ["", "0x", "0x12", "vitalik.eth", "0x" + "\uff10" * 40, 5, None]
)
def test_bad_addresses(client: Client, address: Any) -> None:
    answer = client.post("/auth/siwe/start", {"address": address}, content_type=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_malleable_signature_is_refused(client: Client, web3_accounts: list[Any]) -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    text = start(client, web3_accounts[3].checksum)
    raw = bytes.fromhex(sign(web3_accounts[3], text)[2:])
    flipped = (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    twin = raw[:32] + flipped + bytes([55 - raw[64]])
    assert finish(client, f"0x{twin.hex()}") == (400, "siwe_signature_invalid")


def test_compact_signature_eip2098(client: Client, web3_accounts: list[Any]) -> None:
    text = start(client, web3_accounts[3].checksum)
    raw = bytes.fromhex(sign(web3_accounts[3], text)[2:])
    vs = int.from_bytes(raw[32:64], "big") | ((raw[64] - 27) << 255)
    compact = raw[:32] + vs.to_bytes(32, "big")
    assert finish(client, f"0x{compact.hex()}")[0] == 200


def _wallet_deploy(rpc: Any, accounts: list[Any], runtime: str) -> str:
    """A contract of raw runtime code, by a creation that copies it."""
    size = len(runtime) // 2
    init = f"60{size:02x}600c60003960{size:02x}6000f3"
    sent = rpc(
        "eth_sendTransaction",
        {"from": accounts[0].checksum, "data": f"0x{init}{runtime}", "gas": hex(500_000)},
    )
    rpc("evm_mine")
    return str(rpc("eth_getTransactionReceipt", sent)["contractAddress"])


def test_contract_wallet_by_eip1271(client: Client, rpc: Any, web3_accounts: list[Any]) -> None:
    # Answers the magic value to everything: 0x1626ba7e left-aligned in 32 bytes.
    accepts = _wallet_deploy(rpc, web3_accounts, "631626ba7e60e01b60005260206000f3")
    text = start(client, accepts)
    assert "Expiration Time" in text
    assert finish(client, "0x1234") == (200, "")
    # Stops, returning nothing.
    refuses = _wallet_deploy(rpc, web3_accounts, "00")
    start(client, refuses)
    assert finish(client, "0x1234") == (400, "siwe_signature_invalid")
    # Burns gas for ever.
    spins = _wallet_deploy(rpc, web3_accounts, "5b600056")
    start(client, spins)
    assert finish(client, "0x1234") == (400, "siwe_signature_invalid")


def test_contract_wallets_have_a_day(client: Client, rpc: Any, web3_accounts: list[Any]) -> None:
    wallet = _wallet_deploy(rpc, web3_accounts, "631626ba7e60e01b60005260206000f3")
    start(client, wallet)
    later = clock.now() + timedelta(hours=23)
    with clock.clock_override(lambda: later):
        assert finish(client, "0x1234") == (200, "")


def test_session_ends_after_idle_hours_and_absolutely(
    client: Client, web3_accounts: list[Any]
) -> None:
    sign_in(client, web3_accounts[3])
    began = clock.now()
    with clock.clock_override(lambda: began + timedelta(seconds=SESSION_IDLE_S + 1)):
        assert not signed_in(client)
    sign_in(client, web3_accounts[3])
    began = clock.now()
    elapsed = 0
    while elapsed + 3600 < SESSION_ABSOLUTE_S:
        elapsed += 3600
        moment = began + timedelta(seconds=elapsed)
        with clock.clock_override(lambda moment=moment: moment):
            assert signed_in(client)
    with clock.clock_override(lambda: began + timedelta(seconds=SESSION_ABSOLUTE_S + 1)):
        assert not signed_in(client)


def test_the_session_key_changes(client: Client, web3_accounts: list[Any]) -> None:
    start(client, web3_accounts[3].checksum)
    before = client.session.session_key
    sign_in(client, web3_accounts[3])
    assert client.session.session_key != before


def test_drafts_follow_their_writer_in(client: Client, web3_accounts: list[Any]) -> None:
    answer = client.post("/api/v1/drafts/", {"title": "Mine"}, content_type=JSON)
    assert answer.status_code == 201
    sign_in(client, web3_accounts[3])
    assert [row["title"] for row in client.get("/api/v1/drafts/").json()] == ["Mine"]
    assert Draft.objects.get().account == web3_accounts[3].address
    other = Client()
    assert other.get("/api/v1/drafts/").json() == []
    assert other.get(f"/api/v1/drafts/{answer.json()['id']}/").status_code == 404


def test_throttled(client: Client, web3_accounts: list[Any], settings: Any) -> None:
    from rest_framework.settings import api_settings

    rates = {**api_settings.DEFAULT_THROTTLE_RATES, "siwe": "3/min"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    for _ in range(3):
        start(client, web3_accounts[3].checksum)
    answer = client.post(
        "/auth/siwe/start", {"address": web3_accounts[3].checksum}, content_type=JSON
    )
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert int(answer["Retry-After"]) > 0
