"""The slicers agree with eth_abi on every valid input, and refuse or survive every other."""

from __future__ import annotations

import contextlib
from typing import Any

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chain.contracts import abi_names, codec_load
from chain.decoding import (
    AbiInvalid,
    AbiUnencodable,
    AbiUnknown,
    ContractCodec,
    EventCodec,
    FunctionCodec,
    LossyText,
    Params,
    text_from_bytes,
    text_to_bytes,
)

INTS = [8, 16, 24, 48, 64, 128, 160, 256]


@st.composite
def param_types(draw: Any, depth: int = 2) -> dict[str, Any]:
    """An ABI parameter: an elementary type, or arrays and tuples of such."""
    plain = st.one_of(
        st.sampled_from(["address", "bool", "string", "bytes"]),
        st.sampled_from(INTS).map(lambda bits: f"uint{bits}"),
        st.sampled_from(INTS).map(lambda bits: f"int{bits}"),
        st.integers(1, 32).map(lambda size: f"bytes{size}"),
    )
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return {"type": draw(plain), "name": ""}
    if draw(st.booleans()):
        inner = draw(param_types(depth=depth - 1))
        size = draw(st.sampled_from(["[]", "[1]", "[3]"]))
        return {**inner, "type": inner["type"] + size}
    count = draw(st.integers(1, 3))
    parts = [draw(param_types(depth=depth - 1)) for _ in range(count)]
    named = [{**part, "name": f"f{i}"} for i, part in enumerate(parts)]
    return {"type": "tuple", "components": named, "name": ""}


def values(param: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Python values of a parameter, as eth_abi takes them."""
    kind = param["type"]
    if kind.endswith("]"):
        inner, _, size = kind[:-1].rpartition("[")
        item = values({**param, "type": inner})
        low, high = (int(size), int(size)) if size else (0, 3)
        return st.lists(item, min_size=low, max_size=high).map(tuple)
    if kind == "tuple":
        return st.tuples(*(values(part) for part in param["components"]))
    if kind == "address":
        return st.binary(min_size=20, max_size=20)
    if kind == "bool":
        return st.booleans()
    if kind == "string":
        return st.text(max_size=70)
    if kind == "bytes":
        return st.binary(max_size=70)
    if kind.startswith("bytes"):
        size = int(kind[5:])
        return st.binary(min_size=size, max_size=size)
    bits = int(kind.lstrip("uint"))
    if kind.startswith("uint"):
        return st.integers(0, 2**bits - 1)
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def eth_abi_type(param: dict[str, Any]) -> str:
    kind = str(param["type"])
    if not kind.startswith("tuple"):
        return kind
    parts = ",".join(eth_abi_type(part) for part in param["components"])
    return f"({parts}){kind.removeprefix('tuple')}"


def normal(param: dict[str, Any], value: Any) -> Any:
    """A value in the slicers' shape: structs as dicts, addresses as bytes, NUL replaced."""
    kind = param["type"]
    if kind.endswith("]"):
        inner = {**param, "type": kind[:-1].rpartition("[")[0]}
        return tuple(normal(inner, item) for item in value)
    if kind == "tuple":
        parts = zip(param["components"], value, strict=True)
        return {part["name"]: normal(part, item) for part, item in parts}
    if kind == "address" and isinstance(value, str):
        return bytes.fromhex(value[2:])
    return value.replace("\0", "\ufffd") if kind == "string" else value


typed = st.lists(param_types(), min_size=1, max_size=4).flatmap(
    lambda params: st.tuples(st.just(params), st.tuples(*(values(p) for p in params)))
)


@settings(max_examples=400, deadline=None)
@given(typed)
def test_slicers_equal_eth_abi(case: tuple[list[dict[str, Any]], tuple[Any, ...]]) -> None:
    params, given_values = case
    types = [eth_abi_type(param) for param in params]
    data = eth_abi.encode(types, given_values)
    codec = Params(params)
    assert codec.types == types
    assert codec.encode(given_values) == data
    expected = eth_abi.decode(types, data)
    found = list(codec.decode(data).values())
    assert found == [normal(p, v) for p, v in zip(params, expected, strict=True)]


STATIC = st.sampled_from(
    ["address", "bool", "bytes4", "bytes32", "uint8", "uint48", "uint256", "int64", "int256"]
)


@st.composite
def events(draw: st.DrawFn) -> tuple[dict[str, Any], list[Any]]:
    """An event's ABI, some one-word arguments indexed, and values for it."""
    params = draw(st.lists(param_types(), max_size=4))
    named = [{**param, "name": f"p{i}"} for i, param in enumerate(params)]
    for index, kind in enumerate(draw(st.lists(STATIC, max_size=3))):
        place = draw(st.integers(0, len(named)))
        named.insert(place, {"name": f"i{index}", "type": kind, "indexed": True})
    return {"name": "E", "inputs": named}, [draw(values(param)) for param in named]


def event_log(abi: dict[str, Any], given_values: list[Any]) -> tuple[list[bytes], bytes]:
    """The log of an event, as eth_abi encodes it."""
    pairs = list(zip(abi["inputs"], given_values, strict=True))
    indexed = [(eth_abi_type(p), v) for p, v in pairs if p.get("indexed")]
    rest = [(eth_abi_type(p), v) for p, v in pairs if not p.get("indexed")]
    topics = [EventCodec(abi).topic0, *(eth_abi.encode([t], [v]) for t, v in indexed)]
    return topics, eth_abi.encode([t for t, _ in rest], [v for _, v in rest])


@settings(max_examples=400, deadline=None)
@given(events())
def test_slicers_of_events_equal_eth_abi(case: tuple[dict[str, Any], list[Any]]) -> None:
    abi, given_values = case
    found = EventCodec(abi).decode(*event_log(abi, given_values))
    assert list(found) == [param["name"] for param in abi["inputs"]]
    for param, value in zip(abi["inputs"], given_values, strict=True):
        kind = eth_abi_type(param)
        (expected,) = eth_abi.decode([kind], eth_abi.encode([kind], [value]))
        assert found[param["name"]] == normal(param, expected)


@settings(max_examples=400, deadline=None)
@given(events(), st.data())
def test_damaged_logs_are_refused_or_read_as_eth_abi_reads_them(
    case: tuple[dict[str, Any], list[Any]], data: st.DataObject
) -> None:
    abi, given_values = case
    topics, body = event_log(abi, given_values)
    raw = bytearray(b"".join(topics[1:]) + body)
    for _ in range(data.draw(st.integers(0, 4)) if raw else 0):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = 32 * (len(topics) - 1)
    words = [topics[0], *(bytes(raw[i : i + 32]) for i in range(0, cut, 32))]
    rest = bytes(raw[cut:])[: data.draw(st.integers(0, len(raw)))]
    try:
        found = EventCodec(abi).decode(words, rest)
    except AbiInvalid:
        return
    indexed = [p for p in abi["inputs"] if p.get("indexed")]
    plain = [p for p in abi["inputs"] if not p.get("indexed")]
    try:
        expected = dict(
            zip(
                [p["name"] for p in plain],
                eth_abi.decode([eth_abi_type(p) for p in plain], rest) if plain else (),
                strict=True,
            )
        )
        for param, word in zip(indexed, words[1:], strict=True):
            (expected[param["name"]],) = eth_abi.decode([eth_abi_type(param)], word)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return  # eth_abi refuses text that is not UTF-8, and pointers we need not care about
    assert found == {p["name"]: normal(p, expected[p["name"]]) for p in abi["inputs"]}


@settings(max_examples=400, deadline=None)
@given(typed, st.data())
def test_damaged_data_raises_abi_errors_only(
    case: tuple[list[dict[str, Any]], tuple[Any, ...]], data: st.DataObject
) -> None:
    params, given_values = case
    types = [eth_abi_type(param) for param in params]
    raw = bytearray(eth_abi.encode(types, given_values))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    damaged = bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        found = Params(params).decode(damaged)
    except AbiInvalid:
        return
    try:
        expected = eth_abi.decode(types, damaged)
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return  # eth_abi refuses text that is not UTF-8, and pointers we need not care about
    assert list(found.values()) == [normal(p, v) for p, v in zip(params, expected, strict=True)]


@settings(max_examples=300, deadline=None)
@given(st.lists(param_types(), min_size=1, max_size=3), st.binary(max_size=600))
def test_noise_never_escapes(params: list[dict[str, Any]], noise: bytes) -> None:
    with contextlib.suppress(AbiInvalid):
        Params(params).decode(noise)


@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b"a\0b")
@example(b"\xed\xa0\x80")
def test_text_is_total_and_keeps_its_bytes(raw: bytes) -> None:
    text = text_from_bytes(raw)
    assert "\0" not in text
    text.encode("utf-8")
    assert text_to_bytes(text) == raw
    assert isinstance(text, LossyText) == (b"\0" in raw or not _is_utf8(raw))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


VOTE_CAST = {
    "type": "event",
    "name": "VoteCast",
    "inputs": [
        {"name": "voter", "type": "address", "indexed": True},
        {"name": "proposalId", "type": "uint256"},
        {"name": "support", "type": "uint8"},
        {"name": "weight", "type": "uint256"},
        {"name": "reason", "type": "string"},
    ],
}


def vote(reason: bytes) -> bytes:
    return eth_abi.encode(["uint256", "uint8", "uint256", "bytes"], [7, 1, 10**18, reason])


def test_a_vote_with_a_reason_that_is_no_text_still_counts() -> None:
    codec = EventCodec(VOTE_CAST)
    topics = [codec.topic0, bytes(12) + b"\x11" * 20]
    args = codec.decode(topics, vote(b"bad \xff and \0 nul"))
    assert list(args) == ["voter", "proposalId", "support", "weight", "reason"]
    assert (args["voter"], args["weight"]) == (b"\x11" * 20, 10**18)
    assert args["reason"] == "bad \ufffd and \ufffd nul"
    assert text_to_bytes(args["reason"]) == b"bad \xff and \0 nul"


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([], vote(b"")),
        ([b"\x11" * 32, b"\xff" * 32], vote(b"")),
        ([b"\x11" * 32] * 3, vote(b"")),
        ([b"\x11" * 32, bytes(32)], vote(b"x")[:-1]),
        ([b"\x11" * 32, bytes(32)], b""),
    ],
    ids=["no-topics", "dirty-address", "too-many-topics", "short-padding", "no-data"],
)
def test_logs_that_do_not_fit_are_refused(topics: list[bytes], data: bytes) -> None:
    with pytest.raises(AbiInvalid):
        EventCodec(VOTE_CAST).decode(topics, data)


def test_a_length_that_claims_the_universe_is_refused_at_once() -> None:
    params = Params([{"type": "uint256[]", "name": "a"}])
    data = (32).to_bytes(32, "big") + (2**255).to_bytes(32, "big")
    with pytest.raises(AbiInvalid):
        params.decode(data)


def test_overloads_are_told_apart() -> None:
    codec = codec_load("AlthingGovernor")
    by_id = codec.function("queue", (1,))
    by_calls = codec.function("queue", ([], [], [], bytes(32)))
    assert (by_id.signature, len(by_calls.inputs.types)) == ("queue(uint256)", 4)
    assert codec.function("queue(uint256)") is by_id
    with pytest.raises(AbiUnknown):
        codec.function("queue")
    with pytest.raises(AbiUnknown):
        codec.function("nothing")


def test_calldata_round_trips_and_refuses_nonsense() -> None:
    codec = codec_load("AlthingGovernor")
    data = codec.function("castVoteWithReason").encode((7, 1, "because"))
    assert codec.decode_input(data) == (
        "castVoteWithReason",
        {"proposalId": 7, "support": 1, "reason": "because"},
    )
    for wrong, error in (
        (b"", AbiUnknown),
        (data[:3], AbiUnknown),
        (b"\0\0\0\0", AbiUnknown),
        (data[:40], AbiInvalid),
    ):
        with pytest.raises(error):
            codec.decode_input(wrong)
    with pytest.raises(AbiUnencodable):
        codec.function("castVote").encode((7, 256))
    with pytest.raises(AbiUnencodable):
        codec.function("castVote").encode((7,))


def test_structs_come_as_dicts_and_several_outputs_as_a_tuple() -> None:
    point = [{"name": "x", "type": "uint256"}, {"name": "note", "type": "string"}]
    struct = FunctionCodec(
        {"name": "f", "outputs": [{"name": "", "type": "tuple", "components": point}]}
    )
    data = eth_abi.encode(["(uint256,string)"], [(5, "five")])
    assert struct.decode_output(data) == {"x": 5, "note": "five"}
    several = FunctionCodec({"name": "g", "outputs": point})
    assert several.decode_output(eth_abi.encode(["uint256", "string"], [5, "five"])) == (5, "five")
    assert FunctionCodec({"name": "h"}).decode_output(b"") is None


def test_custom_errors_are_named() -> None:
    codec = codec_load("NetworkParameters")
    data = codec.errors[
        next(s for s, e in codec.errors.items() if e.name == "ParameterUnchanged")
    ].selector + bytes(32)
    assert codec.error_decode(data) == ("ParameterUnchanged", {"key": bytes(32)})
    reason = bytes.fromhex("08c379a0") + eth_abi.encode(["string"], ["no"])
    assert codec.error_decode(reason) == ("Error", {"reason": "no"})
    with pytest.raises(AbiUnknown):
        codec.error_decode(b"\x01\x02\x03\x04")


def test_every_abi_of_ours_builds() -> None:
    for name in abi_names():
        codec = codec_load(name)
        assert isinstance(codec, ContractCodec)
        assert codec.functions
