"""Every page in every state: it answers, runs nobody's words, and asks the database little."""

import gzip
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chain.addresses import to_checksum
from governance.models import Comment
from tests.governance.pages.conftest import ALT, NOW, STATES, Factory, account

BASELINE = Path(__file__).resolve().parents[2] / "query_counts.json"
#: No page may need more, however much there is to show; one of them is the session's row.
QUERIES_MAX = 13
#: Bytes of a page after gzip.
HTML_MAX = 60 * 1024

#: Words that strangers write, with everything that has ever run in a page.
HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(2)>"><svg onload=alert(3)>'
    "{{7*7}}{% now 'Y' %}\u202egnp.exe' onclick='alert(4) javascript:alert(5)"
)


def full(make: Factory) -> None:
    """A DAO with something of everything, more of it than fits on one page."""
    for state in STATES:
        for _ in range(4):
            proposal = make.proposal(state)
            make.action(proposal)
            make.action(proposal, kind="transfer_eth", recipient=account(5), amount_wei=ALT)
            make.action(
                proposal,
                kind="parameter_set",
                parameters=[
                    {
                        "name": "attest.ttl",
                        "key": "0x00",
                        "expected": "2700",
                        "proposed": "1800",
                        "unit": "s",
                    }
                ],
            )
    parameter = make.parameter()
    eth = make.treasury("ETH", 100 * ALT)
    make.treasury("ALT", 1000 * ALT)
    for which in (21, 22, 23, 24):
        executed = make.proposal_numbered(which).executed_tx
        make.change(parameter, executed)
        make.payment(eth, ALT, executed)
    for number in range(40):
        make.delegate(account(number), (number + 1) * ALT, delegators_count=number)
        make.holder(account(number), ALT, delegate=account(number))
        for which in (5, 20):
            proposal = make.proposal_numbered(which)
            make.vote(proposal, account(number), number % 3, reason=f"Reason {number}")
    comment = None
    for number in range(30):
        comment = Comment.objects.create(
            proposal_id=make.proposal_numbered(5).pk,
            parent=comment if number % 3 else None,
            author=account(number),
            body=f"Comment **{number}**",
            created_at=NOW - timedelta(minutes=40 - number),
        )


PAGES: dict[str, str] = {
    "dashboard": "/",
    "proposals": "/proposals/",
    "proposals, filtered": "/proposals/?state=executed&kind=parameter&q=number&sort=votes",
    "proposal, pending": "/proposals/1/",
    "proposal, active": "/proposals/5/",
    "proposal, not voted": "/proposals/5/?show=missing",
    "proposal, discussion": "/proposals/5/?tab=discussion",
    "proposal, history": "/proposals/20/?tab=history",
    "proposal, raw": "/proposals/20/?tab=raw",
    "proposal, succeeded": "/proposals/13/",
    "proposal, queued": "/proposals/17/",
    "proposal, executed": "/proposals/21/",
    "proposal, live": "/proposals/5/live/",
    "proposal, rail": "/proposals/5/rail/",
    "delegates": "/delegates/?seed=abc",
    "delegates, by power": "/delegates/?sort=power",
    "delegate": f"/delegates/{to_checksum(account(3))}/",
    "treasury": "/treasury/",
    "moderation log": "/moderation/log/",
    "how voting works": "/how-voting-works/",
}


def queries_of(client: Client, path: str) -> int:
    client.get(path)  # warms what is read once per process
    with CaptureQueriesContext(connection) as captured:
        response = client.get(path)
    assert response.status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("who", ["signed out", "signed in"])
def test_queries_stay_few(client, make, sign_in, power_of_3, name, who):
    full(make)
    counted = queries_of(client if who == "signed out" else sign_in(account(3)), PAGES[name])
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    known = baseline[f"{name} ({who})"]
    assert counted <= min(known, QUERIES_MAX), f"{name} ({who}): {counted}, was {known}"


def test_queries_stay_few_for_who_cannot_vote(make, sign_in, monkeypatch):
    """The reason for having no power costs one more than having some."""
    monkeypatch.setattr("governance.views.power._past_votes", lambda account, at: 0)
    full(make)
    client = sign_in(account(3))
    for tab in ("votes", "discussion", "history", "raw"):
        assert queries_of(client, f"/proposals/5/?tab={tab}") <= QUERIES_MAX


@pytest.fixture
def power_of_3(monkeypatch) -> None:
    """The chain's answer for whoever is signed in: no node runs for these tests."""
    monkeypatch.setattr("governance.views.power._past_votes", lambda account, at: 3 * ALT)


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_small_and_have_nothing_inline(client, make, sign_in, power_of_3, name):
    full(make)
    response = sign_in(account(3)).get(PAGES[name])
    assert response.status_code == 200
    assert len(gzip.compress(response.content)) <= HTML_MAX
    assert_inert(response.content.decode())


@pytest.mark.parametrize("name", PAGES)
def test_empty_pages(client, chain_now, name):
    response = client.get(PAGES[name])
    if PAGES[name].startswith("/proposals/") and re.search(r"/\d+/", PAGES[name]):
        assert response.status_code == 404
    else:
        assert response.status_code == 200
        assert_inert(response.content.decode())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("tab", ["votes", "discussion", "history", "raw"])
def test_detail_in_every_state(client, make, state, tab):
    proposal = make.proposal(state)
    make.action(proposal)
    response = client.get(f"/proposals/{proposal.number}/?tab={tab}")
    assert response.status_code == 200
    assert f"</span>{state.capitalize()}</span>" in response.content.decode()


def test_strangers_words_are_inert_everywhere(client, make, sign_in, power_of_3):
    proposal = make.proposal("active", title=HOSTILE[:256], description=f"{HOSTILE}\n\n{HOSTILE}")
    make.action(
        proposal,
        function=HOSTILE[:128],
        summary=HOSTILE,
        args={HOSTILE: HOSTILE, "list": [HOSTILE, {"x": HOSTILE}]},
    )
    make.vote(proposal, account(7), reason=HOSTILE)
    make.delegate(account(7), ALT)
    Comment.objects.create(proposal_id=proposal.pk, author=account(7), body=HOSTILE, created_at=NOW)
    client = sign_in(account(3))
    for path in (
        "/",
        "/proposals/",
        f"/proposals/?q={HOSTILE[:40]}&parameter=%3Cscript%3E",
        "/proposals/1/",
        "/proposals/1/?tab=discussion",
        "/proposals/1/?tab=raw",
        f"/delegates/{to_checksum(account(7))}/",
    ):
        html = client.get(path).content.decode()
        assert_inert(html)
        assert "alert(3)&gt;49" not in html
    feed = client.get("/proposals/feed.atom").content.decode()
    assert "<script" not in feed


def assert_inert(html: str) -> None:
    """Nothing in the page runs or styles by itself; a strict CSP has nothing to refuse."""
    tags = re.findall(r"<[a-zA-Z][^>]*>", html)
    for tag in tags:
        if tag.startswith("<script"):
            assert re.fullmatch(r'<script type="module" src="/static/[^"]+">', tag), tag
        bare = re.sub(r'"[^"]*"', '""', tag)
        assert not re.search(r"\s(on[a-z]+|style)\s*=", bare), tag
        assert not re.search(r'(href|src|action)="\s*(javascript|data|vbscript):', tag, re.I), tag
    assert "<style" not in html
    assert "<svg onload" not in html
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), sorted({i for i in ids if ids.count(i) > 1})
    assert html.count("<h1") <= 1


def measure(client: Client, make: Factory, sign_in: Callable[[bytes], Any]) -> dict[str, int]:
    """What ``query_counts.json`` holds, measured anew (see the test below)."""
    full(make)
    found = {f"{name} (signed out)": queries_of(client, path) for name, path in PAGES.items()}
    member = sign_in(account(3))
    found |= {f"{name} (signed in)": queries_of(member, path) for name, path in PAGES.items()}
    return found


def test_the_baseline_names_every_page():
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert set(baseline) == {
        f"{name} ({who})" for name in PAGES for who in ("signed out", "signed in")
    }
    assert max(baseline.values()) <= QUERIES_MAX
