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
from chain.models.outbox import Signer, SignerEvent, TxAttempt, TxEvent, TxIntent

__all__ = [
    "Block",
    "ChainRead",
    "Cursor",
    "KeyTouch",
    "Log",
    "LogKey",
    "ReorgEvent",
    "Signer",
    "SignerEvent",
    "TxAttempt",
    "TxEvent",
    "TxIntent",
]
