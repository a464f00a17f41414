"""Every way our contracts refuse, as a plain sentence with the next step.

``SENTENCES`` has one entry per custom error of the ABIs in ``chain/abi`` (a test compares) and
of Solidity itself. A template names the error's arguments; how each is written is decided by
its name: times as UTC, amounts in whole tokens, addresses and ids shortened, parameter keys by
the name their definition gave them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chain.addresses import to_checksum
from chain.contracts import codec_load
from chain.error_sentences import PANICS, SENTENCES, STATES
from chain.models import Log
from chain.rpc.errors import ContractReverted

#: Arguments that are moments, in Unix seconds.
_TIMES = frozenset(
    "allowedAt closedAt executableAt withdrawableAt until earliest latest deadline expiry "
    "timepoint clock timestamp".split()
)
#: Arguments that are amounts with 18 decimals.
_AMOUNTS = frozenset(
    "votes threshold balance allowance needed stake required available requested cap "
    "increasedSupply usedVotes remainingWeight amount".split()
)
#: Arguments that are spans, in seconds.
_SPANS = frozenset("delay minDelay used max votingPeriod newVoteExtension maxVoteExtension".split())
#: Errors in which those names are counts instead.
_COUNTS = frozenset({"NodeGpuCountInvalid", "NodeTooManyUnbonds", "ParameterOutOfBounds"})


def revert_sentence(error: ContractReverted) -> str:
    """Say why the contract refused and what to do next, in one or two plain sentences."""
    if error.code == "Panic":
        number = error.arguments.get("reason")
        what = PANICS.get(number if isinstance(number, int) else -1, "an internal check failed")
        return f"The contract stopped: {what}. Please report this; trying again will not help."
    if error.code == "Error":
        return f"The contract refused: {error.detail.rstrip('.')}."
    template = SENTENCES.get(error.code)
    if template is None:
        return _unknown(error)
    try:
        return template.format(**_written(error.code, error.arguments))
    except (KeyError, IndexError):  # an argument less than the template names
        return _unknown(error)


def _unknown(error: ContractReverted) -> str:
    if error.code == "reverted":
        return "The contract refused the call and gave no reason. Check the values and try again."
    return f"The contract refused the call ({error.code}). Check the values and try again."


def _written(code: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    return {name: _write(code, name, value) for name, value in arguments.items()}


def _write(code: str, name: str, value: Any) -> str:
    if name == "key":
        return parameter_name(value)
    if name == "current" and code == "GovernorUnexpectedProposalState":
        return STATES[value] if value < len(STATES) else str(value)
    if isinstance(value, bytes):
        return _write_bytes(name, value)
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value)
    return _write_int(code, name, value)


def _write_bytes(name: str, value: bytes) -> str:
    if len(value) == 20:
        text = to_checksum(value)
        return f"{text[:6]}…{text[-4:]}"
    if name in ("expected", "actual") and len(value) == 32:
        return str(int.from_bytes(value, "big"))
    word = value.rstrip(b"\0")
    if word and len(word) < 32 and word.isascii() and word.decode("ascii").isprintable():
        return word.decode("ascii")
    return f"0x{value.hex()[:8]}…"


def _write_int(code: str, name: str, value: int) -> str:
    if name in _TIMES:
        # A contract may name a time no calendar has (type(uint48).max for "never").
        if value < 253_402_300_800:
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M} UTC"
        return "never"
    if name in _AMOUNTS:
        return _amount(value)
    if name in _SPANS and code not in _COUNTS:
        return _span(value)
    if value >= 10**15:
        return f"{str(value)[:6]}…"
    return f"{value:,}"


def _amount(wei: int) -> str:
    whole, rest = divmod(wei, 10**18)
    digits = f"{rest:018d}"[:4].rstrip("0")
    return f"{whole:,}.{digits}" if digits else f"{whole:,}"


def _span(seconds: int) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds:,} seconds"


def parameter_name(key: bytes) -> str:
    """The name under which a parameter key was defined on chain, like ``attest.ttl``."""
    rows = Log.objects.filter(
        contract="NetworkParameters", event="ParameterDefined", canonical=True
    )
    for row in rows.iterator():
        if row.topics[32:64] == key:
            _, args = codec_load(row.contract).event_decode([row.topics[:32], key], row.data)
            return str(args["name"])
    return f"0x{key.hex()[:8]}…"
