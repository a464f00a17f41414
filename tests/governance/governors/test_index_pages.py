"""Pages and API of added governors: real rows, hostile words, few queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chain.addresses import to_checksum
from chain.indexer.loop import index_until_head
from chain.models import WatchedContract
from governance.governors.calls import calls_read, signature_codec
from governance.models import GovernorProposal, GovernorVote, IndexedGovernor
from tests.governance.governors.conftest import GovernorFactory
from tests.governance.governors.indexing import add, indexed
from tests.governance.governors.local import LocalGovernor, LocalProposal
from tests.governance.pages.conftest import account, chain_now, digest

__all__ = ["chain_now"]

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNIT = 10**18


def governor(number: int = 1, **changes: Any) -> IndexedGovernor:
    """A governor's row, as the service writes it."""
    values: dict[str, Any] = {
        "address": account(700 + number),
        "chain_id": django_settings.CHAIN_ID,
        "name": f"Governor {number}",
        "abi": "GovernorOZ",
        "family": "oz_v5",
        "ballot": "simple",
        "counting_mode": "support=bravo&quorum=for,abstain",
        "clock_mode": "block",
        "clock_unit": "blocks",
        "quorum_form": "fraction",
        "timelock_kind": "none",
        "token": account(800 + number),
        "token_symbol": "TOK",
        "token_decimals": 18,
        "creation_block": 10,
        "report": {"words": [["Kind", "OpenZeppelin Governor, version 5"]], "limits": []},
        "added_at": NOW,
        "added_by": "test",
        **changes,
    }
    return IndexedGovernor.objects.create(**values)


def proposal(owner: IndexedGovernor, number: int, **changes: Any) -> GovernorProposal:
    values: dict[str, Any] = {
        "governor": owner.address,
        "proposal_id": number,
        "proposer": account(1),
        "title": f"Proposal {number}",
        "description": f"# Proposal {number}\n\nBecause.",
        "calls": [],
        "id_matches": True,
        "clock_mode": owner.clock_mode,
        "snapshot_clock": 100,
        "deadline_clock": 200,
        "created_at": NOW,
        "created_block": number,
        "created_log_index": 0,
        "created_tx": digest("created", number),
        "for_votes": number * UNIT,
        "against_votes": 0,
        "abstain_votes": None,
        "state": 1,
        "chain_state": 1,
        "chain_state_block": 150,
        **changes,
    }
    return GovernorProposal.objects.create(**values)


def vote(row: GovernorProposal, number: int, **changes: Any) -> GovernorVote:
    values: dict[str, Any] = {
        "governor": row.governor,
        "proposal_id": row.proposal_id,
        "event": "VoteCast",
        "voter": account(number),
        "support": 1,
        "weight": number * UNIT,
        "reason": "",
        "block_number": 150 + number,
        "log_index": 0,
        "tx": digest("vote", number),
        "voted_at": NOW,
        **changes,
    }
    return GovernorVote.objects.create(**values)


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:2000]
    return answer.content.decode()


def data(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/v1/governors/{path}")
    assert answer.status_code == status, answer.content[:2000]
    return answer.json()


# --- on a real chain ----------------------------------------------------------------------


@pytest.mark.chain
def test_pages_and_api_of_a_real_governor(
    governor_factory: GovernorFactory, deployment: Any, client: Client
) -> None:
    local = governor_factory("bravo")
    add(local, "Local Bravo")
    made = local.propose(description="# Store it\n\n<script>alert(1)</script> **bold**")
    local.open_vote(made)
    local.vote(made, reason="<img src=x onerror=alert(2)>")
    indexed(local, made)
    pages(client, local, made)
    api(client, local, made)


def pages(client: Client, local: LocalGovernor, made: LocalProposal) -> None:
    place = to_checksum(local.address)
    listed = text(client, "/governors/")
    assert "Local Bravo" in listed
    assert "Up to date" in listed
    detail = text(client, f"/governors/{place}/")
    assert "Store it" in detail
    assert "Governor Bravo" in detail
    assert "500\u202f000" in detail
    shown = text(client, f"/governors/{place}/{made.id}/")
    assert "store(uint256)" in shown
    assert "the signature the proposer gave" in shown
    assert "<strong>bold</strong>" in shown
    assert "<script>alert(1)" not in shown
    assert "<img src=x" not in shown
    assert "&lt;img src=x onerror=alert(2)&gt;" in shown
    lower = place.lower()
    assert client.get(f"/governors/{lower}/").headers["Location"] == f"/governors/{place}/"


def api(client: Client, local: LocalGovernor, made: LocalProposal) -> None:
    place = to_checksum(local.address)
    (listed,) = data(client, "")["results"]
    assert (listed["address"], listed["family"]) == (place, "bravo")
    assert listed["progress"]["word"] == "following"
    assert data(client, f"{place}/")["report"]["abi"] == "GovernorBravo"
    (row,) = data(client, f"{place}/proposals/")["results"]
    assert (row["proposal_id"], row["state"]) == (str(made.id), "active")
    assert row["for_votes"] == str(500_000 * UNIT)
    whole = data(client, f"{place}/proposals/{made.id}/")
    assert whole["calls"][0]["signature"] == "store(uint256)"
    assert whole["description"].startswith("# Store it")
    (cast,) = data(client, f"{place}/proposals/{made.id}/votes/")["results"]
    assert cast["reason"] == "<img src=x onerror=alert(2)>"


@pytest.mark.chain
def test_progress_is_told_while_it_catches_up(
    governor_factory: GovernorFactory, deployment: Any, client: Client
) -> None:
    local = governor_factory("oz5_settable_quorum")
    index_until_head()
    add(local, "Late")
    assert "Catching up" in text(client, "/governors/")
    assert "not final" in text(client, f"/governors/{to_checksum(local.address)}/")
    WatchedContract.objects.update(error="The node: <b>no logs</b>")
    listed = text(client, "/governors/")
    assert "&lt;b&gt;no logs" in listed
    (row,) = data(client, "")["results"]
    assert row["progress"]["word"] == "catching up"
    index_until_head()
    assert "Up to date" in text(client, "/governors/")


# --- with rows of our own -----------------------------------------------------------------


def test_without_governors_the_page_names_the_command(client: Client, chain_now: Any) -> None:
    assert "governor_add" in text(client, "/governors/")
    assert data(client, "")["results"] == []
    assert 'href="/governors/"' in text(client, "/")


def test_lists_filter_sort_and_page(client: Client, chain_now: Any) -> None:
    owner = governor()
    for number in range(1, 31):
        proposal(owner, number, chain_state=7 if number % 2 else 3, title=f"Title {number:02}")
    place = f"/governors/{to_checksum(owner.address)}/"
    first = text(client, place)
    assert "Title 30" in first
    assert "Title 05" not in first
    second = text(client, f"{place}?{_next(first)}")
    assert "Title 05" in second
    assert "Title 30" not in second
    executed = text(client, f"{place}?state=executed&sort=oldest")
    assert "Title 01" in executed
    assert "Title 02" not in executed
    assert "Title 17" in text(client, f"{place}?q=title+17")
    assert "Title 18" not in text(client, f"{place}?q=17")
    most = text(client, f"{place}?sort=votes")
    assert most.index("Title 30") < most.index("Title 29")
    for bad in ("state=open", "sort=none", "cursor=abc"):
        text(client, f"{place}?{bad}", 400)
    found = data(client, f"{to_checksum(owner.address)}/proposals/?state=defeated&limit=5")
    assert [row["proposal_id"] for row in found["results"]] == ["30", "28", "26", "24", "22"]
    onward = client.get(found["next"]).json()
    assert onward["results"][0]["proposal_id"] == "20"


def _next(page: str) -> str:
    start = page.index('rel="next" href="?') + len('rel="next" href="?')
    return page[start : page.index('"', start)].replace("&amp;", "&")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("0x12/", 404),
        ("nothing/", 404),
        (f"{to_checksum(account(5))}/", 404),
        (f"{to_checksum(account(701))}/abc/", 404),
        (f"{to_checksum(account(701))}/-1/", 404),
        (f"{to_checksum(account(701))}/{2**256}/", 404),
        (f"{to_checksum(account(701))}/{'9' * 400}/", 404),
    ],
)
def test_addresses_of_nothing(client: Client, chain_now: Any, path: str, status: int) -> None:
    governor()
    text(client, f"/governors/{path}", status)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("0x12/", 400, "address_malformed"),
        (f"{to_checksum(account(5))}/", 404, "not_found"),
        (f"{to_checksum(account(5))}/proposals/", 404, "not_found"),
        (f"{to_checksum(account(701))}/proposals/x/", 404, "not_found"),
        (f"{to_checksum(account(701))}/proposals/5/votes/", 404, "not_found"),
        (f"{to_checksum(account(701))}/proposals/?state=open", 400, "validation_error"),
        (f"{to_checksum(account(701))}/proposals/?cursor=abc", 400, "cursor_invalid"),
    ],
)
def test_bad_questions_to_the_api(
    client: Client, chain_now: Any, path: str, status: int, code: str
) -> None:
    governor()
    assert data(client, path, status)["code"] == code


def test_what_does_not_fit_together_is_flagged(client: Client, chain_now: Any) -> None:
    owner = governor(removed_at=NOW)
    row = proposal(owner, 1, state=3, chain_state=4, state_mismatch=True, id_matches=False)
    place = f"/governors/{to_checksum(owner.address)}/"
    assert "Differs" in text(client, place)
    shown = text(client, f"{place}{row.proposal_id}/")
    assert "says succeeded" in shown
    assert "follows defeated" in shown
    assert "is another one" in shown
    assert "no longer followed" in shown


def test_a_governor_that_answers_nonsense(client: Client, chain_now: Any) -> None:
    """State 200, no title, votes of a token without decimals, deadline at the end of uint256."""
    owner = governor(token_decimals=None, token_symbol="")
    row = proposal(
        owner,
        2**256 - 1,
        state=None,
        chain_state=200,
        title="",
        description="",
        deadline_clock=2**256 - 1,
        created_block=7,
        for_votes=123_456_789,
        calls=[
            {"target": f"0x{'11' * 20}", "value_wei": "0", "signature": "", "calldata": "0xdead"}
        ],
    )
    vote(row, 1, support=77, reason="x" * 20_000)
    place = f"/governors/{to_checksum(owner.address)}/"
    listed = text(client, place)
    assert "unknown" in listed
    assert "123\u202f456\u202f789" in listed
    shown = text(client, f"{place}{row.proposal_id}/")
    assert "A call that we cannot decode" in shown
    assert "x" * 501 not in shown
    assert data(client, f"{to_checksum(owner.address)}/proposals/")["results"][0]["state"] is None


def test_queries_do_not_grow_with_rows(client: Client, chain_now: Any) -> None:
    owner = governor()
    paths = [
        "/governors/",
        f"/governors/{to_checksum(owner.address)}/",
        f"/governors/{to_checksum(owner.address)}/1/",
        "/api/v1/governors/",
        f"/api/v1/governors/{to_checksum(owner.address)}/proposals/",
        f"/api/v1/governors/{to_checksum(owner.address)}/proposals/1/votes/",
    ]
    row = proposal(owner, 1)
    vote(row, 1)
    few = [_queries(client, path) for path in paths]
    for number in range(2, 12):
        governor(number)
        proposal(owner, number)
        vote(row, number)
    many = [_queries(client, path) for path in paths]
    assert many == few
    assert max(many) <= 8


def _queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


# --- calls --------------------------------------------------------------------------------


def call(owner: IndexedGovernor, **parts: str) -> Any:
    made = {"target": f"0x{'11' * 20}", "value_wei": "0", "signature": "", "calldata": "0x"}
    return calls_read(owner, [made | parts])[0]


def test_calls_are_read_by_what_is_known_of_their_target(db: None) -> None:
    owner = governor()
    transfer = "0xa9059cbb" + "00" * 12 + "22" * 20 + "00" * 31 + "05"
    guess = call(owner, calldata=transfer)
    assert (guess.function, guess.source) == ("transfer(address,uint256)", "guess")
    token = call(owner, target=f"0x{bytes(owner.token or b'').hex()}", calldata=transfer)
    assert (token.contract, token.source) == ("its token", "abi")
    own = call(
        owner,
        target=f"0x{bytes(owner.address).hex()}",
        calldata="0x06f3f9e6" + "00" * 31 + "04",
    )
    assert (own.function, own.source) == ("updateQuorumNumerator(uint256)", "guess")
    assert list(own.arguments.values()) == ["4"]


@pytest.mark.parametrize(
    "parts",
    [
        {"calldata": "0xa9059cbb"},
        {"calldata": "0xa9059cbb" + "00" * 12 + "22" * 20 + "00" * 31 + "05" + "00"},
        {"signature": "store(uint256)", "calldata": "0x01"},
        {"signature": "store(uint256", "calldata": "0x" + "00" * 32},
        {"signature": "store(uint999)", "calldata": "0x" + "00" * 32},
        {"signature": "store((uint256))", "calldata": "0x" + "00" * 32},
        {"signature": "store(uint256)", "signature_raw": "0xff", "calldata": "0x" + "00" * 32},
        {"signature": "f(" + "uint256[999][999]," * 10 + ")", "calldata": "0x"},
        {"signature": "a" * 100_000, "calldata": "0x"},
    ],
)
def test_calls_that_cannot_be_read_stay_raw(db: None, parts: dict[str, str]) -> None:
    read = call(governor(), **parts)
    assert read.function == ""
    assert not read.arguments
    assert read.calldata == parts["calldata"]


def test_a_signature_is_read_only_in_its_canonical_form() -> None:
    found = signature_codec("transfer(address,uint256[],string)")
    assert found is not None
    assert found.signature == "transfer(address,uint256[],string)"
    for wrong in ("transfer(address, uint256)", "transfer(uint)", "(uint256)", "f(address,)", ""):
        assert signature_codec(wrong) is None
