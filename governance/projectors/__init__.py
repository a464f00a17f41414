"""Build the governance tables from the chain's history."""

from chain.projections import register_projector
from governance.projectors.delegates import DelegateProjector, HolderProjector
from governance.projectors.governors import GovernorProposalProjector, GovernorVoteProjector
from governance.projectors.proposals import ProposalProjector
from governance.projectors.settings import SettingsProjector
from governance.projectors.timelock import TimelockProjector
from governance.projectors.votes import VoteProjector

__all__ = ["register_all"]


def register_all() -> None:
    """Make every projector of this app run. Called once, when the app is ready."""
    for projector in (
        SettingsProjector(),
        ProposalProjector(),
        VoteProjector(),
        HolderProjector(),
        DelegateProjector(),
        TimelockProjector(),
        GovernorProposalProjector(),
        GovernorVoteProjector(),
    ):
        register_projector(projector)
