"""What a node says to a signed transaction. "Already known" is no failure, and an error of
unknown wording says nothing about the transaction: it may well be on its way.
"""

import re
from enum import StrEnum

from chain.rpc.errors import RpcError


class SendOutcome(StrEnum):
    """What became of one broadcast."""

    ACCEPTED = "accepted"
    #: The node has it already.
    KNOWN = "known"
    #: The nonce is spent; by one of our own attempts or by somebody else: receipts will tell.
    NONCE_TOO_LOW = "nonce_too_low"
    #: Not taken for its fee; an attempt never accepted must be replaced at the same nonce.
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    #: Everything else, timeouts above all: unknown, so the same bytes go out again.
    UNKNOWN = "unknown"


_TABLE: tuple[tuple[SendOutcome, str], ...] = (
    (SendOutcome.KNOWN, r"already (known|imported|in (the )?(mem)?pool)|known transaction"),
    (SendOutcome.KNOWN, r"already exists|alreadyknown"),
    (SendOutcome.NONCE_TOO_LOW, r"nonce (is )?too low|nonce.{0,30}already (been )?used|oldnonce"),
    (SendOutcome.UNDERPRICED, r"underpriced|fee too low|fee cap (less|lower) than"),
    (SendOutcome.UNDERPRICED, r"max fee per gas less than|maxfeepergas.{0,20}(low|less)|fee below"),
    (SendOutcome.INSUFFICIENT_FUNDS, r"insufficient (funds|balance)|not enough (funds|balance)"),
)


def send_outcome(error: RpcError) -> SendOutcome:
    """Read a node's refusal of ``eth_sendRawTransaction``."""
    for outcome, pattern in _TABLE:
        if re.search(pattern, error.detail, re.IGNORECASE):
            return outcome
    return SendOutcome.UNKNOWN
