"""What a node can answer instead of a result, as a small tree.

JSON-RPC has no standard for errors beyond EIP-1474's numbers, and every provider words
them its own way; ``CLASSIFIER`` below is that knowledge, as data. The first row that fits
decides, so narrow rows stand before wide ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class RpcError(Exception):
    """Base of everything a node or the way to it does wrong."""

    code = "rpc_error"

    def __init__(self, detail: str, *, data: Any = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class RangeTooLarge(RpcError):
    """eth_getLogs asked for too many blocks or results; ask for fewer, at once."""

    code = "range_too_large"


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
    """The node knows the block but no longer keeps the state after it."""

    code = "state_unavailable"


class Inconsistent(RpcError):
    """The answer contradicts itself or another answer of the same node. Never stored."""

    code = "rpc_inconsistent"


class Transient(RpcError):
    """Something passing: a timeout, a closed connection, 5xx. Try again."""

    code = "rpc_transient"


class Permanent(RpcError):
    """The request itself is wrong for this node; trying again does not help."""

    code = "rpc_permanent"


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


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the classifier: fits if every given condition fits."""

    error: type[RpcError]
    pattern: re.Pattern[str] | None = None
    codes: frozenset[int] = frozenset()


def _rule(error: type[RpcError], pattern: str = "", codes: tuple[int, ...] = ()) -> Rule:
    compiled = re.compile(pattern, re.IGNORECASE) if pattern else None
    return Rule(error, compiled, frozenset(codes))


CLASSIFIER: tuple[Rule, ...] = (
    _rule(ContractReverted, codes=(3,)),
    _rule(ContractReverted, r"^(vm exception.*|execution )revert"),
    _rule(ContractReverted, r"out ?of ?gas|invalid opcode|stack underflow|invalidfeopcode"),
    _rule(RangeTooLarge, r"more than [\d,]+ results|response size (should not )?exceed"),
    _rule(RangeTooLarge, r"(block )?range (is )?(too (wide|large|big)|limit exceeded|greater)"),
    _rule(RangeTooLarge, r"(limited to|maximum|max(imum)? is|exceeds?).{0,40}(block )?range"),
    _rule(RangeTooLarge, r"ranges? over [\d,]+|(block )?range should work|reducing your block"),
    _rule(RangeTooLarge, r"try with this block range|too many (logs|results|blocks)"),
    _rule(RangeTooLarge, r"query (exceeds max|returned too|timeout exceeded)|result set too"),
    _rule(RangeTooLarge, r"max (block|range)|block count|getlogs.{0,60}(limit|up to)"),
    _rule(RateLimited, r"rate.?limit|too many requests|compute units|throttl|capacity exceeded"),
    _rule(RateLimited, r"request (count|limit)|requests per|quota|try again later|exceeded.*limit"),
    _rule(RateLimited, codes=(-32005, -32029, 429)),
    _rule(StateUnavailable, r"missing trie node|state.{0,40}(not available|unavailable|discarded)"),
    _rule(StateUnavailable, r"blockoutofrange|historical state|prun(ed|ing)|proof window"),
    _rule(StateUnavailable, r"archive|no state (available|found)|state at block"),
    _rule(BlockUnknown, r"unknown block|(block|header)[\w ]{0,20} not found|header for hash"),
    _rule(BlockUnknown, r"out of range|beyond (the )?head|after last accepted|unfinalized data"),
    _rule(BlockUnknown, r"resource not found|cannot find block|could not find block"),
    _rule(Permanent, codes=(-32600, -32601, -32602, -32004, -32006)),
    _rule(Permanent, r"method .{0,60}(not found|not supported|does not exist)|unauthori[sz]ed"),
    _rule(Transient, codes=(-32603, -32000, -32001, -32002, -32700)),
)


def classify(code: int, message: str, data: Any = None) -> RpcError:
    """Turn one JSON-RPC error object into an exception (not raised here).

    An error that fits no row is ``Transient``: a new wording must slow us down, not stop us.
    """
    text = f"{message} {data}" if isinstance(data, str) and not data.startswith("0x") else message
    for rule in CLASSIFIER:
        if rule.codes and code not in rule.codes:
            continue
        if rule.pattern is not None and rule.pattern.search(text) is None:
            continue
        if rule.error is ContractReverted:
            return ContractReverted(message, data=revert_bytes(data))
        return rule.error(message, data=data)
    return Transient(message, data=data)


def classify_http(status: int, body: str, retry_after: str | None) -> RpcError:
    """Turn an HTTP status other than 200 into an exception (not raised here)."""
    detail = f"HTTP {status}: {body[:200]}"
    if status == 429:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else 1.0
        return RateLimited(detail, retry_after_s=min(wait, 60.0))
    if status == 413:
        return RangeTooLarge(detail)
    if status in (408, 425) or status >= 500:
        return Transient(detail)
    return Permanent(detail)


def revert_bytes(data: Any) -> bytes:
    """Find the revert bytes in an error's ``data``; nodes nest them differently."""
    if isinstance(data, dict):
        data = data.get("data") or data.get("result") or data.get("output")
    if isinstance(data, str):
        match = re.search(r"0x([0-9a-fA-F]*)", data)
        if match and len(match.group(1)) % 2 == 0:
            return bytes.fromhex(match.group(1))
    return b""
