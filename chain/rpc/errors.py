"""What a node can answer instead of a result, as a small tree.

::

    RpcError
        RangeTooLarge      ask for fewer blocks, at once; ``suggested`` says how many
        RateLimited        wait ``retry_after_s``
        BlockUnknown       the node does not have the block (yet, or any more)
        StateUnavailable   the node no longer keeps what came of the block
        Inconsistent       the answer contradicts itself, another, or a proof; ``evidence``
        WrongChain         the node serves another chain; it is never used
        Transient          something passing
        Permanent          the request is wrong for this node
            BatchTooLarge  so many requests at once
        ContractReverted   the contract refused the call

How the words and numbers of nodes map onto it: chain.rpc.classifier.
"""

from collections.abc import Mapping
from typing import Any

#: Characters kept of each side of a contradiction: enough to see it, not to fill a log.
EVIDENCE_MAX = 2_000


class RpcError(Exception):
    """Base of everything a node or the way to it does wrong."""

    code = "rpc_error"

    def __init__(self, detail: str, *, data: Any = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data
        #: Whose answer it was, by the name in the scores; empty where nobody was blamed yet.
        self.provider = ""


class RangeTooLarge(RpcError):
    """eth_getLogs asked for too many blocks or results; ask for fewer, at once.

    ``suggested`` is what the node offers, where its words say so: blocks (from, to), both
    included, or a number of blocks. Advice, not a promise: some name a limit above their real one.
    """

    code = "range_too_large"

    def __init__(
        self, detail: str, *, suggested: tuple[int, int] | int | None = None, data: Any = None
    ) -> None:
        super().__init__(detail, data=data)
        self.suggested = suggested

    @property
    def suggested_blocks(self) -> int | None:
        """Number of blocks the node says it would take."""
        if isinstance(self.suggested, tuple):
            return self.suggested[1] - self.suggested[0] + 1
        return self.suggested


class RateLimited(RpcError):
    """Too many requests; wait ``retry_after_s``."""

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_s: float = 1.0, data: Any = None) -> None:
        super().__init__(detail, data=data)
        self.retry_after_s = retry_after_s


class BlockUnknown(RpcError):
    """The node does not know the block (yet, or any more)."""

    code = "block_unknown"


class StateUnavailable(RpcError):
    """The node knows the block but no longer keeps the state (or history) of it."""

    code = "state_unavailable"


class Inconsistent(RpcError):
    """The answer contradicts itself, another answer or a proof. Never stored.

    ``evidence`` holds what was asked and what was answered, shortened, for the log.
    """

    code = "rpc_inconsistent"

    def __init__(
        self, detail: str, *, evidence: Mapping[str, object] | None = None, data: Any = None
    ) -> None:
        super().__init__(detail, data=data)
        self.evidence: dict[str, str] = {
            str(name)[:100]: str(value)[:EVIDENCE_MAX]
            for name, value in list((evidence or {}).items())[:10]
        }


class WrongChain(RpcError):
    """The node serves another chain than the configured one. Nothing is read from it."""

    code = "wrong_chain"


class Transient(RpcError):
    """Something passing: a timeout, a closed connection, 5xx. Try again."""

    code = "rpc_transient"


class Permanent(RpcError):
    """The request itself is wrong for this node; trying again does not help."""

    code = "rpc_permanent"


class BatchTooLarge(Permanent):
    """The node takes fewer requests at once, or one at a time."""

    code = "batch_too_large"


class ContractReverted(RpcError):
    """The contract refused the call.

    ``code`` is the custom error's name (``GovernorNonexistentProposal``), ``Error`` for a
    plain reason, ``Panic``, or ``reverted`` where the node gave no data. ``arguments`` holds
    the error's arguments by name, ``data`` the raw revert bytes. (Not called ``args``: an
    exception's own ``args`` is a tuple.)
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str = "reverted",
        arguments: Mapping[str, Any] | None = None,
        data: bytes = b"",
    ) -> None:
        super().__init__(detail, data=data)
        self.code = code
        self.arguments: dict[str, Any] = dict(arguments or {})
