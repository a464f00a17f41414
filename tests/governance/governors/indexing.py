"""Indexing local governors: add one, index, and compare every row with the chain's own word."""

from __future__ import annotations

from typing import Any

from chain.client import rpc_client
from chain.conf import chain_id
from chain.indexer.loop import index_until_head
from chain.indexer.rebuild import projections_rebuild
from chain.models import WatchedContract
from governance.governors.probe import governor_probe
from governance.models import (
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)
from governance.services.governors import governor_add
from governance.state import ProposalState
from tests.governance.governors.local import LocalGovernor, LocalProposal

PROJECTORS = ("governance.governors", "governance.governors.votes")
TABLES = (GovernorProposal, GovernorOperation, GovernorVote)


def add(local: LocalGovernor, name: str = "") -> IndexedGovernor:
    """Probe a local governor and add it, as ``governor_add`` does."""
    report = governor_probe(client=rpc_client(), address=local.address, chain_id=chain_id())
    return governor_add(report=report, name=name, actor="test")


def row_of(local: LocalGovernor, proposal: LocalProposal) -> GovernorProposal:
    return GovernorProposal.objects.get(governor=local.address, proposal_id=proposal.id)


def indexed(local: LocalGovernor, proposal: LocalProposal) -> GovernorProposal:
    """Index to the head; the proposal's row, which must say what the chain says."""
    index_until_head()
    row = row_of(local, proposal)
    same_as_chain(local, proposal, row)
    return row


def same_as_chain(local: LocalGovernor, proposal: LocalProposal, row: GovernorProposal) -> None:
    """State, votes, times and id of a row against the governor's views now."""
    state = ProposalState(local.state(proposal))
    assert row.chain_state == int(state), f"{row.chain_state} is not {state!r}"
    assert row.state in (int(state), None), f"derived {row.state}, the chain says {state!r}"
    assert not row.state_mismatch
    assert (row.against_votes, row.for_votes, row.abstain_votes) == local.tallies(proposal)
    assert row.deadline_clock == local.deadline(proposal)
    assert row.snapshot_clock == local.snapshot(proposal)
    # OpenZeppelin 4 forgets the eta of what its timelock has done; the log keeps it.
    assert local.eta(proposal) in (0, row.eta_s)
    assert row.id_matches is not False
    assert row.description_bytes == proposal.description


def contents() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the projected tables, less surrogate keys."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for model in TABLES:
        columns = [field.attname for field in model._meta.fields if field.attname != "id"]
        rows = [tuple(map(repr, row)) for row in model.objects.order_by().values_list(*columns)]
        found[model.__name__] = sorted(rows)
    return found


def rebuilt_the_same() -> None:
    """A rebuild from stored logs and reads makes the same rows."""
    before = contents()
    projections_rebuild(names=PROJECTORS)
    after = contents()
    for name, rows in before.items():
        assert after[name] == rows, name


def following(local: LocalGovernor) -> bool:
    """Whether the governor and its timelock have joined and settled."""
    rows = WatchedContract.objects.filter(removed_at=None)
    return bool(rows) and all(row.joined and row.settled and not row.error for row in rows)
