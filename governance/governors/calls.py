"""The calls of somebody else's proposal, read where an ABI is known; raw bytes otherwise.

Everything here was written by strangers. A reading counts only where it encodes to the same bytes
again, and a signature of Governor Bravo only where it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chain.contracts import DeploymentInvalid, codec_load, contract_at
from chain.decoding import AbiError, ContractCodec, FunctionCodec
from governance.actions.decode import json_value
from governance.models import IndexedGovernor

_BITS = "|".join(str(bits) for bits in range(8, 257, 8))
_TYPE = (
    rf"(?:address|bool|string|bytes(?:[1-9]|[12]\d|3[0-2])?|u?int(?:{_BITS}))"
    r"(?:\[(?:[1-9]\d{0,2})?\])?"
)
#: A function's name and elementary types, or arrays of them: what a call's signature may name.
_SIGNATURE = re.compile(
    rf"(?P<name>[A-Za-z_$][A-Za-z0-9_$]{{0,99}})\((?P<types>(?:{_TYPE}(?:,{_TYPE}){{0,31}})?)\)\Z",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ReadCall:
    """One call for people. ``function`` is empty where it could not be read; ``source`` says by
    what it was: "abi" (the contract's own), "guess" (the selector alone, as a function that such
    contracts have) or "signature" (as proposed)."""

    target: str
    contract: str
    value_wei: int
    calldata: str
    signature: str
    function: str = ""
    source: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


def calls_read(governor: IndexedGovernor, calls: list[dict[str, str]]) -> list[ReadCall]:
    """Read a proposal's calls, in order."""
    return [_call_read(governor, call) for call in calls]


def _call_read(governor: IndexedGovernor, call: dict[str, str]) -> ReadCall:
    target = bytes.fromhex(call["target"][2:])
    data = bytes.fromhex(call["calldata"][2:])
    label, abi, kin = _contract_of(governor, target)
    plain = ReadCall(
        target=call["target"],
        contract=label,
        value_wei=int(call["value_wei"]),
        calldata=call["calldata"],
        signature=call["signature"],
    )
    for source, codec, payload in _codecs(abi, kin, call, data):
        try:
            values = codec.inputs.decode(payload)
            # What decodes but does not encode to the same bytes hides something.
            if codec.inputs.encode(tuple(values.values())) != payload:
                continue
        except AbiError:
            continue
        arguments = {name: json_value(value) for name, value in values.items()}
        return ReadCall(
            plain.target,
            plain.contract,
            plain.value_wei,
            plain.calldata,
            plain.signature,
            codec.signature,
            source,
            arguments,
        )
    return plain


def _contract_of(governor: IndexedGovernor, target: bytes) -> tuple[str, str, str]:
    """What stands at an address, for people; the ABI it is read by, and that of its next of kin.
    Empty where unknown."""
    known = {
        bytes(governor.address): ("the governor itself", governor.abi, "AlthingGovernor"),
        bytes(governor.timelock or b""): (
            "its timelock",
            governor.timelock_abi,
            "TimelockController",
        ),
        bytes(governor.token or b""): ("its token", "VotesToken", "ERC20"),
    }
    if target in known:
        return known[target]
    try:
        ours = contract_at(target) or ""
    except DeploymentInvalid:
        ours = ""  # without contracts of our own everything is somebody else's
    return ours, ours, "ERC20"


def _codecs(
    abi: str, kin: str, call: dict[str, str], data: bytes
) -> Iterator[tuple[str, FunctionCodec, bytes]]:
    """The functions that may explain a call, with the bytes each would read."""
    if call["signature"]:
        codec = signature_codec(call["signature"])
        if codec is not None and "signature_raw" not in call:
            yield "signature", codec, data
        return
    for source, name in (("abi", abi), ("guess", kin)):
        codec = _by_selector(codec_load(name), data) if name else None
        if codec is not None:
            yield source, codec, data[4:]


def _by_selector(abi: ContractCodec, data: bytes) -> FunctionCodec | None:
    try:
        return abi.function_by_selector(data[:4])
    except AbiError:
        return None


def signature_codec(signature: str) -> FunctionCodec | None:
    """The codec of ``name(type,…)`` as proposers to Governor Bravo write it; None where it is no
    such text."""
    match = _SIGNATURE.match(signature)
    if match is None:
        return None
    types = match["types"].split(",") if match["types"] else []
    inputs = [{"name": f"argument {i + 1}", "type": text} for i, text in enumerate(types)]
    return FunctionCodec({"name": match["name"], "inputs": inputs})
