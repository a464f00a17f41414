"""One call of a proposal, read: which function, which arguments, in plain words.

Nothing here fails on strange input: what cannot be read is ``unknown`` and keeps its raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.addresses import to_checksum
from chain.contracts import contract, contract_at, contract_at_name
from chain.decoding import AbiError
from governance.actions.describe import Reading, describe_call, describe_payment
from governance.actions.parameters import ParameterInfo, parameter_infos
from governance.models.proposals import ProposalKind


@dataclass(frozen=True, slots=True)
class DecodedAction:
    """A call as raw bytes and as we read it. ``args`` is JSON-safe; ``kind`` is one of the
    kinds of ``governance.models.ProposalAction``."""

    index: int
    target: bytes
    value_wei: int
    calldata: bytes
    contract: str
    function: str
    args: dict[str, Any]
    kind: str
    summary: str
    is_dangerous: bool = False
    parameters: list[dict[str, str]] = field(default_factory=list)
    recipient: bytes | None = None
    amount_wei: int | None = None

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Addresses among the arguments (a recipient, a grantee), in order."""
        return tuple(_addresses_in(self.args))


def decode_action(
    *,
    index: int,
    target: bytes,
    value_wei: int,
    calldata: bytes,
    infos: Mapping[bytes, ParameterInfo] | None = None,
) -> DecodedAction:
    """Read one call. ``infos`` spares a query when several calls are read."""
    if infos is None:
        infos = parameter_infos()
    name = contract_at(target) or ""
    if not calldata:
        reading = describe_payment(name, target, value_wei)
        return _action(index, target, value_wei, calldata, name, "", {}, reading)
    function, args = _decode_input(name, target, calldata)
    reading = describe_call(
        contract=name,
        target=target,
        value_wei=value_wei,
        calldata=calldata,
        function=function,
        args=args,
        infos=infos,
    )
    return _action(index, target, value_wei, calldata, name, function, args, reading)


def proposal_kind(actions: Sequence[DecodedAction], *, is_constitutional: bool) -> str:
    """What a proposal of these actions mostly does; see ``ProposalKind``."""
    kinds = {action.kind for action in actions}
    if kinds and kinds <= {"transfer_eth", "transfer_erc20", "mint"}:
        return ProposalKind.TREASURY
    if is_constitutional:
        return ProposalKind.CONSTITUTIONAL
    if kinds and kinds <= {"parameter_set"}:
        return ProposalKind.PARAMETER
    return ProposalKind.CUSTOM


def _action(
    index: int,
    target: bytes,
    value_wei: int,
    calldata: bytes,
    name: str,
    function: str,
    args: Mapping[str, Any],
    reading: Reading,
) -> DecodedAction:
    return DecodedAction(
        index=index,
        target=target,
        value_wei=value_wei,
        calldata=calldata,
        contract=name,
        function=function,
        args={key: json_value(value) for key, value in args.items()},
        kind=reading.kind,
        summary=reading.summary,
        is_dangerous=reading.is_dangerous,
        parameters=reading.parameters,
        recipient=reading.recipient,
        amount_wei=reading.amount_wei,
    )


def _decode_input(name: str, target: bytes, calldata: bytes) -> tuple[str, dict[str, Any]]:
    """By our own contract's ABI; for a stranger, by ERC-20's (a guess from the selector)."""
    known = contract(name) if name else contract(contract_at_name("ERC20", target))
    try:
        function, args = known.decode_input(calldata)
        # What decodes but does not encode to the same bytes hides something.
        if known.codec.function_by_selector(calldata[:4]).encode(tuple(args.values())) != calldata:
            return "", {}
    except AbiError:
        return "", {}
    return function, args


def json_value(value: Any) -> Any:
    """An ABI value as JSON: numbers as decimal strings, addresses in EIP-55, bytes in hex."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return to_checksum(value) if len(value) == 20 else f"0x{value.hex()}"
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return str(value)


def _addresses_in(value: Any) -> list[bytes]:
    if isinstance(value, str):
        is_address = value.startswith("0x") and len(value) == 42
        return [bytes.fromhex(value[2:])] if is_address else []
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [address for item in value for address in _addresses_in(item)]
    return []
