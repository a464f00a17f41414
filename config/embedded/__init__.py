"""The real engines out of wheels, for one machine with nothing installed: PostgreSQL, Valkey and
anvil.

Used by `make demo` and by the test plug-in alike, and never in production. `python -m
config.embedded` starts them and prints their addresses, for working by hand.
"""

from config.embedded.anvil import AnvilServer, RpcFailed, rpc_call
from config.embedded.postgres import PostgresServer
from config.embedded.process import EmbeddedError, EngineBusy, EngineFailed, EngineMissing
from config.embedded.supervisor import Supervisor, terminate_as_interrupt
from config.embedded.valkey import ValkeyServer

__all__ = [
    "AnvilServer",
    "EmbeddedError",
    "EngineBusy",
    "EngineFailed",
    "EngineMissing",
    "PostgresServer",
    "RpcFailed",
    "Supervisor",
    "ValkeyServer",
    "rpc_call",
    "terminate_as_interrupt",
]
