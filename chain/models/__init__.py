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
from chain.models.outbox import (
    AccountNote,
    SendingAccount,
    Signer,
    SignerAlarm,
    SignerEvent,
    TxAttempt,
    TxEvent,
    TxIntent,
)
from chain.models.watch import WatchedContract

__all__ = [
    "AccountNote",
    "Block",
    "ChainRead",
    "Cursor",
    "KeyTouch",
    "Log",
    "LogKey",
    "ReorgEvent",
    "SendingAccount",
    "Signer",
    "SignerAlarm",
    "SignerEvent",
    "TxAttempt",
    "TxEvent",
    "TxIntent",
    "WatchedContract",
]
