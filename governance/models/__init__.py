"""Tables of the governance app. Each docstring says who writes the table."""

from governance.models.delegates import Delegate, Holder
from governance.models.discussion import (
    Comment,
    DiscussionBan,
    HiddenProposal,
    ModerationAction,
    Report,
    UnhideRequest,
)
from governance.models.drafts import Draft
from governance.models.governors import (
    GovernorAct,
    GovernorOperation,
    GovernorProposal,
    GovernorVote,
    IndexedGovernor,
)
from governance.models.keeper import KeeperNote, KeeperSwitch
from governance.models.proposals import Proposal, ProposalAction, Vote
from governance.models.reconcile import ReconcileFinding, ReconcileRun
from governance.models.settings import GovernorSettingChange, GuardianTerm, RoutineCall
from governance.models.sign_in import SpentChallenge
from governance.models.timelock import TimelockOperation
from governance.models.transactions import PendingTransaction, TransactionSender

__all__ = [
    "Comment",
    "Delegate",
    "DiscussionBan",
    "Draft",
    "GovernorAct",
    "GovernorOperation",
    "GovernorProposal",
    "GovernorSettingChange",
    "GovernorVote",
    "GuardianTerm",
    "HiddenProposal",
    "Holder",
    "IndexedGovernor",
    "KeeperNote",
    "KeeperSwitch",
    "ModerationAction",
    "PendingTransaction",
    "Proposal",
    "ProposalAction",
    "ReconcileFinding",
    "ReconcileRun",
    "Report",
    "RoutineCall",
    "SpentChallenge",
    "TimelockOperation",
    "TransactionSender",
    "UnhideRequest",
    "Vote",
]
