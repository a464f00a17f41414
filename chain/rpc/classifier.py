"""Which error is meant by which words: a table, with whose words they are.

JSON-RPC has no standard for errors beyond EIP-1474's numbers, and every node and provider words
them its own way. The first row that fits decides, so narrow rows stand before wide ones; an
error that fits none is ``Transient``: a new wording must slow us down, not stop us. The names
say where a wording was seen, not that only they use it.
"""

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chain.rpc.errors import (
    BatchTooLarge,
    BlockUnknown,
    ContractReverted,
    Permanent,
    RangeTooLarge,
    RateLimited,
    RpcError,
    StateUnavailable,
    Transient,
)

#: Seconds: the longest wait that a node's words make us take at once.
RETRY_AFTER_MAX_S = 60.0
#: Characters of a message that are read: it is the node's, and may be long on purpose.
_TEXT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: fits if every given condition fits. ``seen`` names nodes and providers."""

    seen: str
    error: type[RpcError]
    pattern: re.Pattern[str] | None
    codes: frozenset[int]


def _rule(seen: str, error: type[RpcError], pattern: str = "", codes: tuple[int, ...] = ()) -> Rule:
    compiled = re.compile(pattern, re.IGNORECASE) if pattern else None
    return Rule(seen, error, compiled, frozenset(codes))


_REVERTED = (
    _rule("geth, Erigon, Reth, Besu, anvil", ContractReverted, codes=(3,)),
    _rule("geth, most", ContractReverted, r"^(vm exception.*|execution )revert|^revert"),
    _rule("Nethermind, OpenEthereum", ContractReverted, r"^vm execution error", (-32015,)),
    _rule("Arbitrum, Hardhat", ContractReverted, r"reverted (with|without) "),
    _rule("geth", ContractReverted, r"out ?of ?gas|gas required exceeds|intrinsic gas"),
    _rule("geth", ContractReverted, r"invalid (opcode|jump)|stack (under|over)flow|stack limit"),
    _rule("anvil, Reth", ContractReverted, r"evm ?error|invalidfeopcode|opcodenotfound"),
    _rule("geth", ContractReverted, r"max (code|initcode) ?size exceeded|write protection"),
)
_BATCH = (
    _rule("geth, Erigon, QuickNode", BatchTooLarge, r"batch (is )?(too large|size|limit|length)"),
    _rule("Alchemy, dRPC", BatchTooLarge, r"batch.{0,60}(exceed|maximum|limit|more than|up to)"),
    _rule("Reth, public gateways", BatchTooLarge, r"batch.{0,40}(not |un)(support|allow|avail)"),
    _rule("dRPC, Base", BatchTooLarge, r"(too many|maximum|exceed).{0,40}(in (a |the )?)?batch"),
)
_METHOD = (
    _rule("EIP-1474: method not found", Permanent, codes=(-32601,)),
    _rule("Alchemy, dRPC", Permanent, r"method .{0,80}(not available on|whitelist|unsupported)"),
)
_PASSED = (  # said of ranges, but not about their size
    _rule("geth, Reth", BlockUnknown, r"beyond (the )?(current )?(head|latest)|future block"),
    _rule("Avalanche", BlockUnknown, r"after last accepted|unfinalized data"),
    _rule("geth, Erigon, QuickNode", StateUnavailable, codes=(4444,)),
    _rule("geth, Nethermind", StateUnavailable, r"pruned history|history.{0,20}(pruned|expired)"),
)
_RANGE = (
    _rule("Infura, Alchemy, Linea", RangeTooLarge, r"more than [\d,]+ (results|logs|blocks)"),
    _rule("Alchemy, thirdweb", RangeTooLarge, r"response size (should not |is )?(exceed|too)"),
    _rule("Alchemy", RangeTooLarge, r"range should work|up to an? [\d,.]+k? block"),
    _rule("Alchemy", RangeTooLarge, r"query timeout exceeded|reduc\w+ (your|the) (block )?range"),
    _rule("Ankr, Moonbeam", RangeTooLarge, r"range (is )?too (wide|large|big|long)"),
    _rule("Chainstack, Infura", RangeTooLarge, r"range (limit )?exceed|range [\d,]+ exceed"),
    _rule("Tenderly, Scroll", RangeTooLarge, r"range.{0,20}(is )?(bigger|larger|greater) than"),
    _rule("BNB, PublicNode", RangeTooLarge, r"exceeds? (the )?max(imum)? (block )?range"),
    _rule("QuickNode, BlockPI, 1RPC, LlamaRPC", RangeTooLarge, r"limited to .{0,30}(range|block)"),
    _rule("dRPC", RangeTooLarge, r"ranges? over [\d,]+"),
    _rule("Infura, zkSync", RangeTooLarge, r"try with this block range"),
    _rule("Reth, Erigon", RangeTooLarge, r"exceeds max (results|logs|block)|retry with the range"),
    _rule("Avalanche", RangeTooLarge, r"too many (logs|results|blocks)"),
    _rule("Cloudflare", RangeTooLarge, r"\bmax range|(range|filter).{0,60}max(imum)? (is|range)"),
    _rule("Blast", RangeTooLarge, r"exceeds the range allowed"),
    _rule("Merkle, Polygon", RangeTooLarge, r"max (block|range)|block count"),
    _rule("Harmony, Sei", RangeTooLarge, r"smaller than size|maximum allowed (is|number)"),
    _rule("thirdweb, Arc", RangeTooLarge, r"(requested|query) (block )?range"),
    _rule("Gnosis, Erigon", RangeTooLarge, r"(response|result set|result|payload) (is )?too large"),
    _rule("Besu", RangeTooLarge, r"requested range exceeds|exceeds maximum rpc range"),
    _rule("Nethermind", RangeTooLarge, r"too many logs requested|max.{0,10}logs per response"),
    _rule("Moralis, Monad", RangeTooLarge, r"getlogs.{0,60}(limit|up to|exceed|maximum)"),
    _rule("Ankr, Monad", RangeTooLarge, r"exceeds (the )?(size|block|log) limit"),
)
_RATE = (
    _rule("most", RateLimited, r"rate.?limit|too many (requests|connections)|throttl"),
    _rule("Alchemy", RateLimited, r"compute units|capacity (limit )?exceeded|requests? capacity"),
    _rule("Infura", RateLimited, r"(request|daily) (count|rate) exceeded|requests? per (sec|day)"),
    _rule("QuickNode", RateLimited, r"request limit reached|\d+/(second|minute|day)"),
    _rule("Chainstack", RateLimited, r"exceeded the (rps|rpm|quota)|rps limit"),
    _rule("1RPC, Moralis", RateLimited, r"usage (limit|has been consumed)|max(imum)? usage|quota"),
    _rule(
        "Blast, dRPC", RateLimited, r"calls per (second|minute)|cu limit|credits? (limit|exceed)"
    ),
    _rule("BlockPI", RateLimited, r"try again (later|in)|retry (after|in) \d"),
    _rule("Tenderly, Ankr", RateLimited, codes=(-32029, -32090, 429)),
    _rule("Base, Optimism", RateLimited, r"over rate|exceeded.*limit", (-32016,)),
    _rule("EIP-1474: limit exceeded", RateLimited, codes=(-32005,)),
)
_STATE = (
    _rule("geth, Arbitrum", StateUnavailable, r"missing trie node|state.{0,60}not available"),
    _rule("geth", StateUnavailable, r"historical state|state.{0,40}(unavailable|discarded)"),
    _rule("Reth, Erigon", StateUnavailable, r"prun(ed|ing)|proof window"),
    _rule("Nethermind", StateUnavailable, r"no state (available|found)|state at block"),
    _rule("Besu", StateUnavailable, r"world ?state (unavailable|not)"),
    _rule("dRPC", StateUnavailable, r"unknown state|first available state"),
    _rule("anvil", StateUnavailable, r"blockoutofrange"),
    _rule("Chainstack, PublicNode, Ankr", StateUnavailable, r"\barchiv(e|al)"),
)
_BLOCK = (
    _rule("geth, Besu, Reth", BlockUnknown, r"unknown block|(block|header)[^.]{0,100}not found"),
    _rule("geth", BlockUnknown, r"header for hash|block.{0,40}(not yet|not available)"),
    _rule("Tenderly, OpenEthereum", BlockUnknown, r"blocks? .{0,80}cannot be found"),
    _rule("Nethermind, Erigon", BlockUnknown, r"(cannot|could not|can't) find (the )?(block|head)"),
    _rule("EIP-1474: resource not found", BlockUnknown, r"resource ?not ?found"),
    _rule("QuickNode, Polygon", BlockUnknown, r"out of range|beyond (the )?head"),
)
_REST = (
    _rule("geth", Permanent, r"insufficient (funds|balance)"),
    _rule("public gateways", Transient, r"no (available )?(backend|upstream|server|node)"),
    _rule("geth, gateways", Transient, r"time(d)? ?out|deadline exceeded|temporar|unavailable$"),
    _rule("Cloudflare", Transient, r"cannot fulfill|bad gateway|service unavailable"),
    _rule("EIP-1474", Permanent, codes=(-32600, -32601, -32602, -32004, -32006)),
    _rule("most", Permanent, r"method .{0,80}(not |un)(found|support|avail|allow|exist|whitelist)"),
    _rule("most", Permanent, r"method .{0,60}(does not exist|is not)|unsupported method"),
    _rule("most", Permanent, r"unauthori[sz]ed|forbidden|api.?key|must be authenticated"),
    _rule("EIP-1474", Transient, codes=(-32603, -32000, -32001, -32002, -32003, -32700)),
)
CLASSIFIER: tuple[Rule, ...] = (
    *_REVERTED, *_BATCH, *_METHOD, *_PASSED, *_RANGE, *_RATE, *_STATE, *_BLOCK, *_REST,
)  # fmt: skip

#: Where a message names blocks that would work: (from, to) in hex or decimal...
_SUGGESTED_RANGES = (
    ("Alchemy, Infura, zkSync", re.compile(r"\[\s*(0x[0-9a-f]+)\s*,\s*(0x[0-9a-f]+)\s*\]", re.I)),
    ("Reth, Erigon", re.compile(r"range\s+(\d+)\s*-\s*(\d+)", re.I)),
)
#: ...or how many. ``k`` stands for thousand.
_SUGGESTED_COUNTS = (
    ("Alchemy", re.compile(r"up to an? ([\d,]+)(k?) block", re.I)),
    ("1RPC, LlamaRPC", re.compile(r"limited to \d+ ?- ?([\d,]+)(k?)", re.I)),
    ("QuickNode, BlockPI", re.compile(r"limited to (?:an? )?([\d,]+)(k?)", re.I)),
    ("dRPC", re.compile(r"ranges? over ([\d,]+)(k?) blocks", re.I)),
    ("Blast", re.compile(r"\d+ > ([\d,]+)(k?)", re.I)),
    ("Tenderly, Infura", re.compile(r"(?:limit|limit of|range limit) ([\d,]+)(k?)\b", re.I)),
    ("most", re.compile(r"max(?:imum)?(?: (?:allowed|is|set|to|of|the|number|requested|blocks?|"
                        r"range|rpc|supported))*\W{1,4}([\d,]+)(k?)\b", re.I)),
    ("Harmony", re.compile(r"smaller than size ([\d,]+)(k?)", re.I)),
)  # fmt: skip
_BLOCKS_MAX = 10_000_000

_WAIT = re.compile(
    r"(?:retry|try again)(?: (?:after|in))?[\s:]+([\d.]{1,10})\s*(ms|milli|m(?:in|$|\b)|s|h)?", re.I
)


def classify(code: int, message: str, data: Any = None) -> RpcError:
    """Turn one JSON-RPC error object into an exception (not raised here)."""
    text = _text(message, data)
    for rule in CLASSIFIER:
        if rule.codes and code not in rule.codes:
            continue
        if rule.pattern is not None and rule.pattern.search(text) is None:
            continue
        if rule.error is ContractReverted:
            return ContractReverted(message, data=revert_bytes(data))
        if rule.error is RangeTooLarge:
            return RangeTooLarge(message, suggested=suggested(text), data=data)
        if rule.error is RateLimited:
            return RateLimited(message, retry_after_s=_wait_s(text, data), data=data)
        return rule.error(message, data=data)
    return Transient(message, data=data)


def _text(message: str, data: Any) -> str:
    """The words of an error: its message, and its data where that is words too."""
    extra = ""
    if isinstance(data, str) and not data.startswith("0x"):
        extra = data
    elif isinstance(data, Mapping):
        extra = " ".join(str(data[k]) for k in ("message", "payload", "details") if k in data)
    return f"{message[:_TEXT_MAX]} {extra[:_TEXT_MAX]}".strip()


def suggested(text: str) -> tuple[int, int] | int | None:
    """The blocks, or the number of blocks, that a message says would work."""
    for _, pattern in _SUGGESTED_RANGES:
        match = pattern.search(text)
        if match:
            first, last = int(match.group(1), 0), int(match.group(2), 0)
            if first <= last:
                return first, last
    for _, pattern in _SUGGESTED_COUNTS:
        match = pattern.search(text)
        digits = match.group(1).replace(",", "") if match else ""
        if match and digits and len(digits) < 9:
            blocks = int(digits) * (1000 if match.group(2) else 1)
            if 0 < blocks <= _BLOCKS_MAX:
                return blocks
    return None


def _wait_s(text: str, data: Any) -> float:
    """Seconds to wait, from the error's words or data; one where it does not say."""
    if isinstance(data, Mapping):
        rate = data.get("rate")
        for value in (
            rate.get("backoff_seconds") if isinstance(rate, Mapping) else None,  # Infura
            data.get("try_again_in"),  # Chainstack
            data.get("retry_after"),
        ):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return _bounded(float(value))
            if isinstance(value, str):
                text = f"retry in {value}"
    match = _WAIT.search(text)
    if match is None:
        return 1.0
    try:
        number = float(match.group(1))
    except ValueError:
        return 1.0
    unit = (match.group(2) or "s").lower()
    scale = {"ms": 0.001, "milli": 0.001, "h": 3600.0}.get(unit, 60.0 if unit[0] == "m" else 1.0)
    return _bounded(number * scale)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.05), RETRY_AFTER_MAX_S)


def classify_http(status: int, body: str, retry_after: str | None) -> RpcError:
    """Turn an HTTP status other than 200 into an exception (not raised here). Many gateways put
    a JSON-RPC error into the body; its words say more than the status.
    """
    error = _error_in(body)
    detail = error.detail if error is not None else f"HTTP {status}: {body[:200]}"
    if status == 429:
        wait = _retry_after_s(retry_after)
        if wait is None:
            wait = error.retry_after_s if isinstance(error, RateLimited) else 1.0
        return RateLimited(detail, retry_after_s=wait, data=error.data if error else None)
    if error is not None and type(error) is not Transient:
        return error
    if status == 413:
        return RangeTooLarge(detail)
    if status in (408, 425) or status >= 500:
        return Transient(detail)
    return Permanent(detail)


def _error_in(body: str) -> RpcError | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(answer, list) and answer:
        answer = answer[0]
    error = answer.get("error") if isinstance(answer, dict) else None
    return error_read(error) if isinstance(error, dict) else None


def error_read(error: Mapping[str, Any]) -> RpcError:
    """Read an error object of JSON-RPC 2.0."""
    code = error.get("code")
    message = str(error.get("message", ""))[:_TEXT_MAX]
    return classify(code if isinstance(code, int) else 0, message, error.get("data"))


def _retry_after_s(value: str | None) -> float | None:
    """The header Retry-After (RFC 9110, 10.2.3): seconds or a date."""
    if not value:
        return None
    if value.strip().isdigit() and len(value) < 9:
        return _bounded(float(value))
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return _bounded(moment.timestamp() - time.time())


def revert_bytes(data: Any) -> bytes:
    """Find the revert bytes in an error's ``data``; nodes nest them differently."""
    if isinstance(data, dict):
        data = data.get("data") or data.get("result") or data.get("output")
    if isinstance(data, str):
        match = re.search(r"0x([0-9a-fA-F]*)", data)
        if match and len(match.group(1)) % 2 == 0:
            return bytes.fromhex(match.group(1))
    return b""
