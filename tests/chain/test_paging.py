"""Keyset pages: whatever stands in a cursor is a page or a 400, never an error."""

import base64
import json
from datetime import UTC, datetime

import pytest
from django.core.exceptions import BadRequest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from chain.paging import keyset_page
from governance.models import Delegate, ModerationAction, Proposal

LISTS = [
    (Proposal, ("deadline_at", "number")),
    (Delegate, ("-power_wei", "address")),
    (ModerationAction, ("-created_at", "-pk")),
]

item = st.one_of(
    st.integers(min_value=-(2**70), max_value=2**260).map(lambda n: {"i": str(n)}),
    st.binary(max_size=24).map(lambda b: {"b": b.hex()}),
    st.datetimes().map(lambda d: {"t": d.isoformat()}),
    st.datetimes(timezones=st.just(UTC)).map(lambda d: {"t": d.isoformat()}),
    st.dictionaries(st.text(max_size=2), st.text(max_size=8), max_size=2),
    st.none() | st.text(max_size=5) | st.integers(),
)


def cursor_of(direction: object, values: list[object]) -> str:
    text = json.dumps([direction, *values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class AnyCursor(TestCase):
    @given(
        which=st.sampled_from(LISTS),
        direction=st.sampled_from(["n", "p"]) | st.text(max_size=2),
        values=st.lists(item, max_size=3),
    )
    def test_forged_values(self, which, direction, values):
        model, order = which
        try:
            page = keyset_page(
                model.objects.all(), order=order, cursor=cursor_of(direction, values), size=5
            )
        except BadRequest:
            return
        assert page.items == []

    @given(cursor=st.text(min_size=1, max_size=40))
    def test_any_text(self, cursor):
        try:
            page = keyset_page(Proposal.objects.all(), order=("-number",), cursor=cursor, size=5)
        except BadRequest:
            return
        assert page.items == []


@pytest.mark.django_db
def test_mixed_directions_come_back_the_same_way():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(23):
        Delegate.objects.create(
            address=number.to_bytes(20),
            power_wei=number % 4,
            last_changed_block=1,
            last_changed_at=now,
        )
    order = ("-power_wei", "address")
    wanted = [d.address for d in Delegate.objects.order_by(*order)]
    seen, cursor, pages = [], "", []
    while True:
        page = keyset_page(Delegate.objects.all(), order=order, cursor=cursor, size=5)
        pages.append(page)
        seen += [row.address for row in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == wanted
    back = pages[-1]
    for earlier in reversed(pages[:-1]):
        back = keyset_page(Delegate.objects.all(), order=order, cursor=back.previous_cursor, size=5)
        assert [row.pk for row in back.items] == [row.pk for row in earlier.items]
    assert back.previous_cursor is None
    assert pages[0].previous_cursor is None
