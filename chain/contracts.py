"""Our contracts by name: address from the deployment file, ABI from ``chain/abi``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from chain.addresses import parse_address, to_checksum
from chain.decoding import (
    AbiError,
    AbiUnknown,
    ContractCodec,
    FunctionCodec,
    text_from_bytes,
    text_to_bytes,
)
from chain.deployment import Deployment, DeploymentInvalid, deployment
from chain.rpc.errors import ContractReverted

__all__ = [
    "Contract",
    "Deployment",
    "DeploymentInvalid",
    "contract",
    "contract_at",
    "deployment",
    "revert_decode",
    "text_from_bytes",
    "text_to_bytes",
]

ABI_DIR = Path(__file__).resolve().parent / "abi"

#: EIP-20, for tokens that are not ours: ``contract("ERC20@0x...")``.
ERC20_ABI: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "inputs": [{"name": n, "type": t} for n, t in inputs],
        "outputs": [{"name": "", "type": output}],
        "stateMutability": mutability,
    }
    for name, inputs, output, mutability in (
        ("balanceOf", [("account", "address")], "uint256", "view"),
        ("decimals", [], "uint8", "view"),
        ("symbol", [], "string", "view"),
        ("totalSupply", [], "uint256", "view"),
        ("transfer", [("to", "address"), ("value", "uint256")], "bool", "nonpayable"),
        ("approve", [("spender", "address"), ("value", "uint256")], "bool", "nonpayable"),
    )
]


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract with its ABI. ``address`` is 20 bytes."""

    name: str
    address: bytes
    codec: ContractCodec

    def encode(self, function: str, args: Sequence[Any] = ()) -> bytes:
        """Calldata for ``function`` (a name, or a full signature where overloaded).

        Raises:
            AbiUnknown, AbiUnencodable
        """
        return self.codec.function(function, args).encode(args)

    def decode_input(self, calldata: bytes) -> tuple[str, dict[str, Any]]:
        """The function's name and its arguments by name.

        Raises:
            AbiUnknown, AbiInvalid
        """
        return self.codec.decode_input(calldata)

    def decode_output(self, function: str, args: Sequence[Any], data: bytes) -> Any:
        """What ``function`` returned. Raises AbiUnknown, AbiInvalid."""
        return self.codec.function(function, args).decode_output(data)

    def function(self, function: str) -> FunctionCodec:
        """The codec of a function. Raises AbiUnknown."""
        return self.codec.function(function)

    def selector(self, function: str) -> bytes:
        """The four bytes that name ``function`` in calldata. Raises AbiUnknown."""
        return self.codec.function(function).selector


@lru_cache(maxsize=64)
def codec_load(name: str) -> ContractCodec:
    """The codec of ``chain/abi/<name>.json`` (or the built-in ``ERC20``).

    Raises:
        DeploymentInvalid: ``abi_missing``.
    """
    if name == "ERC20":
        return ContractCodec(ERC20_ABI)
    path = ABI_DIR / f"{name}.json"
    if not path.is_file():
        raise DeploymentInvalid("abi_missing", f"No ABI of {name!r} in chain/abi.")
    return ContractCodec(json.loads(path.read_text(encoding="utf-8"))["abi"])


def contract(name: str) -> Contract:
    """A contract by its name in the deployment, or ``"<ABI>@0x<address>"`` for any other.

    Raises:
        DeploymentInvalid, AddressInvalid
    """
    abi, _, place = name.partition("@")
    address = parse_address(place) if place else deployment().address(abi)
    return Contract(name=name, address=address, codec=codec_load(abi))


def contract_at(address: bytes) -> str | None:
    """The name of our contract at ``address``, if it is ours."""
    return deployment().by_address.get(bytes(address))


def contract_at_name(abi: str, address: bytes) -> str:
    """The name that ``contract()`` takes for a contract outside the deployment."""
    return f"{abi}@{to_checksum(address)}"


def revert_decode(error: ContractReverted) -> ContractReverted:
    """Name a revert by the custom errors of all our contracts.

    An error raised deep inside another contract arrives with the outer call's data
    unchanged, so every ABI is asked, not only that of the contract called.
    """
    data = error.data if isinstance(error.data, bytes) else b""
    if len(data) < 4:
        return error
    for name in abi_names():
        try:
            code, arguments = codec_load(name).error_decode(data)
        except AbiUnknown:
            continue
        except AbiError:
            break
        detail = str(arguments["reason"]) if code == "Error" else error.detail
        return ContractReverted(detail, code=code, arguments=arguments, data=data)
    return error


@lru_cache(maxsize=1)
def abi_names() -> tuple[str, ...]:
    """The contracts with an ABI, our own first."""
    return (*sorted(path.stem for path in ABI_DIR.glob("*.json")), "ERC20")
