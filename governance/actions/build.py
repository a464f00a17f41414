"""Calldata for what people propose. The server builds it; the browser and the chain check it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chain.addresses import parse_address
from chain.client import chain_call
from chain.contracts import contract, contract_at, contract_at_name, deployment
from chain.decoding import AbiError
from chain.rpc.errors import ContractReverted, RpcError
from governance.actions.parameters import parameter_key, value_encode
from governance.errors import ChainUnavailable, InputInvalid

UINT256_MAX = 2**256 - 1
#: Bytes: a call larger than this does not fit a block together with its proposal.
CALLDATA_MAX_BYTES = 64 * 1024
#: Parameters in one set: what the gas of one execution comfortably holds.
PARAMETERS_MAX = 20


@dataclass(frozen=True, slots=True)
class BuiltCall:
    """One call as the governor takes it."""

    target: bytes
    value_wei: int
    calldata: bytes


def build_parameter_set(changes: Sequence[tuple[str, int | bytes]]) -> BuiltCall:
    """``NetworkParameters.set`` for these (name, value) pairs, as one atomic set.

    The expected values are those in force by vote at the newest block, so a change in between
    makes the execution fail instead of overwriting it.

    Raises:
        InputInvalid: none or too many, a name twice, an unknown name, a value beyond uint256.
        ChainUnavailable: the node could not be asked for the current values.
    """
    if not 0 < len(changes) <= PARAMETERS_MAX:
        raise InputInvalid(
            f"One set changes between 1 and {PARAMETERS_MAX} parameters.",
            code="parameter_set_size",
        )
    names = [name for name, _ in changes]
    if len(set(names)) != len(names):
        raise InputInvalid("A parameter stands twice in the set.", code="parameter_twice")
    # The contract wants keys strictly ascending.
    rows = sorted((parameter_key(name), name, value) for name, value in changes)
    keys = tuple(key for key, _, _ in rows)
    expected = tuple(_current(key, name) for key, name, _ in rows)
    values = tuple(_word(value) for _, _, value in rows)
    calldata = contract("NetworkParameters").encode("set", (keys, expected, values))
    return BuiltCall(deployment().address("NetworkParameters"), 0, calldata)


def build_transfer(*, asset: str, recipient: bytes, amount_wei: int) -> BuiltCall:
    """A payment out of the treasury (the timelock).

    ``asset`` is ``"ETH"``, ``"ALT"`` or the address of an ERC-20 token; ``amount_wei`` is in the
    asset's base units.

    Raises:
        InputInvalid: amount not in 1..2**256-1, or an asset that is none of these.
    """
    if not 0 < amount_wei <= UINT256_MAX:
        raise InputInvalid("The amount must be more than zero.", code="amount_invalid")
    if asset == "ETH":
        return BuiltCall(recipient, amount_wei, b"")
    name = "AlthingToken" if asset == "ALT" else contract_at_name("ERC20", _asset(asset))
    token = contract(name)
    return BuiltCall(token.address, 0, token.encode("transfer", (recipient, amount_wei)))


def build_custom_call(
    *,
    target: bytes,
    value_wei: int = 0,
    calldata: bytes | None = None,
    function: str = "",
    args: Sequence[Any] = (),
) -> BuiltCall:
    """Any call: raw ``calldata``, or a function of one of our contracts with JSON ``args``.

    ``args`` hold decimal strings or ints, ``0x`` text for addresses and bytes, lists and booleans.

    Raises:
        InputInvalid: the target is not ours, no such function, or arguments that do not fit.
    """
    if not 0 <= value_wei <= UINT256_MAX:
        raise InputInvalid("The value must be a number of wei.", code="value_invalid")
    if calldata is None:
        calldata = _encode_by_abi(target, function, args)
    if len(calldata) > CALLDATA_MAX_BYTES:
        raise InputInvalid(
            f"A call has at most {CALLDATA_MAX_BYTES} bytes of data.", code="calldata_too_long"
        )
    return BuiltCall(target, value_wei, calldata)


def _encode_by_abi(target: bytes, function: str, args: Sequence[Any]) -> bytes:
    name = contract_at(target)
    if name is None:
        raise InputInvalid(
            "The functions of this contract are not known here; give the raw call data.",
            code="contract_unknown",
        )
    try:
        return contract(name).encode(function, [_abi_value(arg) for arg in args])
    except AbiError as error:
        raise InputInvalid(
            f"{name}.{function or '?'} does not take these arguments: {error.detail}",
            code="arguments_invalid",
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise InputInvalid("An argument does not fit.", code="arguments_invalid") from error


def _abi_value(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_abi_value(item) for item in value)
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("0x"):
            return bytes.fromhex(text[2:])
        if text.isascii() and text.lstrip("-").isdigit():
            return int(text)
    return value


def _current(key: bytes, name: str) -> bytes:
    try:
        return bytes(chain_call("NetworkParameters", "getVoted", (key,)))
    except ContractReverted as error:
        raise InputInvalid(
            f"There is no parameter {name!r}.", code="parameter_unknown", name=name
        ) from error
    except RpcError as error:
        raise ChainUnavailable("The chain's node does not answer. Try again shortly.") from error


def _word(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        if len(value) != 32:
            raise InputInvalid("A hash has 32 bytes.", code="value_invalid")
        return value
    if not 0 <= value <= UINT256_MAX:
        raise InputInvalid("A value lies between 0 and 2^256 - 1.", code="value_invalid")
    return value_encode(value)


def _asset(text: str) -> bytes:
    try:
        return parse_address(text)
    except ValueError as error:
        raise InputInvalid(
            "An asset is ETH, ALT or the address of a token.", code="asset_unknown"
        ) from error
