"""A governor with a past, added to an index that runs: killed under way, reorganised under way."""

from __future__ import annotations

from typing import Any

import pytest

from chain.indexer.loop import Indexer, index_until_head
from governance.models import GovernorOperation, GovernorProposal, GovernorVote
from governance.state import ProposalState
from tests.chain.test_crashes import KILLED, environment, finish, keeper, worker
from tests.governance.governors.conftest import GovernorFactory
from tests.governance.governors.indexing import (
    add,
    contents,
    following,
    indexed,
    rebuilt_the_same,
    row_of,
)
from tests.governance.governors.local import AGAINST, LocalGovernor, LocalProposal

__all__ = ["environment", "keeper"]

pytestmark = [pytest.mark.chain, pytest.mark.django_db]


def past_of(local: LocalGovernor) -> list[LocalProposal]:
    """Four proposals: one executed at the timelock itself, one queued, one voted down, one open."""
    executed = local.queued("# Executed past the governor")
    local.wait_eta(executed)
    local.timelock_execute(executed)
    queued = local.queued("# Queued")
    defeated = local.propose(description="# Voted down")
    local.open_vote(defeated)
    local.vote(defeated, support=AGAINST, reason="no")
    local.close_vote(defeated)
    opened = local.propose(description="# Open")
    local.open_vote(opened)
    local.vote(opened, who=2)
    return [executed, queued, defeated, opened]


def as_the_chain_has_it(local: LocalGovernor, past: list[LocalProposal]) -> None:
    for proposal in past:
        indexed(local, proposal)
    assert following(local)
    assert GovernorProposal.objects.count() == len(past)
    assert GovernorVote.objects.count() == 4
    assert row_of(local, past[0]).timelock_direct
    rebuilt_the_same()


@pytest.mark.django_db(transaction=True)
def test_killed_again_and_again_it_ends_up_whole(
    governor_factory: GovernorFactory,
    deployment: Any,
    environment: dict[str, str],
    settings: Any,
) -> None:
    settings.CHAIN_REORG_WINDOW = 8
    local = governor_factory("oz5_timelock")
    past = past_of(local)
    index_until_head()
    add(local)
    environment |= {"CHAIN_REORG_WINDOW": "8"}
    points = ("join.fetched", "join.committed", "join.last.fetched", "join.joined", "join.settled")
    for point in points:
        assert finish(worker(environment, "index_all", point, "1")) == KILLED, point
    assert finish(worker(environment, "index_all", "any", "0.3")) in (0, KILLED)
    index_until_head()
    as_the_chain_has_it(local, past)


@pytest.mark.parametrize("point", ["join.last.fetched", "join.joined", "join.read"])
def test_reorganised_during_the_last_stretch(
    governor_factory: GovernorFactory, deployment: Any, rpc: Any, point: str
) -> None:
    local = governor_factory("oz5_timelock")
    executed = local.queued("# Executed past the governor")
    queued = local.queued("# Queued")
    opened = local.propose(description="# Open")
    local.open_vote(opened)
    index_until_head()
    local.wait_eta(queued)
    snapshot = rpc("evm_snapshot")
    local.timelock_execute(executed)
    local.timelock_cancel(queued)
    local.vote(opened, who=2)
    gone = local.propose(description="# Of the branch that was left", who=2)
    index_until_head()
    add(local)
    left = iter([True])

    def reached(name: str) -> None:
        if name == point and next(left, False):
            rpc("evm_revert", snapshot)
            local.timelock_execute(queued)
            local.vote(opened, who=3, support=AGAINST)
            local.chain.mine(4)

    index_until_head(indexer=Indexer(reached=reached))
    index_until_head()
    assert next(left, None) is None, "the point was not reached"
    assert indexed(local, executed).chain_state == ProposalState.QUEUED
    assert indexed(local, queued).chain_state == ProposalState.EXECUTED
    indexed(local, opened)
    assert GovernorVote.objects.filter(proposal_id=opened.id).get().support == AGAINST
    assert not GovernorProposal.objects.filter(proposal_id=gone.id).exists()
    assert following(local)
    rebuilt_the_same()


def test_joined_late_or_followed_from_the_start_it_has_the_same_facts(
    governor_factory: GovernorFactory, deployment: Any
) -> None:
    """Everything but when a row was last looked at."""
    local = governor_factory("oz5_timelock")
    add(local)
    past = past_of(local)
    as_the_chain_has_it(local, past)
    # What came and went within one batch has its quorum read with the next block.
    local.chain.mine()
    index_until_head()
    live = facts()
    for model in (GovernorProposal, GovernorOperation, GovernorVote):
        model.objects.all().delete()
    # The same logs, fetched once more from the first block on, into empty tables.
    _leave_and_forget(local)
    add(local)
    as_the_chain_has_it(local, past)
    late = facts()
    for name, rows in live.items():
        for row, other in zip(rows, late[name], strict=True):
            assert row == other


def _leave_and_forget(local: LocalGovernor) -> None:
    from chain.models import Log, WatchedContract
    from governance.services.governors import governor_remove

    governor_remove(address=local.address, actor="test")
    WatchedContract.objects.all().delete()
    Log.objects.filter(contract__in=("GovernorOZ", "TimelockOZ")).update(canonical=False)


def facts() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = dict(contents())
    columns = [
        field.attname
        for field in GovernorProposal._meta.fields
        if field.attname not in ("id", "chain_state_block", "due_block", "due_time_s")
    ]
    rows = GovernorProposal.objects.order_by("proposal_id").values_list(*columns)
    found["GovernorProposal"] = [tuple(map(repr, row)) for row in rows]
    return found
