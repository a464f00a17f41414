"""A node's JSON-RPC, typed and checked. Imports no Django: usable alone."""

from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import (
    BlockUnknown,
    ContractReverted,
    Inconsistent,
    Permanent,
    RangeTooLarge,
    RateLimited,
    RpcError,
    StateUnavailable,
    Transient,
)
from chain.rpc.transport import HttpTransport, Transport
from chain.rpc.types import BlockHeader, RawLog, Receipt

__all__ = [
    "BlockHeader",
    "BlockUnknown",
    "Call",
    "ContractReverted",
    "HttpTransport",
    "Inconsistent",
    "Permanent",
    "RangeTooLarge",
    "RateLimited",
    "RawLog",
    "Receipt",
    "RpcClient",
    "RpcError",
    "StateUnavailable",
    "Transient",
    "Transport",
]
