"""An intent as an EIP-1559 transaction."""

from typing import Any

from chain.addresses import to_checksum
from chain.models import TxIntent
from chain.sender.fees import Fees

#: Gas of a plain transfer, which is what a cancel is.
TRANSFER_GAS = 21_000


def transaction_build(
    intent: TxIntent, *, nonce: int, gas_limit: int, fees: Fees
) -> dict[str, Any]:
    """The fields to sign. ``gas_limit`` in gas units."""
    return _fields(intent, nonce=nonce, fees=fees) | {
        "to": to_checksum(intent.to),
        "value": intent.value_wei,
        "data": bytes(intent.data),
        "gas": gas_limit,
    }


def cancel_build(intent: TxIntent, *, sender: bytes, nonce: int, fees: Fees) -> dict[str, Any]:
    """A transaction that does nothing but spend the intent's nonce: nothing, to the sender."""
    return _fields(intent, nonce=nonce, fees=fees) | {
        "to": to_checksum(sender),
        "value": 0,
        "data": b"",
        "gas": TRANSFER_GAS,
    }


def _fields(intent: TxIntent, *, nonce: int, fees: Fees) -> dict[str, Any]:
    # eth_account refuses addresses whose checksum is not written out, hence to_checksum above.
    return {
        "type": 2,
        "chainId": intent.chain_id,
        "nonce": nonce,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
    }
