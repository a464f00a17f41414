"""The calls of somebody else's proposal, read where an ABI is known; raw bytes otherwise.

Everything here was written by strangers. A reading counts only where it encodes to the same bytes
again, and a signature of Governor Bravo only where it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chain.contracts import codec_load, contract_at
from chain.decoding import AbiError, ContractCodec, FunctionCodec
from governance.actions.decode import json_value
from governance.models import IndexedGovernor

#: A function's name and elementary types, arrays of them: what a call's signature may name.
_SIGNATURE = re.compile(
    r"(?P<name>[A-Za-z_$][A-Za-z0-9_$]{0,99})"
    r"\((?P<types>(?:(?:address|bool|string|bytes\d{0,2}|u?int\d{0,3})(?:\[\d{0,3}\])?,?){0,32})\)\Z",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ReadCall:
    """One call for people. ``function`` is empty where it could not be read; ``source`` says by
    what it was: "abi" (the contract's own), "erc20" (a guess) or "signature" (as proposed)."""

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
    label, abi = _contract_of(governor, target)
    plain = ReadCall(
        target=call["target"],
        contract=label,
        value_wei=int(call["value_wei"]),
        calldata=call["calldata"],
        signature=call["signature"],
    )
    for source, codec, payload in _codecs(abi, call, data):
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


def _contract_of(governor: IndexedGovernor, target: bytes) -> tuple[str, str]:
    """What stands at an address, for people, and the ABI it is read by; empty where unknown."""
    known = {
        bytes(governor.address): ("the governor itself", governor.abi),
        bytes(governor.timelock or b""): ("its timelock", governor.timelock_abi),
        bytes(governor.token or b""): ("its token", "VotesToken"),
    }
    if target in known:
        return known[target]
    ours = contract_at(target) or ""
    return ours, ours


def _codecs(
    abi: str, call: dict[str, str], data: bytes
) -> Iterator[tuple[str, FunctionCodec, bytes]]:
    """The functions that may explain a call, with the bytes each would read."""
    if call["signature"]:
        codec = signature_codec(call["signature"])
        if codec is not None and "signature_raw" not in call:
            yield "signature", codec, data
        return
    for source, name in (("abi", abi), ("erc20", "ERC20")):
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
    types = [text for text in match["types"].split(",") if text]
    if ",".join(types) != match["types"]:
        return None
    inputs = [{"name": f"argument {i + 1}", "type": text} for i, text in enumerate(types)]
    try:
        codec = FunctionCodec({"name": match["name"], "inputs": inputs})
    except (AbiError, ValueError):
        return None
    return codec if codec.signature == signature else None
