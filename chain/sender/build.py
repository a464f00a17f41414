"""An intent as an EIP-1559 transaction."""

from typing import Any

from chain.addresses import to_checksum
from chain.models import TxIntent
from chain.sender.fees import Fees

#: Gas of a plain transfer, which is what a cancel is.
_TRANSFER_GAS = 21_000


def transaction_build(intent: TxIntent, fees: Fees, *, cancel: bool = False) -> dict[str, Any]:
    """The fields to sign. A cancel sends nothing to the signer itself at the same nonce."""
    if intent.nonce is None or intent.gas_limit is None or intent.signer is None:
        raise ValueError(f"Intent {intent.pk} has no nonce yet.")
    return {
        "type": 2,
        "chainId": intent.chain_id,
        "nonce": intent.nonce,
        # eth_account refuses addresses whose checksum is not written out.
        "to": to_checksum(intent.signer.address if cancel else intent.to),
        "value": 0 if cancel else intent.value_wei,
        "data": b"" if cancel else intent.data,
        "gas": _TRANSFER_GAS if cancel else intent.gas_limit,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
    }
