"""Plain English for the calls a proposal makes.

A sentence says what will be true afterwards, with whole addresses: a shortened address is how
the look-alike attacks of 2026 were hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chain.addresses import to_checksum
from chain.formatting import amount_text, duration_text, percent_text
from governance.actions.parameters import ParameterInfo, value_decode, value_text

#: Role ids of TimelockController are keccak256 of these names; the admin role is zero.
_ROLE_NAMES = ("PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE", "ATTESTOR_ROLE")
_CONTROL = "Changes who controls "


@dataclass(frozen=True, slots=True)
class Reading:
    """What a call means. See ``ProposalAction`` for the kinds."""

    kind: str
    summary: str
    is_dangerous: bool = False
    parameters: list[dict[str, str]] = field(default_factory=list)
    recipient: bytes | None = None
    amount_wei: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A decoded call on its way to a sentence."""

    contract: str
    target: bytes
    value_wei: int
    function: str
    args: Mapping[str, Any]
    infos: Mapping[bytes, ParameterInfo]

    def arg(self, position: int) -> Any:
        return list(self.args.values())[position]


def describe_payment(contract: str, target: bytes, value_wei: int) -> Reading:
    """A call without calldata: ETH, or nothing at all."""
    to = _party(contract, target)
    if value_wei == 0:
        return Reading("unknown", f"Call {to} with no data and no ETH.")
    return Reading(
        "transfer_eth",
        f"Send {_eth(value_wei)} to {to}.",
        recipient=target,
        amount_wei=value_wei,
    )


def describe_call(
    *,
    contract: str,
    target: bytes,
    value_wei: int,
    calldata: bytes,
    function: str,
    args: Mapping[str, Any],
    infos: Mapping[bytes, ParameterInfo],
) -> Reading:
    """A call with calldata. An undecoded one is ``unknown`` and says how long it is."""
    if not function:
        return _undecoded(contract, target, value_wei, calldata)
    call = Call(contract, target, value_wei, function, args, infos)
    describe = _BY_FUNCTION.get((contract, function)) or _BY_FUNCTION.get(("", function))
    reading = describe(call) if describe else _plain(call)
    if value_wei and reading.kind != "transfer_eth":
        return Reading(
            reading.kind,
            f"{reading.summary} Sends {_eth(value_wei)} with the call.",
            reading.is_dangerous,
            reading.parameters,
            reading.recipient,
            reading.amount_wei,
        )
    return reading


def _undecoded(contract: str, target: bytes, value_wei: int, calldata: bytes) -> Reading:
    selector = f"0x{calldata[:4].hex()}"
    money = f", sending {_eth(value_wei)}" if value_wei else ""
    return Reading(
        "unknown",
        f"Call {selector} of {_party(contract, target)} with {len(calldata)} bytes that could "
        f"not be decoded{money}.",
        is_dangerous=bool(contract),
    )


def _plain(call: Call) -> Reading:
    return Reading(
        "contract_call", f"Call {call.function} of {_party(call.contract, call.target)}."
    )


# --- parameters ---------------------------------------------------------------------


def _parameter_set(call: Call) -> Reading:
    keys, expected, values = (call.arg(place) for place in range(3))
    rows = [
        _parameter_row(key, old, new, call.infos)
        for key, old, new in zip(keys, expected, values, strict=False)
    ]
    sentences = [
        f"{row['name']} from {value_text(row['expected'], row['unit'])} "
        f"to {value_text(row['proposed'], row['unit'])}"
        for row in rows
    ]
    return Reading("parameter_set", f"Change {_joined(sentences)}.", parameters=rows)


def _parameter_row(
    key: bytes, old: bytes, new: bytes, infos: Mapping[bytes, ParameterInfo]
) -> dict[str, str]:
    info = infos.get(bytes(key))
    return {
        "key": f"0x{key.hex()}",
        "name": info.name if info else f"0x{key.hex()}",
        "unit": info.unit if info else "",
        "expected": value_decode(old, info),
        "proposed": value_decode(new, info),
    }


def _parameter_undo(call: Call) -> Reading:
    return Reading(
        "parameter_set",
        f"Undo parameter set {call.arg(0)}: its keys return to the values before it.",
    )


def _parameter_withdraw(call: Call) -> Reading:
    return Reading("parameter_set", f"Withdraw the pending parameter set {call.arg(0)}.")


def _parameter_define(call: Call) -> Reading:
    name = str(call.arg(0).get("name", "")) if isinstance(call.arg(0), Mapping) else ""
    return Reading("governance_setting", f"Define a new parameter {name} with its bounds.")


def _parameter_redefine(call: Call) -> Reading:
    key = bytes(call.arg(0))
    info = call.infos.get(key)
    name = info.name if info else f"0x{key.hex()}"
    return Reading("governance_setting", f"Replace the bounds and rules of {name}.")


# --- cases --------------------------------------------------------------------------


def _case_decide(call: Call) -> Reading:
    case_id, upheld, bps = (call.arg(place) for place in range(3))
    if not upheld:
        return Reading(
            "contract_call",
            f"Reject case {case_id} as frivolous: its bond goes to the treasury.",
        )
    share = percent_text(int(bps), 10_000, places=2)
    taken = f"take {share} of the stake it was opened over" if bps else "take nothing"
    return Reading(
        "contract_call",
        f"Uphold case {case_id} and {taken}; the bond goes back to whoever opened it.",
    )


# --- money --------------------------------------------------------------------------


def _token_transfer(call: Call) -> Reading:
    recipient, amount = call.arg(0), call.arg(1)
    return Reading(
        "transfer_erc20",
        f"Send {_tokens(call, amount)} to {to_checksum(recipient)}.",
        recipient=recipient,
        amount_wei=amount,
    )


def _token_approve(call: Call) -> Reading:
    spender, amount = call.arg(0), call.arg(1)
    return Reading(
        "contract_call",
        f"Allow {to_checksum(spender)} to take up to {_tokens(call, amount)} at any time.",
        is_dangerous=True,
        recipient=spender,
        amount_wei=amount,
    )


def _token_mint(call: Call) -> Reading:
    values = list(call.args.values())
    amount = next((value for value in values if isinstance(value, int)), 0)
    recipient = next((v for v in values if isinstance(v, bytes) and len(v) == 20), None)
    to = f" to {to_checksum(recipient)}" if recipient else " to the treasury"
    return Reading(
        "mint",
        f"Create {_tokens(call, amount)} anew{to}.",
        recipient=recipient,
        amount_wei=amount,
    )


def _token_delegate(call: Call) -> Reading:
    return Reading(
        "governance_setting",
        f"Delegate the treasury's votes to {to_checksum(call.arg(0))}.",
        is_dangerous=True,
        recipient=call.arg(0),
    )


# --- rules and roles ----------------------------------------------------------------


def _duration(what: str) -> Callable[[Call], Reading]:
    def describe(call: Call) -> Reading:
        seconds = int(call.arg(0))
        return Reading(
            "governance_setting", f"Set the {what} to {duration_text(seconds)} ({seconds} s)."
        )

    return describe


def _threshold(call: Call) -> Reading:
    return Reading(
        "governance_setting",
        f"Set the voting power needed to propose to {amount_text(int(call.arg(0)))} ALT.",
    )


def _quorum(call: Call) -> Reading:
    share = percent_text(int(call.arg(0)), 100)
    return Reading("governance_setting", f"Set the quorum to {share} of what can vote.")


def _guardian(call: Call) -> Reading:
    guardian = bytes(call.arg(0))
    if not any(guardian):
        sentence = "Changes who controls cancellation: end the guardian's term."
    else:
        sentence = f"{_CONTROL}cancellation: make {to_checksum(guardian)} the guardian."
    return Reading("role_change", sentence, is_dangerous=True, recipient=guardian)


def _routine(call: Call) -> Reading:
    target, selector, allowed = (call.arg(place) for place in range(3))
    verb = "Add" if allowed else "Remove"
    where = "to" if allowed else "from"
    return Reading(
        "role_change",
        f"{_CONTROL}what waits: {verb.lower()} function 0x{selector.hex()} of "
        f"{to_checksum(target)} {where} the routine list.",
        is_dangerous=True,
    )


def _role(verb: str) -> Callable[[Call], Reading]:
    def describe(call: Call) -> Reading:
        role, account = call.arg(0), call.arg(1)
        return Reading(
            "role_change",
            f"{_CONTROL}{call.contract or to_checksum(call.target)}: {verb} role "
            f"{role_name(role)} {'to' if verb == 'grant' else 'from'} {to_checksum(account)}.",
            is_dangerous=True,
            recipient=account,
        )

    return describe


def _control(call: Call) -> Reading:
    """Anything that replaces code, an owner, an admin or the path money takes."""
    accounts = [v for v in call.args.values() if isinstance(v, bytes) and len(v) == 20]
    whom = f" with {_joined([to_checksum(account) for account in accounts])}" if accounts else ""
    return Reading(
        "role_change",
        f"{_CONTROL}{_party(call.contract, call.target)}: {call.function}{whom}.",
        is_dangerous=True,
        recipient=accounts[0] if accounts else None,
    )


def role_name(role: bytes) -> str:
    """A role of AccessControl by name where it is one of the timelock's, else its hash."""
    from chain.signatures import keccak

    if not any(role):
        return "DEFAULT_ADMIN_ROLE"
    for name in _ROLE_NAMES:
        if keccak(name.encode("ascii")) == bytes(role):
            return name
    return f"0x{bytes(role).hex()}"


_BY_FUNCTION: dict[tuple[str, str], Callable[[Call], Reading]] = {
    ("NetworkParameters", "set"): _parameter_set,
    ("NetworkParameters", "undo"): _parameter_undo,
    ("NetworkParameters", "withdraw"): _parameter_withdraw,
    ("NetworkParameters", "define"): _parameter_define,
    ("NetworkParameters", "redefine"): _parameter_redefine,
    ("NodeRegistry", "decideCase"): _case_decide,
    ("", "transfer"): _token_transfer,
    ("", "approve"): _token_approve,
    ("AlthingToken", "mint"): _token_mint,
    ("AlthingToken", "delegate"): _token_delegate,
    ("AlthingGovernor", "setVotingDelay"): _duration("delay before voting"),
    ("AlthingGovernor", "setVotingPeriod"): _duration("voting period"),
    ("AlthingGovernor", "setLateQuorumVoteExtension"): _duration("late-quorum extension"),
    ("AlthingGovernor", "setProposalThreshold"): _threshold,
    ("AlthingGovernor", "updateQuorumNumerator"): _quorum,
    ("AlthingGovernor", "setGuardian"): _guardian,
    ("AlthingGovernor", "setProposalGuardian"): _control,
    ("AlthingGovernor", "setRoutine"): _routine,
    ("AlthingGovernor", "updateTimelock"): _control,
    ("AlthingGovernor", "relay"): _control,
    ("TimelockController", "updateDelay"): _duration("timelock delay"),
    ("", "grantRole"): _role("grant"),
    ("", "revokeRole"): _role("revoke"),
    ("", "renounceRole"): _role("renounce"),
    ("", "transferOwnership"): _control,
    ("", "upgradeTo"): _control,
    ("", "upgradeToAndCall"): _control,
    ("", "setAttestor"): _control,
}


def _party(contract: str, target: bytes) -> str:
    return f"{contract} ({to_checksum(target)})" if contract else to_checksum(target)


def _eth(amount_wei: int) -> str:
    return f"{amount_text(amount_wei, places=None)} ETH"


def _tokens(call: Call, amount: int) -> str:
    if call.contract == "AlthingToken":
        return f"{amount_text(amount, places=None)} ALT"
    return f"{amount} base units of the token {to_checksum(call.target)}"


def _joined(parts: list[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else "nothing"
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
