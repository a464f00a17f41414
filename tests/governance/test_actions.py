"""Reading calls: plain words for what is known, raw bytes for what is not, never a failure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chain.addresses import to_checksum
from chain.contracts import contract, deployment
from governance.actions.build import build_custom_call, build_transfer
from governance.actions.decode import DecodedAction, decode_action
from governance.actions.parameters import ParameterInfo, parameter_key
from governance.errors import InputInvalid
from tests.governance.conftest import ALT, GOVERNOR, TIMELOCK, TOKEN

pytestmark = pytest.mark.chain

WHO = bytes.fromhex("11223344556677889900aabbccddeeff00112233")
TTL = ParameterInfo(parameter_key("attest.ttl"), "attest.ttl", "s", True)
INFOS = {TTL.key: TTL}


@pytest.fixture(autouse=True)
def _deployed(deployment: dict[str, Any]) -> None:
    """Contract names and addresses come from the deployment file."""


def read(name: str, function: str, *args: Any, value_wei: int = 0) -> DecodedAction:
    target = contract(name)
    return decode_action(
        index=0,
        target=target.address,
        value_wei=value_wei,
        calldata=target.encode(function, args),
        infos=INFOS,
    )


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def test_parameter_set() -> None:
    found = read("NetworkParameters", "set", (TTL.key,), (word(2700),), (word(1800),))
    assert found.kind == "parameter_set"
    assert found.parameters == [
        {
            "key": f"0x{TTL.key.hex()}",
            "name": "attest.ttl",
            "unit": "s",
            "expected": "2700",
            "proposed": "1800",
        }
    ]
    plain = found.summary.replace("\u202f", " ").replace("\u00a0", " ")
    assert plain == "Change attest.ttl from 2 700 s (45 min) to 1 800 s (30 min)."
    assert not found.is_dangerous


def test_an_unknown_key_is_shown_as_it_is() -> None:
    key = b"\x07" * 32
    found = read("NetworkParameters", "set", (key,), (word(1),), (word(2),))
    assert found.parameters[0]["name"] == f"0x{key.hex()}"


def test_payments_name_the_whole_recipient() -> None:
    alt = read(TOKEN, "transfer", WHO, 12_000 * ALT)
    assert (alt.kind, alt.recipient, alt.amount_wei) == ("transfer_erc20", WHO, 12_000 * ALT)
    assert alt.summary == f"Send 12\u202f000 ALT to {to_checksum(WHO)}."
    eth = decode_action(index=0, target=WHO, value_wei=15 * 10**17, calldata=b"", infos=INFOS)
    assert (eth.kind, eth.summary) == ("transfer_eth", f"Send 1.5 ETH to {to_checksum(WHO)}.")
    stranger = build_transfer(asset=f"0x{WHO.hex()}", recipient=WHO, amount_wei=5)
    token = decode_action(
        index=0, target=stranger.target, value_wei=0, calldata=stranger.calldata, infos=INFOS
    )
    assert token.kind == "transfer_erc20"
    assert "base units of the token" in token.summary


@pytest.mark.parametrize(
    ("name", "function", "args"),
    [
        (TIMELOCK, "grantRole", (bytes(32), WHO)),
        (TIMELOCK, "revokeRole", (bytes(32), WHO)),
        (GOVERNOR, "setGuardian", (WHO, 5)),
        (GOVERNOR, "setRoutine", (WHO, b"\1\2\3\4", True)),
        (GOVERNOR, "updateTimelock", (WHO,)),
        (GOVERNOR, "relay", (WHO, 0, b"")),
        ("NodeRegistry", "grantRole", (bytes(32), WHO)),
    ],
)
def test_changes_of_control_are_red(name: str, function: str, args: tuple[Any, ...]) -> None:
    found = read(name, function, *args)
    assert found.is_dangerous
    assert found.kind == "role_change"
    assert found.summary.startswith("Changes who controls ")
    assert to_checksum(WHO) in found.summary


@pytest.mark.parametrize(
    ("name", "function", "args", "words"),
    [
        (GOVERNOR, "setVotingDelay", (3600,), "Set the delay before voting to 1\u00a0h (3600 s)."),
        (GOVERNOR, "setVotingPeriod", (86400,), "Set the voting period to 1\u00a0d (86400 s)."),
        (GOVERNOR, "updateQuorumNumerator", (5,), "Set the quorum to 5\u00a0% of what can vote."),
        (TIMELOCK, "updateDelay", (60,), "Set the timelock delay to 1\u00a0min (60 s)."),
    ],
)
def test_settings(name: str, function: str, args: tuple[Any, ...], words: str) -> None:
    found = read(name, function, *args)
    assert (found.kind, found.summary) == ("governance_setting", words)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((3, True, 2_550), "Uphold case 3 and take 25.5\u00a0% of the stake it was opened over; "),
        ((3, True, 0), "Uphold case 3 and take nothing; the bond goes back to whoever opened it."),
        ((4, False, 0), "Reject case 4 as frivolous: its bond goes to the treasury."),
    ],
)
def test_decisions_of_cases(args: tuple[Any, ...], words: str) -> None:
    found = read("NodeRegistry", "decideCase", *args)
    assert found.kind == "contract_call"
    assert found.summary.startswith(words)
    assert not found.is_dangerous


def test_value_with_a_call_is_never_hidden() -> None:
    assert (
        "Sends 2 ETH with the call."
        in read(GOVERNOR, "setVotingDelay", 5, value_wei=2 * 10**18).summary
    )


def test_calldata_with_more_behind_it_is_unknown() -> None:
    data = contract(TOKEN).encode("transfer", (WHO, 1)) + b"\xde\xad"
    found = decode_action(
        index=0, target=deployment_address(TOKEN), value_wei=0, calldata=data, infos=INFOS
    )
    assert found.kind == "unknown"
    assert found.is_dangerous


def deployment_address(name: str) -> bytes:
    return deployment().address(name)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calldata=st.binary(max_size=300),
    contract_name=st.sampled_from([GOVERNOR, TOKEN, TIMELOCK, "NetworkParameters", ""]),
    function=st.sampled_from(["", "set", "transfer", "grantRole", "setGuardian", "propose"]),
)
def test_any_calldata_is_read_without_failing(
    calldata: bytes, contract_name: str, function: str
) -> None:
    target = deployment_address(contract_name) if contract_name else WHO
    if contract_name and function:
        codec = contract(contract_name).codec
        selectors = [item.selector for item in codec.functions if item.name == function]
        calldata = (selectors[0] if selectors else b"") + calldata
    found = decode_action(index=0, target=target, value_wei=0, calldata=calldata, infos=INFOS)
    assert found.summary
    assert found.calldata == calldata


@pytest.mark.parametrize(
    "args",
    [
        {"function": "setVotingDelay", "args": ["-1"]},
        {"function": "setVotingDelay", "args": []},
        {"function": "setVotingDelay", "args": ["0x1"]},
        {"function": "setVotingDelay", "args": [None]},
        {"function": "setVotingDelay", "args": [str(2**48)]},
        {"function": "setVotingDelay", "args": ["\u0663"]},
        {"function": "noSuchFunction", "args": []},
        {"function": "", "args": []},
        {"function": "setGuardian", "args": ["0x11", "5"]},
        {"calldata": b"x" * (64 * 1024 + 1)},
        {"calldata": b"", "value_wei": 2**256},
        {"calldata": b"", "value_wei": -1},
    ],
)
def test_custom_calls_refuse_what_does_not_fit(args: dict[str, Any]) -> None:
    with pytest.raises(InputInvalid):
        build_custom_call(target=deployment_address(GOVERNOR), **args)
