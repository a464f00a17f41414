"""One proposal's whole way on the real chain, as the pages show it at every step."""

import re

import pytest
from django.conf import settings
from django.test import Client

from chain.addresses import to_checksum
from chain.clock import now_s
from governance.actions.build import build_parameter_set, build_transfer
from governance.services.transactions import senders_fill
from tests.governance.conftest import ALT, Dao
from tests.governance.pages.test_pages import assert_inert
from tests.governance.pages.test_proposal_detail import html, text

pytestmark = pytest.mark.chain
PAYEE = bytes.fromhex("c0ffee" + "00" * 14 + "c0ffee")


def signed_in(address: bytes) -> Client:
    client = Client()
    session = client.session
    session["siwe_address"] = to_checksum(address)
    session["siwe_chain"] = settings.CHAIN_ID
    session["siwe_at"] = session["siwe_seen_at"] = now_s()
    session.save()
    return client


def test_from_proposal_to_payment(dao: Dao, client):
    voter, stranger, executor = (dao.accounts[n].address for n in (0, 9, 5))
    dao.send_raw(8, _timelock(), value_wei=10 * ALT)
    calls = [
        build_parameter_set([("attest.ttl", 3600)]),
        build_transfer(asset="ETH", recipient=PAYEE, amount_wei=2 * ALT),
    ]
    proposed = dao.propose(0, calls, "# Raise attest.ttl to 3600 s\n\nAnd pay 2 ETH for the audit.")
    # Plain ETH is seen when the balance is read again.
    dao.mine(seconds=1, blocks=1)
    dao.index()

    def page(who: Client = client, query: str = "") -> str:
        response = who.get(f"/proposals/1/{query}")
        assert_inert(response.content.decode())
        return text(response)

    words = page()
    assert "Raise attest.ttl to 3600 s" in words
    assert "◷ Pending" in words
    assert "3 600 s (1 h)" in words
    assert "Bounds 120 s (2 min) to" in words
    assert "Sends 2 ETH" in words
    assert to_checksum(PAYEE) in words

    dao.open_vote()
    dao.index()
    assert "Vote with 100 000 ALT" in page(signed_in(voter))
    assert "0: " in page(signed_in(stranger))
    assert "Raise attest.ttl" in html(signed_in(voter).get("/")).split('id="attention-heading"')[1]

    dao.vote(0, proposed, reason="<b>Because</b>")
    dao.index()
    words = page(signed_in(voter))
    assert "You voted ✓ For with 100 000 ALT" in words
    assert "It would pass as it stands." in words
    assert "&lt;b&gt;Because" in words

    dao.close_vote()
    dao.index()
    assert "Anyone may queue it" in page()
    dao.queue(proposed)
    dao.index()
    assert "◷ Queued" in page()
    # A payment by the timelock itself is not on the routine list: it waits both delays.
    dao.mine(40)
    dao.index()
    assert "Anyone may execute it" in page()
    dao.execute(proposed)
    dao.mine(blocks=3)
    dao.index()
    senders_fill()
    words = page()
    assert f"Executed by {to_checksum(executor)}" in words
    assert "not this server" in words
    assert "In effect from" in words
    assert "read at block" in page(query="?tab=history")

    treasury = text(client.get("/treasury/"))
    assert re.search(r"Out 2 ETH .*?#1 Raise attest\.ttl", treasury)
    overview = text(client.get("/"))
    assert re.search(r"attest\.ttl .*?3 600 s \(1 h\) .*? by #1", overview)
    assert str(proposed.proposal_id) in b"".join(client.get("/proposals/export.csv")).decode()


def _timelock() -> bytes:
    from chain.contracts import contract

    return contract("TimelockController").address
