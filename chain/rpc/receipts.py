"""A transaction's receipt, parsed."""

from typing import Any

from chain.rpc.log_page import logs_parse
from chain.rpc.types import Receipt, field_of, hex_bytes, hex_int


def parse_receipt(source: Any) -> Receipt:
    """Read an ``eth_getTransactionReceipt`` result.

    Raises:
        Inconsistent: it is no receipt of a mined transaction.
    """
    logs = logs_parse(field_of(source, "logs"))
    gas_used = hex_int(field_of(source, "gasUsed"))
    gas_price, l1_fee = source.get("effectiveGasPrice"), source.get("l1Fee")
    return Receipt(
        transaction_hash=hex_bytes(field_of(source, "transactionHash"), 32),
        block_number=hex_int(field_of(source, "blockNumber")),
        block_hash=hex_bytes(field_of(source, "blockHash"), 32),
        ok=hex_int(field_of(source, "status")) == 1,
        gas_used=gas_used,
        logs=tuple(logs),
        fee_wei=gas_used * (hex_int(gas_price) if gas_price else 0)
        + (hex_int(l1_fee) if l1_fee else 0),
    )
