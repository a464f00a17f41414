"""A node's JSON-RPC, typed and checked. Imports no Django: usable alone."""

from chain.rpc.client import Call, RpcClient
from chain.rpc.errors import (
    BatchTooLarge,
    BlockUnknown,
    ContractReverted,
    Inconsistent,
    Permanent,
    RangeTooLarge,
    RateLimited,
    RpcError,
    StateUnavailable,
    Transient,
    WrongChain,
)
from chain.rpc.pool import ProviderPool, ProviderScore
from chain.rpc.transport import HttpTransport, Transport
from chain.rpc.types import BlockHeader, RawLog, Receipt

__all__ = [
    "BatchTooLarge",
    "BlockHeader",
    "BlockUnknown",
    "Call",
    "ContractReverted",
    "HttpTransport",
    "Inconsistent",
    "Permanent",
    "ProviderPool",
    "ProviderScore",
    "RangeTooLarge",
    "RateLimited",
    "RawLog",
    "Receipt",
    "RpcClient",
    "RpcError",
    "StateUnavailable",
    "Transient",
    "Transport",
    "WrongChain",
]
