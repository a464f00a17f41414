"""The treasury's page and API on rows made here, and once on the real chain."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from governance.models import Proposal
from treasury.models import Asset, Balance, Transfer
from treasury.projections import ETH_REREAD_BLOCKS
from treasury.selectors import flows_by_month
from treasury.views import HALF_HEIGHT, flow_chart

ETHER = 10**18
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def asset(code="ALT", address=b"\x01" * 20):
    return Asset.objects.get_or_create(
        code=code, defaults={"name": code, "address": address, "decimals": 18}
    )[0]


def transfer(number, *, code="ALT", direction="in", amount_wei=ETHER, at=NOW, tx=None):
    asset(code, None if code == "ETH" else b"\x01" * 20)
    return Transfer.objects.create(
        position=number << 20,
        asset_id=code,
        direction=direction,
        sender=b"\x02" * 20,
        recipient=b"\x03" * 20,
        counterparty=b"\x02" * 20,
        amount_wei=amount_wei,
        block_number=number,
        log_index=0,
        transaction_hash=tx or number.to_bytes(32),
        transferred_at=at,
    )


def balance(code, amount_wei, block_number=1000):
    return Balance.objects.create(
        asset=asset(code, None if code == "ETH" else b"\x01" * 20),
        amount_wei=amount_wei,
        block_number=block_number,
    )


@pytest.mark.django_db
class TestBalances:
    def test_badges_say_ok_unlogged_and_mismatch(self, client):
        transfer(1, code="ALT", amount_wei=5 * ETHER)
        transfer(2, code="ALT", direction="out", amount_wei=2 * ETHER)
        transfer(1001, code="ALT", amount_wei=99 * ETHER)  # after the balance's block: not counted
        balance("ALT", 3 * ETHER)
        balance("ETH", 7 * ETHER)
        page = client.get("/treasury/").content.decode()
        assert "Transfers add up" in page
        assert "7\xa0ETH without a log" in page
        Balance.objects.filter(asset="ALT").update(amount_wei=3 * ETHER + 1)
        page = client.get("/treasury/").content.decode()
        assert "Transfers add up" not in page
        assert "Off by 0.000000000000000001\xa0ALT" in page

    def test_less_eth_than_was_logged_is_a_mismatch(self, client):
        transfer(1, code="ETH", amount_wei=5 * ETHER)
        balance("ETH", ETHER)
        body = client.get("/api/v1/treasury/balances/").json()
        (row,) = body
        assert (row["reconciliation"], row["difference_wei"]) == ("mismatch", str(-4 * ETHER))
        assert row["contract"] is None

    def test_api_keeps_every_digit(self, client):
        balance("ALT", 2**256 - 1)
        (row,) = client.get("/api/v1/treasury/balances/").json()
        assert row["amount_wei"] == str(2**256 - 1)
        assert row["asset"] == "ALT"

    def test_empty(self, client):
        page = client.get("/treasury/").content.decode()
        assert "No balance was read yet" in page
        assert "Nothing moved yet" in page
        assert 'href="/proposals/new/?action=transfer"' in page
        assert client.get("/api/v1/treasury/balances/").json() == []


@pytest.mark.django_db
class TestTransfers:
    def test_the_proposal_is_found_by_the_transaction(self, client):
        tx = b"\x09" * 32
        Proposal.objects.create(
            proposal_id=7,
            number=3,
            proposer=b"\x04" * 20,
            title="<script>alert(1)</script>",
            description="",
            description_hash=bytes(32),
            kind="treasury",
            snapshot_at=NOW,
            deadline_at=NOW,
            created_at=NOW,
            created_block=1,
            created_log_index=0,
            created_tx=bytes(32),
            executed_at=NOW,
            executed_tx=tx,
            timelock_operation_id=bytes(32),
        )
        transfer(5, direction="out", tx=tx)
        page = client.get("/treasury/").content.decode()
        assert 'href="/proposals/3/"' in page
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page

    def test_pages_are_stable_while_transfers_arrive(self, client):
        for number in range(1, 61):
            transfer(number)
        first = client.get("/treasury/").content.decode()
        transfer(61)
        seen = _blocks(first)
        link = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
        second = client.get(f"/treasury/{link.split('#')[0]}").content.decode()
        assert seen == list(range(60, 35, -1))
        assert _blocks(second) == list(range(35, 10, -1))

    @pytest.mark.parametrize(
        "query", ["asset=DOGE", "direction=sideways", "cursor=%00", "cursor=e30", "cursor=WyJuIl0"]
    )
    def test_what_cannot_be_asked_is_a_400(self, client, query):
        assert client.get(f"/treasury/?{query}").status_code == 400

    def test_api_filters(self, client):
        transfer(1, direction="in")
        transfer(2, direction="out")
        transfer(3, code="ETH", direction="out")
        get = lambda query: client.get(f"/api/v1/treasury/transfers/?{query}").json()  # noqa: E731
        assert [row["block_number"] for row in get("")["results"]] == [3, 2, 1]
        assert [row["block_number"] for row in get("direction=out&asset=ALT")["results"]] == [2]
        assert len(get(f"counterparty=0x{'02' * 20}")["results"]) == 3
        assert len(get(f"transaction_hash=0x{1:064x}")["results"]) == 1
        assert get("limit=2")["next"]

    @pytest.mark.parametrize(
        "query",
        ["direction=sideways", "counterparty=0x12", "transaction_hash=zz", "asset=" + "A" * 17],
    )
    def test_api_refuses_with_a_code(self, client, query):
        response = client.get(f"/api/v1/treasury/transfers/?{query}")
        assert response.status_code == 400
        assert set(response.json()) == {"code", "detail", "data"}


def _blocks(page: str) -> list[int]:
    return [int(found, 16) for found in re.findall(r'data-copy="0x([0-9a-f]{64})"', page)]


@pytest.mark.django_db
def test_months_fill_their_gaps_and_end_with_this_one():
    transfer(1, amount_wei=5, at=NOW)
    transfer(2, amount_wei=7, direction="out", at=NOW - timedelta(days=62))
    transfer(3, amount_wei=100, at=NOW - timedelta(days=400))
    months = flows_by_month(now=NOW)["ALT"]
    assert len(months) == 12
    assert f"{months[-1].month:%Y-%m}" == "2026-06"
    assert f"{months[0].month:%Y-%m}" == "2025-07"
    assert [(m.inflow_wei, m.outflow_wei) for m in months[-3:]] == [(0, 7), (0, 0), (5, 0)]


@pytest.mark.django_db
def test_chart_has_one_scale_and_shows_the_smallest():
    transfer(1, amount_wei=1000 * ETHER, at=NOW)
    transfer(2, amount_wei=1, direction="out", at=NOW)
    chart = flow_chart("ALT", flows_by_month(now=NOW)["ALT"])
    last = chart.bars[-1]
    assert (last.inflow_y, last.inflow_height, last.outflow_height) == (0, HALF_HEIGHT, 1)
    assert "1\u202f000 ALT came in" in chart.words
    assert chart.rows[-1][0] == "2026-06"


@pytest.mark.chain
def test_page_on_the_real_chain(world, client):
    world.transaction(world.accounts[5].address, world.timelock, value_wei=3 * ETHER)
    # Plain ETH leaves no log; it is seen when its balance is read again.
    world.rpc("anvil_mine", hex(ETH_REREAD_BLOCKS + 5))
    world.settle()
    page = client.get("/treasury/").content.decode()
    assert "3\xa0ETH without a log" in page
    assert "Transfers add up" in page
