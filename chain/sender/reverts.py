"""Why the chain refused a transaction of ours that is in a block."""

from chain.contracts import revert_decode
from chain.errors_text import revert_sentence
from chain.models import TxIntent
from chain.rpc.client import RpcClient
from chain.rpc.errors import ContractReverted, RpcError
from chain.rpc.types import Receipt

_UNKNOWN = "The chain refused it, and the node cannot say why any more."


def revert_reason(client: RpcClient, intent: TxIntent, receipt: Receipt) -> str:
    """Run a reverted transaction again and say in plain words what refused it.

    First on the state its own block left: what made it fail (somebody else's transaction just
    before it) is in there. Then on the state before, for what only the block itself undid.
    """
    if intent.signer is None:
        return _UNKNOWN
    before = receipt.block_number - 1
    for block in (receipt.block_hash, before):
        try:
            client.eth_call(
                bytes(intent.to),
                bytes(intent.data),
                block,
                sender=bytes(intent.signer.address),
                value_wei=intent.value_wei,
                gas=intent.gas_limit,
            )
        except ContractReverted as error:
            return revert_sentence(revert_decode(error))
        except RpcError:
            continue
    if intent.gas_limit is not None and receipt.gas_used >= intent.gas_limit:
        return f"It used all the gas it was allowed ({intent.gas_limit:,} units)."
    return _UNKNOWN
