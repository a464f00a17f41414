"""The console shows what the chain wrote and lets nobody touch it."""

import pytest
from django.contrib import admin

from treasury.models import Asset, Balance, Transfer


@pytest.mark.parametrize("model", [Asset, Balance, Transfer])
def test_nobody_adds_changes_or_deletes(rf, model):
    console = admin.site._registry[model]
    request = rf.get("/")
    assert not console.has_add_permission(request)
    assert not console.has_change_permission(request)
    assert not console.has_delete_permission(request)
