"""What every page carries: the strip, the theme, the error pages."""

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory, override_settings

from chain import clock
from chain.models import Cursor
from governance.context import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def indexed(settings) -> Cursor:
    now = clock.now()
    return Cursor.objects.create(
        chain_id=settings.CHAIN_ID,
        number=1000,
        hash=b"\x01" * 32,
        timestamp=int(now.timestamp()),
        finalized_number=998,
        head_number=1000,
        head_timestamp=int(now.timestamp()),
        indexed_at=now,
        seen_at=now,
    )


def test_strip_says_where_the_index_stands(indexed: Cursor) -> None:
    page = Client().get("/status/strip").content.decode().replace("\u202f", " ")
    assert "Indexed to block 1 000" in page
    assert "finalised 998" in page
    assert 'data-state="ok"' in page
    assert 'data-reason=""' in page


def test_unchanged_strip_answers_304(indexed: Cursor) -> None:
    at = clock.now()
    with clock.clock_override(lambda: at):
        client = Client()
        first = client.get("/status/strip")
        again = client.get("/status/strip", headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert again.content == b""
        Cursor.objects.update(number=1001, head_number=1001)
        changed = client.get("/status/strip", headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200


def test_an_index_far_behind_turns_writing_off_and_says_why(indexed: Cursor) -> None:
    Cursor.objects.update(head_number=1000 + 26)
    page = Client().get("/status/strip").content.decode()
    assert 'data-state="red"' in page
    assert 'data-reason=""' not in page
    assert "are off until" in page


def test_an_empty_index_is_no_state_to_act_on() -> None:
    page = Client().get("/status/strip").content.decode()
    assert "Nothing is indexed yet" in page
    assert 'data-reason=""' not in page


@pytest.mark.parametrize(
    ("cookie", "theme"),
    [
        ("dark", "dark"),
        ("light", "light"),
        ("auto", "auto"),
        ('"><script>', "auto"),
        (None, "auto"),
    ],
)
def test_theme_is_drawn_by_the_server(cookie: str | None, theme: str) -> None:
    request = RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES["theme"] = cookie
    assert Site(request).theme == theme


def test_theme_reaches_the_page(indexed: Cursor) -> None:
    client = Client()
    client.cookies["theme"] = "dark"
    assert b'data-theme="dark"' in client.get("/proposals/").content


@override_settings(DEMO_MODE=False)
def test_no_demo_wallet_outside_the_demo(indexed: Cursor) -> None:
    page = Client().get("/proposals/").content
    assert b"demo-wallet" not in page


def test_missing_page_keeps_the_navigation(indexed: Cursor) -> None:
    response = Client().get("/no/such/page/")
    assert response.status_code == 404
    assert b"There is no such page" in response.content
    assert b'aria-label="Main"' in response.content


def test_failure_page_needs_nothing(indexed: Cursor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr("governance.views.status.Site", fail)
    response = Client(raise_request_exception=False).get("/status/strip")
    assert response.status_code == 500
    assert b"The service failed" in response.content
    assert b"the database is gone" not in response.content


def test_index_older_than_its_limit_is_not_green(indexed: Cursor) -> None:
    old = clock.now() - timedelta(hours=1)
    Cursor.objects.update(indexed_at=old, seen_at=old, timestamp=int(old.timestamp()))
    assert b'data-state="ok"' not in Client().get("/status/strip").content
