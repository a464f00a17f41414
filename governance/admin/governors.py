"""Added governors: to look at. They are added and removed by commands."""

from django.contrib import admin

from chain.models import WatchedContract
from governance.admin.base import ReadOnlyAdmin
from governance.models import (
    GovernorAct,
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)


@admin.register(IndexedGovernor)
class IndexedGovernorAdmin(ReadOnlyAdmin):
    list_display = ["address", "name", "family", "added_by", "added_at", "removed_at"]
    list_filter = ["family"]


@admin.register(GovernorAct)
class GovernorActAdmin(ReadOnlyAdmin):
    list_display = ["governor", "act", "actor", "acted_at"]
    list_filter = ["act"]


@admin.register(GovernorProposal)
class GovernorProposalAdmin(ReadOnlyAdmin):
    list_display = ["governor", "proposal_id", "title", "state", "chain_state", "state_mismatch"]
    list_filter = ["state_mismatch", "chain_state", "id_matches"]


@admin.register(GovernorVote)
class GovernorVoteAdmin(ReadOnlyAdmin):
    list_display = ["governor", "proposal_id", "voter", "support", "weight", "voted_at"]
    list_filter = ["support"]


@admin.register(GovernorOperation)
class GovernorOperationAdmin(ReadOnlyAdmin):
    list_display = ["timelock", "operation_id", "governor", "proposal_id"]


@admin.register(WatchedContract)
class WatchedContractAdmin(ReadOnlyAdmin):
    list_display = ["address", "abi", "label", "indexed_to", "joined", "settled", "error"]
    list_filter = ["joined"]
