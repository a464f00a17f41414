"""Would this transaction work? Asked before any wallet opens."""

from __future__ import annotations

from dataclasses import dataclass

from chain.client import rpc_client
from chain.contracts import contract_at, revert_decode
from chain.errors_text import revert_sentence
from chain.formatting import amount_text
from chain.rpc.errors import ContractReverted, RpcError
from governance.errors import ChainUnavailable, InputInvalid


@dataclass(frozen=True, slots=True)
class Simulation:
    """``gas`` in units, without headroom; ``detail`` a sentence when it would fail."""

    ok: bool
    gas: int | None = None
    code: str = ""
    detail: str = ""


def simulation_run(*, sender: bytes, to: bytes, data: bytes, value_wei: int = 0) -> Simulation:
    """Run a call as ``sender`` at the newest block.

    Only calls to our own contracts: the service is no open door to its node.

    Raises:
        InputInvalid: another contract.
        ChainUnavailable: the node did not answer.
    """
    if contract_at(to) is None:
        raise InputInvalid("This is none of the DAO's contracts.", code="contract_unknown")
    client = rpc_client()
    try:
        have_wei = client.balance_wei(sender)
        if have_wei < value_wei:
            # A node says this in words of its own, which are no revert and no sentence.
            return _short(have_wei, value_wei, gas=None)
        gas = client.estimate_gas(sender=sender, to=to, data=data, value_wei=value_wei)
        need_wei = gas * client.header("latest").base_fee_wei + value_wei
    except ContractReverted as error:
        named = revert_decode(error)
        return Simulation(False, None, named.code, revert_sentence(named))
    except RpcError as error:
        raise ChainUnavailable("The chain's node does not answer. Try again shortly.") from error
    return Simulation(True, gas) if have_wei >= need_wei else _short(have_wei, need_wei, gas=gas)


def _short(have_wei: int, need_wei: int, *, gas: int | None) -> Simulation:
    """Wallets say "insufficient funds" only after the prompt, and not how much is missing."""
    return Simulation(
        False,
        gas,
        "insufficient_funds",
        f"This account has {amount_text(have_wei, places=6)} ETH; the transaction needs about "
        f"{amount_text(need_wei, places=6)} ETH.",
    )
