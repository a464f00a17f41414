"""The pages of epochs in every state, and what /healthz says of anchoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from network.models import Epoch, Verdict
from network.services.epochs_anchor import epochs_tick
from network.views import epochs as views
from tests.network.anchoring import DAY_S, Anchoring, anchoring, attested
from tests.network.test_pages import page, words

__all__ = ["anchoring", "attested"]
pytestmark = [pytest.mark.chain, pytest.mark.django_db]
Attested = Callable[..., Any]


def health() -> dict[str, str]:
    body = Client().get("/healthz").json()
    return dict(body["anchoring"])


def test_nothing_is_anchored_yet(anchoring: Anchoring) -> None:
    assert "Nothing is anchored here yet" in page("/epochs/")
    page("/epochs/0/", status=404)
    assert health()["state"] == "off"
    epochs_tick()
    assert "No epoch is over yet" in page("/epochs/")
    assert health()["state"] == "ok"


def test_a_day_from_its_end_to_the_proof(anchoring: Anchoring, attested: Attested) -> None:
    made = attested(1000, 2000)
    anchoring.over(0)
    assert "not yet" in words(page(f"/nodes/0x{made.node_id.hex()}/"))
    epochs_tick()
    text = words(page("/epochs/"))
    assert "On its way" in text
    assert "On its way" in words(page("/epochs/0/"))
    anchoring.send()
    text = words(page("/epochs/0/"))
    assert "Posted" in text
    assert "3 700 s" in text
    (first, _) = Verdict.objects.order_by("pk").values_list("pk", flat=True)
    html = page("/epochs/0/")
    assert f"/api/v1/verdicts/{first}/proof/?epoch=0" in html
    assert f"/nodes/0x{made.node_id.hex()}/" in html
    assert 'href="/epochs/0/"' in page(f"/nodes/0x{made.node_id.hex()}/")
    anchoring.until(anchoring.genesis_s + 3 * DAY_S)
    assert "Anchored" in words(page("/epochs/"))


def test_a_voided_epoch_and_a_foreign_root_are_said_loudly(
    anchoring: Anchoring, attested: Attested
) -> None:
    attested(1000)
    anchoring.anchor(0)
    anchoring.void(0, b"looks wrong")
    assert "Voided" in words(page("/epochs/"))
    assert "(looks wrong)" in words(page("/epochs/0/"))
    assert health()["state"] == "amber"
    anchoring.over(1)
    anchoring.post(1, b"\x77" * 32, 1, 0, bytes(32))
    anchoring.send()
    assert "Differs" in words(page("/epochs/"))
    assert "do not rely on this epoch" in words(page("/epochs/1/"))
    assert health()["state"] == "red"
    assert Client().get("/healthz").json()["status"] == "degraded"


def test_lists_go_page_by_page_and_refuse_nonsense(
    anchoring: Anchoring, attested: Attested, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    monkeypatch.setattr(views, "LEAVES_PAGE_SIZE", 2)
    attested(1000, 2000, 3000)
    anchoring.over(2)
    epochs_tick()
    assert Epoch.objects.count() == 3
    assert "?cursor=" in page("/epochs/")
    assert "?cursor=" in page("/epochs/0/")
    page("/epochs/?cursor=damaged", status=400)
    page("/epochs/0/?cursor=damaged", status=400)
    page(f"/epochs/?cursor={'x' * 600}", status=400)
    page("/epochs/7/", status=404)
    page(f"/epochs/{10**30}/", status=404)
    page("/epochs/-1/", status=404)
    assert "No report was judged on this day" in page("/epochs/1/")
    assert Client().post("/epochs/").status_code == 405
