"""Why a governor cannot be added, each with the next step."""

from __future__ import annotations

from governance.errors import GovernanceError


class GovernorProbeError(GovernanceError):
    """Base. Nothing was stored."""

    code = "governor_probe_failed"


class NodeUnreachable(GovernorProbeError):
    """The node did not answer, or not in time."""

    code = "governor_node_unreachable"
    http_status = 503


class NodeInconsistent(GovernorProbeError):
    """The node's answers contradict each other, or are none."""

    code = "governor_node_inconsistent"
    http_status = 502


class ChainWrong(GovernorProbeError):
    """The node serves another chain than this index."""

    code = "governor_wrong_chain"


class NoCode(GovernorProbeError):
    """There is no contract at the address."""

    code = "governor_no_code"


class NotAGovernor(GovernorProbeError):
    """There is a contract, but it does not behave as a governor."""

    code = "governor_not_a_governor"


class GovernorUnsupported(GovernorProbeError):
    """It is a governor of a kind whose votes cannot be read here."""

    code = "governor_unsupported"


class HistoryMissing(GovernorProbeError):
    """The node keeps too little history to find where the contract begins."""

    code = "governor_history_missing"


class StartInFuture(GovernorProbeError):
    """The block to begin with does not exist yet."""

    code = "governor_start_in_future"
