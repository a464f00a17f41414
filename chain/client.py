"""The nodes this service uses: one shared client, and calls by contract name."""

import atexit
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from chain import conf
from chain.contracts import contract, revert_decode
from chain.finality import finality
from chain.rpc.client import BlockRef, RpcClient
from chain.rpc.errors import ContractReverted
from chain.rpc.header_hash import HeaderTrust
from chain.rpc.pool import ProviderPool, ProviderScore
from chain.rpc.transport import HttpTransport
from chain.rpc.types import BlockHeader

__all__ = [
    "BlockHeader",
    "ContractReverted",
    "chain_call",
    "chain_head",
    "provider_scores",
    "rpc_client",
]

#: Gas of an eth_call from a page: a contract somebody else wrote must not spin for ever.
CALL_GAS_MAX = 30_000_000


#: EIP-155 ids of chains whose hashes are known to be those of their headers (Ethereum and its
#: test networks, OP Stack): there the first header is checked too, and nothing is to be learned.
_HASHED_CHAINS = frozenset({1, 10, 8453, 17000, 84532, 560048, 11155111, 11155420})


@lru_cache(maxsize=4)
def _client(urls: tuple[str, ...], chain_id: int, verify_headers: str) -> RpcClient:
    transports = [HttpTransport(url) for url in urls]
    for transport in transports:
        atexit.register(transport.close)
    pool = ProviderPool(transports, chain_id=chain_id)
    return RpcClient(pool, headers=header_trust(chain_id, verify_headers))


def header_trust(chain_id: int, verify_headers: str) -> HeaderTrust:
    """``auto`` is ``strict`` where the chain is known to hash its headers, else ``learn``."""
    if verify_headers == "auto":
        verify_headers = "strict" if chain_id in _HASHED_CHAINS else "learn"
    return HeaderTrust(verify_headers)


def rpc_client() -> RpcClient:
    """The client of ``RPC_URL`` and ``RPC_URLS``, shared by the process; safe between threads.
    A node of another chain than ``CHAIN_ID`` is not used."""
    return _client(conf.rpc_urls(), conf.chain_id(), conf.verify_headers())


def provider_scores() -> list[ProviderScore]:
    """What this process knows of each configured node."""
    return rpc_client().pool.scores()


def chain_call(
    contract_name: str,
    function: str,
    args: Sequence[Any] = (),
    block: BlockRef = "latest",
    *,
    sender: bytes | None = None,
    value_wei: int = 0,
) -> Any:
    """Call a view, or simulate a transaction from ``sender``, and decode what it returns.

    ``block`` is "latest", "finalized", a number or a 32-byte hash.

    Raises:
        ContractReverted: ``code`` is the custom error's name, ``arguments`` its arguments.
        RpcError: the node could not answer.
        AbiError: no such function, or arguments that do not fit it.
    """
    target = contract(contract_name)
    codec = target.codec.function(function, args)
    try:
        data = rpc_client().eth_call(
            target.address, codec.encode(args), block, sender=sender, value_wei=value_wei
        )
    except ContractReverted as error:
        raise revert_decode(error) from error
    return codec.decode_output(data)


def call_simulate(
    *, to: bytes, data: bytes, sender: bytes, value_wei: int = 0, block: BlockRef = "latest"
) -> bytes:
    """Run raw calldata as ``sender`` without sending it; return what it returns.

    Raises:
        ContractReverted: named by our contracts' custom errors where one fits.
        RpcError: the node could not answer.
    """
    try:
        return rpc_client().eth_call(to, data, block, sender=sender, value_wei=value_wei)
    except ContractReverted as error:
        raise revert_decode(error) from error


def chain_head() -> BlockHeader:
    """The node's newest block.

    Raises:
        RpcError: the node could not answer.
    """
    return rpc_client().header("latest")


def chain_finalized(head: BlockHeader) -> int:
    """Number of the newest final block: by the node's tag or the configured depth, and by the
    second node where there is one.

    Raises:
        RpcError: the node could not answer.
    """
    client = rpc_client()
    depth = conf.finality_depth()
    if depth is None:
        # A chain that has just begun has no finalized block yet.
        header = client.headers(["finalized"])[0]
        number = 0 if header is None else header.number
    else:
        number = max(0, head.number - depth)
    return finality(client, finalized_number=number).number
