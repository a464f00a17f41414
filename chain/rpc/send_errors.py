"""What a node says to a signed transaction. "Already known" is no failure, and an error of
unknown wording says nothing about the transaction: it may well be on its way.

Every client words it its own way and none has a number for it, so ``TABLE`` below is that
knowledge, as data: the outcome, who says it, and the words. The first row that fits decides.
Sources: go-ethereum ``core/error.go`` and ``core/txpool/errors.go`` (op-geth and most L2
sequencers too), Nethermind ``AcceptTxResult.cs``, Besu ``RpcErrorType.java``, Erigon
``txpoolcfg.go`` (DiscardReason), Reth ``rpc-eth-types``, Anvil ``eth/error.rs``.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from chain.rpc.errors import RpcError


class SendOutcome(StrEnum):
    """What became of one broadcast."""

    ACCEPTED = "accepted"
    #: The node has it already.
    KNOWN = "known"
    #: The nonce is spent; by one of our own attempts or by somebody else: receipts will tell.
    NONCE_TOO_LOW = "nonce_too_low"
    #: The node lacks an earlier transaction of the account; both go out again.
    NONCE_GAP = "nonce_gap"
    #: Not taken for its fee; an attempt never accepted must be replaced at the same nonce.
    UNDERPRICED = "underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    #: Not these bytes, however often they come: a person has to look.
    REFUSED = "refused"
    #: Everything else, timeouts above all: unknown, so the same bytes go out again.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Wording:
    """One row: whoever of ``clients`` answers words that fit ``pattern`` means ``outcome``."""

    outcome: SendOutcome
    clients: str
    pattern: re.Pattern[str]


def _row(outcome: SendOutcome, clients: str, pattern: str) -> Wording:
    return Wording(outcome, clients, re.compile(pattern, re.IGNORECASE))


_KNOWN, _LOW, _GAP = SendOutcome.KNOWN, SendOutcome.NONCE_TOO_LOW, SendOutcome.NONCE_GAP
_CHEAP, _POOR = SendOutcome.UNDERPRICED, SendOutcome.INSUFFICIENT_FUNDS
_REFUSED, _UNKNOWN = SendOutcome.REFUSED, SendOutcome.UNKNOWN

TABLE: tuple[Wording, ...] = (
    # A full pool, or one that is busy with the account, may take the same bytes a second later.
    _row(_UNKNOWN, "geth op-geth reth", r"txpool is full|in-?flight transaction limit"),
    _row(_UNKNOWN, "erigon", r"(pending|basefee|queued) sub-pool is full"),
    _row(_UNKNOWN, "geth op-geth", r"future transaction tries to replace pending"),
    _row(_KNOWN, "geth op-geth reth erigon", r"already known"),
    _row(_KNOWN, "besu, older geth", r"\bknown transaction"),
    _row(_KNOWN, "nethermind", r"\bAlreadyKnown\b|\bOwnNonceAlreadyUsed\b"),
    _row(_KNOWN, "erigon", r"existing tx with same hash"),
    _row(_KNOWN, "anvil reth", r"already imported"),
    _row(_KNOWN, "providers", r"(transaction|tx) already exists|already in (the )?(mem)?pool"),
    _row(_LOW, "geth op-geth reth erigon besu anvil", r"nonce (is )?too low"),
    _row(_LOW, "nethermind", r"\bOldNonce\b"),
    _row(_LOW, "providers", r"nonce.{0,40}already (been )?used|invalid transaction nonce"),
    _row(_LOW, "erigon", r"^(internal_error: )?mined$"),
    _row(_GAP, "geth op-geth reth anvil besu", r"nonce (is )?too high|gapped.nonce"),
    _row(_GAP, "besu", r"nonce too (far|distant) in (the )?future"),
    _row(_GAP, "nethermind", r"\bNonceGap\b|\bNotCurrentNonceForDelegation\b"),
    _row(_CHEAP, "geth op-geth reth erigon anvil besu", r"underpriced"),
    _row(_CHEAP, "geth op-geth reth anvil", r"max ?fee ?per ?gas (is )?less than block base fee"),
    _row(_CHEAP, "nethermind", r"\bFeeTooLow(ToCompete)?\b|\bReplacementNotAllowed\b"),
    _row(_CHEAP, "erigon", r"fee too low|could not replace existing tx"),
    _row(_CHEAP, "besu", r"gas price below (configured minimum|current base fee)"),
    _row(
        _CHEAP, "besu, providers", r"maxfeepergas.{0,20}(low|less)|fee below|fee cap (less|lower)"
    ),
    _row(_CHEAP, "erigon", r"replaced by transaction with higher tip"),
    _row(_POOR, "geth op-geth reth erigon anvil", r"insufficient (funds|balance)"),
    _row(_POOR, "nethermind", r"\bInsufficientFunds\b"),
    _row(_POOR, "besu", r"upfront cost exceeds account balance|not enough (funds|balance)"),
    _row(_REFUSED, "geth op-geth reth erigon", r"exceeds block gas limit|gas limit too high"),
    _row(_REFUSED, "geth op-geth reth besu anvil", r"intrinsic gas (too|exceeds)"),
    _row(_REFUSED, "geth op-geth", r"exceeds the configured cap"),
    _row(_REFUSED, "besu", r"transaction fee cap exceeded|invalid signature"),
    _row(_REFUSED, "geth op-geth erigon", r"invalid sender|oversized data|negative value"),
    _row(_REFUSED, "geth op-geth reth besu", r"transaction type not (supported|valid)"),
    _row(_REFUSED, "reth anvil besu", r"invalid chain ?id|wrong chain ?id|chain ?id mismatch"),
    _row(_REFUSED, "nethermind", r"\b(GasLimitExceeded|SenderIsContract|TxTypeNotSupported)\b"),
    _row(_REFUSED, "nethermind", r"\b(FailedToResolveSender|Int256Overflow)\b"),
)


def send_outcome(error: RpcError) -> SendOutcome:
    """Read a node's refusal of ``eth_sendRawTransaction`` by its words.

    Not by the exception's kind: numbers are shared (Besu's -32005 is a gas limit, a provider's a
    rate limit).
    """
    for row in TABLE:
        if row.pattern.search(error.detail):
            return row.outcome
    return SendOutcome.UNKNOWN
