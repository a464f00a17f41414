"""The console shows everything indexed and changes none of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpRequest
from django.test import RequestFactory

from chain.addresses import to_checksum
from chain.admin import ReadOnlyAdmin, columns
from chain.indexer.loop import index_until_head
from chain.models import Block, ChainRead, KeyTouch, Log, LogKey
from tests.chain.conftest import HolderProjector

pytestmark = pytest.mark.django_db

OURS = [Block, Log, LogKey, KeyTouch, ChainRead]


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("ada", password="-")


def request_of(user: Any, data: dict[str, Any] | None = None) -> HttpRequest:
    factory = RequestFactory()
    request = factory.post("/", data) if data else factory.get("/")
    user.is_verified = lambda: True
    request.user = user
    request.session = {}  # type: ignore[assignment]
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    return request


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_nothing_can_be_added_changed_or_deleted(model: Any, staff: User) -> None:
    registered = admin.site._registry[model]
    request = request_of(staff)
    assert isinstance(registered, ReadOnlyAdmin)
    assert not registered.has_add_permission(request)
    assert not registered.has_change_permission(request)
    assert not registered.has_delete_permission(request)
    assert registered.has_view_permission(request)
    assert "delete_selected" not in registered.get_actions(request)


@pytest.mark.chain
def test_every_row_can_be_looked_at(holders: HolderProjector, staff: User) -> None:
    index_until_head()
    request = request_of(staff)
    for model in OURS:
        registered = admin.site._registry[model]
        page = registered.changelist_view(request).render()
        assert page.status_code == 200
        row = model._default_manager.first()
        assert row is not None
        page = registered.changeform_view(request, str(row.pk)).render()
        assert page.status_code == 200
        assert b"memoryview" not in page.content
    log = Log.objects.first()
    assert log is not None
    page = admin.site._registry[Log].changeform_view(request, str(log.pk)).render()
    assert log.transaction_hash.hex().encode() in page.content
    assert to_checksum(log.address).encode() in page.content


def test_bytes_are_written_as_text() -> None:
    log = Log(address=b"\x11" * 20, data=b"\x01" * 600, transaction_hash=b"\x02" * 32)
    shown = {
        field.short_description: field(log)
        for field in columns(Log, "address", "data", "transaction_hash")
    }
    assert shown["address"] == f"<code>0x{'11' * 20}</code>"
    assert "(600 bytes)" in shown["data"]
