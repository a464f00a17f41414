"""Watched transactions: pending, mined, indexed, final, reverted, replaced, dropped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from chain import clock
from chain.contracts import contract
from governance.models import PendingTransaction, TransactionSender
from governance.services.transactions import senders_fill, transactions_tick
from tests.governance.conftest import GOVERNOR, TOKEN, Dao
from tests.governance.wallets import JSON

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def watch(client: Client, transaction_hash: bytes, purpose: str = "other") -> dict[str, Any]:
    answer = client.post(
        "/api/v1/transactions/",
        {"hash": f"0x{transaction_hash.hex()}", "purpose": purpose},
        content_type=JSON,
    )
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def progress(client: Client, transaction_hash: bytes) -> dict[str, Any]:
    transactions_tick()
    answer = client.get(f"/api/v1/transactions/0x{transaction_hash.hex()}/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


@pytest.fixture
def manual(dao: Dao, rpc: Any) -> Any:
    """Blocks are mined by hand only."""
    dao.index()
    rpc("evm_setAutomine", False)
    yield rpc
    rpc("evm_setAutomine", True)


def send(rpc: Any, account: Any, name: str, data: bytes, **more: Any) -> bytes:
    body = {
        "from": account.checksum,
        "to": f"0x{contract(name).address.hex()}",
        "data": f"0x{data.hex()}",
        "gas": hex(500_000),
        **more,
    }
    return bytes.fromhex(rpc("eth_sendTransaction", body)[2:])


def delegation(to: bytes) -> bytes:
    return contract(TOKEN).encode("delegate", (to,))


def test_from_pending_to_final(dao: Dao, client: Client, manual: Any) -> None:
    who = dao.accounts[3]
    sent = send(manual, who, TOKEN, delegation(who.address))
    assert watch(client, sent, "delegate")["state"] == "pending"
    assert watch(client, sent, "delegate")["state"] == "pending"
    assert PendingTransaction.objects.count() == 1
    manual("evm_mine")
    mined = progress(client, sent)
    assert mined["state"] == "mined"
    assert mined["block_number"] is not None
    dao.index()
    assert progress(client, sent)["state"] == "indexed"
    for _ in range(3):
        manual("evm_mine")
    dao.index()
    assert progress(client, sent)["state"] == "finalized"
    assert TransactionSender.objects.get().sender == who.address


def test_a_revert_is_a_sentence(dao: Dao, client: Client, manual: Any) -> None:
    data = contract(GOVERNOR).encode("castVote", (123, 1))
    sent = send(manual, dao.accounts[3], GOVERNOR, data)
    watch(client, sent, "vote")
    manual("evm_mine")
    refused = progress(client, sent)
    assert refused["state"] == "reverted"
    assert "proposal" in refused["sentence"].lower()
    assert refused["sentence"].endswith("Only the gas was spent.")


def test_replaced_in_the_wallet(dao: Dao, client: Client, manual: Any) -> None:
    who = dao.accounts[3]
    nonce = manual("eth_getTransactionCount", who.checksum, "latest")
    first = send(manual, who, TOKEN, delegation(who.address), nonce=nonce, gasPrice=hex(10**10))
    watch(client, first)
    second = send(
        manual,
        who,
        TOKEN,
        delegation(dao.accounts[4].address),
        nonce=nonce,
        gasPrice=hex(3 * 10**10),
    )
    manual("evm_mine")
    replaced = progress(client, first)
    assert replaced["state"] == "replaced"
    assert replaced["replaced_by"] == f"0x{second.hex()}"


def test_dropped_and_never_seen(dao: Dao, client: Client, manual: Any) -> None:
    who = dao.accounts[3]
    sent = send(manual, who, TOKEN, delegation(who.address))
    watch(client, sent)
    manual("anvil_dropTransaction", f"0x{sent.hex()}")
    unknown = bytes(31) + b"\x07"
    watch(client, unknown)
    assert progress(client, sent)["state"] == "pending"
    later = clock.now() + timedelta(minutes=3)
    with clock.clock_override(lambda: later):
        assert progress(client, sent)["state"] == "dropped"
        lost = progress(client, unknown)
    assert lost["state"] == "dropped"
    assert "never saw" in lost["sentence"]


def test_a_reorg_makes_it_pending_again(dao: Dao, client: Client, rpc: Any) -> None:
    dao.index()
    snapshot = rpc("evm_snapshot")
    sent = dao.send(3, TOKEN, "delegate", (dao.accounts[3].address,))
    dao.index()
    assert watch(client, sent)["state"] == "indexed"
    rpc("evm_revert", snapshot)
    assert progress(client, sent)["state"] == "pending"


def test_bad_hashes(client: Client, dao: Dao) -> None:
    for value in ("0x12", "zz", 5, None, "0x" + "0" * 63):
        answer = client.post("/api/v1/transactions/", {"hash": value}, content_type=JSON)
        assert answer.status_code == 400
    assert client.get("/api/v1/transactions/zz/").status_code == 400
    answer = client.get(f"/api/v1/transactions/0x{'00' * 32}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "transaction_unknown")


def test_who_executed_is_learnt(dao: Dao) -> None:
    proposed = dao.propose()
    dao.pass_vote(proposed)
    dao.queue(proposed)
    dao.mine(12)
    dao.execute(proposed, who=6)
    assert dao.indexed(proposed).executed_by is None
    assert senders_fill() == 1
    assert dao.indexed(proposed).executed_by == dao.accounts[6].address
    assert senders_fill() == 0
