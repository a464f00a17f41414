"""Tables of the chain app. Indexed tables have one writer, chain.indexer; see each docstring."""

from chain.models.index import (
    Block,
    ChainRead,
    Cursor,
    KeyTouch,
    Log,
    LogKey,
    ReorgEvent,
)
from chain.models.outbox import Signer, SignerAlarm, SignerEvent, TxAttempt, TxEvent, TxIntent
from chain.models.watch import WatchedContract

__all__ = [
    "Block",
    "ChainRead",
    "Cursor",
    "KeyTouch",
    "Log",
    "LogKey",
    "ReorgEvent",
    "Signer",
    "SignerAlarm",
    "SignerEvent",
    "TxAttempt",
    "TxEvent",
    "TxIntent",
    "WatchedContract",
]
