"""The list of proposals: tabs, facets, search, sorts, cursors, exports."""

import csv
import io
import re
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.utils.html import escape

from chain.addresses import to_checksum
from governance.models import HiddenProposal
from tests.governance.pages.conftest import ALT, NOW, STATES, account


def numbers(response) -> list[int]:
    return [int(n) for n in re.findall(r'nowrap">#(\d+)<', response.content.decode())]


def next_link(response) -> str:
    found = re.search(r'rel="next" href="([^"]+)"', response.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


def previous_link(response) -> str:
    found = re.search(r'rel="prev" href="([^"]+)"', response.content.decode())
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.parametrize(
    ("tab", "states"),
    [
        ("active", {"active"}),
        ("pending", {"pending"}),
        ("queued", {"queued", "succeeded"}),
        ("executed", {"executed"}),
        ("defeated", {"defeated"}),
        ("canceled", {"canceled"}),
        ("expired", {"expired"}),
        ("all", set(STATES)),
    ],
)
def test_tabs_show_their_states_and_count_them(client, make, tab, states):
    made = {state: make.proposal(state).number for state in STATES}
    response = client.get(f"/proposals/?state={tab}")
    assert set(numbers(response)) == {made[state] for state in states}
    counted = re.search(
        rf'aria-current="page">{tab.capitalize()} <span class="muted">(\d+)<',
        response.content.decode(),
    )
    assert int(counted[1]) == len(states)


def test_facets_and_search(client, make):
    make.proposal("active", title="Lower the report interval", kind="parameter")
    other = make.proposal(
        "executed", title="Pay the auditors", kind="treasury", proposer=account(9)
    )
    make.action(other, kind="parameter_set", parameters=[{"name": "attest.ttl", "expected": "1"}])
    assert numbers(client.get("/proposals/?kind=treasury")) == [2]
    assert numbers(client.get(f"/proposals/?proposer={to_checksum(account(9))}")) == [2]
    assert numbers(client.get("/proposals/?q=AUDITORS")) == [2]
    assert numbers(client.get("/proposals/?q=%231")) == [1]
    assert numbers(client.get(f"/proposals/?q={other.pk}")) == [2]
    assert numbers(client.get("/proposals/?q=attest.ttl")) == [2]
    assert numbers(client.get("/proposals/?parameter=attest.ttl")) == [2]
    nothing = client.get("/proposals/?q=unicorn")
    assert numbers(nothing) == []
    assert "Nothing matches" in nothing.content.decode()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("proposer=0x12", "An address is 0x followed by 40 hexadecimal digits."),
        ("proposer=0x" + "aB" * 20, "check the address for a typo"),
        ("kind=nonsense", "nonsense is not one of the available choices"),
        ("state=nonsense", "nonsense is not one of the available choices"),
    ],
)
def test_a_bad_filter_is_named_and_left_out(client, make, query, sentence):
    make.proposal("active")
    response = client.get(f"/proposals/?{query}")
    assert response.status_code == 400
    assert escape(sentence) in response.content.decode()
    assert numbers(response) == [1]


@pytest.mark.parametrize(
    "cursor", ["%00", "x", "e30", "WyJuIl0", "WyJuIix7ImkiOiIxIn0seyJpIjoiMSJ9XQ", "W" * 512]
)
def test_a_damaged_cursor_is_a_400(client, make, cursor):
    make.proposal("active")
    assert client.get(f"/proposals/?cursor={cursor}").status_code == 400


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("newest", lambda p: -p.number),
        ("ending", lambda p: (p.deadline_at, p.number)),
        ("votes", lambda p: (-p.total_wei, -p.number)),
    ],
)
def test_pages_neither_skip_nor_repeat(client, make, sort, expected):
    made = [
        make.proposal(
            "active",
            for_wei=(number * 7919 % 11) * ALT,
            deadline_at=NOW + timedelta(hours=number * 31 % 17 + 1),
        )
        for number in range(53)
    ]
    response = client.get(f"/proposals/?sort={sort}")
    pages, seen = [numbers(response)], []
    while link := next_link(response):
        # A new one arrives while somebody is paging.
        if sort == "newest":
            make.proposal("active")
        response = client.get(f"/proposals/{link}")
        pages.append(numbers(response))
    seen = [number for page in pages for number in page]
    assert seen == [p.number for p in sorted(made, key=expected)]
    back = client.get(f"/proposals/{previous_link(response)}")
    assert numbers(back) == pages[-2]


def test_hidden_words_are_hidden_and_not_found(client, make):
    proposal = make.proposal("active", title="Free tokens here", description="Send me yours")
    HiddenProposal.objects.create(proposal_id=proposal.pk, reason="scam", hidden_at=NOW)
    html = client.get("/proposals/").content.decode()
    assert "Free tokens here" not in html
    assert "Hidden by moderators" in html
    assert numbers(client.get("/proposals/?q=tokens")) == []
    assert numbers(client.get("/proposals/?q=1")) == [1]
    assert "Free tokens" not in client.get("/proposals/feed.atom").content.decode()
    export = b"".join(client.get("/proposals/export.csv")).decode()
    assert "Free tokens" not in export


def test_own_vote_is_on_the_row(sign_in, make):
    proposal = make.proposal("active")
    make.vote(proposal, account(3), support=0)
    assert 'you:</span> <span class="badge badge-bad"' in (
        sign_in(account(3)).get("/proposals/").content.decode()
    )


def test_no_active_votes_names_what_comes_next(client, make):
    make.proposal("queued")
    html = client.get("/proposals/?state=active").content.decode()
    assert "No active votes" in html
    assert 'href="/proposals/1/"' in html


def test_export_is_the_filtered_list_and_runs_in_no_spreadsheet(client, make):
    make.proposal("active", title='=HYPERLINK("http://evil","x")')
    make.proposal("executed", title="Plain, with a comma", for_wei=123 * ALT)
    response = client.get("/proposals/export.csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
    assert [row["number"] for row in rows] == ["2", "1"]
    assert rows[0]["title"] == "Plain, with a comma"
    assert rows[0]["for_wei"] == str(123 * ALT)
    assert rows[0]["state"] == "executed"
    assert rows[1]["title"].startswith("'=")
    only = b"".join(client.get("/proposals/export.csv?state=active")).decode()
    assert len(only.strip().splitlines()) == 2
    assert client.get("/proposals/export.csv?kind=x").status_code == 400


def test_feed_is_well_formed_whatever_the_titles_are(client, make, settings):
    make.proposal("active", title="Control \x08 and <tag> & \ufffe \u202e")
    make.proposal("executed")
    response = client.get("/proposals/feed.atom")
    assert response["Content-Type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(response.content)  # noqa: S314 - our own words
    space = {"a": "http://www.w3.org/2005/Atom"}
    entries = root.findall("a:entry", space)
    assert len(entries) == 2
    assert entries[0].find("a:link", space).get("href") == f"{settings.SITE_URL}/proposals/2/"
    assert "<tag>" in entries[1].find("a:title", space).text
