"""What a proposal does: reading its calls, building them, and previewing a proposal."""

from governance.actions.build import build_custom_call, build_parameter_set, build_transfer
from governance.actions.decode import DecodedAction, decode_action
from governance.actions.preview import ProposalPreview, proposal_preview

__all__ = [
    "DecodedAction",
    "ProposalPreview",
    "build_custom_call",
    "build_parameter_set",
    "build_transfer",
    "decode_action",
    "proposal_preview",
]
