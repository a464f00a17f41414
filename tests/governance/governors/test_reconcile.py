"""Governors that people added are compared with their chain by the same code."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chain.addresses import to_checksum
from chain.indexer.loop import index_until_head
from governance.models import GovernorProposal, GovernorVote
from governance.reconcile import Scope, findings_open, reconcile_run
from tests.governance.governors.conftest import GovernorFactory
from tests.governance.governors.deploy import KINDS
from tests.governance.governors.indexing import add
from tests.governance.governors.local import AGAINST, LocalGovernor

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def differing(scope: Scope) -> list[tuple[str, str]]:
    return [(item.claim.kind, item.claim.field) for item in reconcile_run(scope).differing]


def lived(local: LocalGovernor) -> None:
    """One proposal executed, one with an open vote; indexed to the head."""
    index_until_head()
    add(local)
    done = local.propose(description="# Done")
    local.pass_vote(done)
    if local.timelock is not None:
        local.queue(done)
        local.wait_eta(done)
    local.execute(done)
    opened = local.propose(description="# Open")
    local.open_vote(opened)
    local.vote(opened)
    local.vote(opened, who=2, support=AGAINST)
    for _ in range(3):
        index_until_head()
    assert GovernorVote.objects.filter(proposal_id=opened.id).count() == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_indexed_agrees_and_damage_is_found(
    kind: str, governor_factory: GovernorFactory, deployment: Any
) -> None:
    local = governor_factory(kind)
    lived(local)
    assert differing(Scope("all")) == []
    rows = GovernorProposal.objects.filter(governor=local.address)
    before = rows.order_by("created_block")[1]
    rows.filter(pk=before.pk).update(deadline_clock=before.deadline_clock + 1)
    assert differing(Scope("all")) == [("proposal", "deadline_clock")]
    assert bytes(findings_open().get().contract) == local.address
    place = f"/governors/{to_checksum(local.address)}/{before.proposal_id}/"
    assert "deadline_clock" in Client().get(place).content.decode()
    rows.filter(pk=before.pk).update(deadline_clock=before.deadline_clock, for_votes=1)
    assert ("proposal", "for_votes") in differing(Scope())
    assert findings_open().get().field == "for_votes", "the other is over"
    rows.filter(pk=before.pk).update(for_votes=before.for_votes)
    assert differing(Scope()) == []
    assert not findings_open().exists()


def test_a_lost_vote_shows_in_the_sum(governor_factory: GovernorFactory, deployment: Any) -> None:
    local = governor_factory("oz5_timelock")
    lived(local)
    GovernorVote.objects.filter(governor=local.address, support=AGAINST).delete()
    assert differing(Scope()) == [("proposal", "sum_against_votes")]


def test_a_votes_weight_is_the_power_at_the_snapshot(
    governor_factory: GovernorFactory, deployment: Any
) -> None:
    local = governor_factory("bravo")
    lived(local)
    GovernorVote.objects.filter(governor=local.address, support=AGAINST).update(weight=1)
    assert differing(Scope("all")) == [("proposal", "sum_against_votes"), ("vote", "weight")]
