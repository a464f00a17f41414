"""Ask the parameter contract what it would say of a change. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chain.client import ContractReverted, chain_call
from chain.errors_text import revert_sentence
from network.errors import Refused
from network.models import Parameter, ParameterKind

UINT256_DIGITS_MAX = 78


@dataclass(frozen=True, slots=True)
class Validation:
    """The contract's answer. ``code`` is the custom error's name, numbers in ``arguments`` are
    text."""

    ok: bool
    code: str = ""
    detail: str = ""
    parameter: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def parameters_validate(*, changes: Sequence[tuple[str, str]]) -> Validation:
    """Try a set of (name, value) against every rule on chain, at the newest block.

    Raises:
        Refused: ``parameter_unknown``, ``parameter_twice`` or ``value_malformed``.
        RpcError: the chain's node does not answer.
    """
    wanted = changes_resolve(changes)
    names = {parameter.key: parameter.name for parameter, _ in wanted}
    keys = tuple(parameter.key for parameter, _ in wanted)
    values = tuple(value for _, value in wanted)
    try:
        chain_call("NetworkParameters", "validate", (keys, values))
    except ContractReverted as error:
        return Validation(
            ok=False,
            code=error.code,
            detail=revert_sentence(error),
            parameter=names.get(error.arguments.get("key", b"")),
            arguments={name: _plain(value) for name, value in error.arguments.items()},
        )
    return Validation(ok=True, detail="The contract would accept this set now.")


def changes_resolve(changes: Sequence[tuple[str, str]]) -> list[tuple[Parameter, bytes]]:
    """Turn names and text into parameters and bytes32, in the ascending order ``set`` asks for.

    Raises:
        Refused: ``parameter_unknown``, ``parameter_twice`` or ``value_malformed``.
    """
    known = {row.name: row for row in Parameter.objects.filter(name__in=[n for n, _ in changes])}
    found: dict[bytes, tuple[Parameter, bytes]] = {}
    for name, text in changes:
        parameter = known.get(name)
        if parameter is None:
            raise Refused(
                "parameter_unknown", f"No parameter is named {name[:80]!r}.", {"name": name}
            )
        if parameter.key in found:
            raise Refused("parameter_twice", f"{name} stands twice in this set.", {"name": name})
        found[parameter.key] = (parameter, value_parse(parameter, text))
    return [found[key] for key in sorted(found)]


def value_parse(parameter: Parameter, text: str) -> bytes:
    """Read a value as text into the bytes32 the contract takes.

    Raises:
        Refused: ``value_malformed``.
    """
    if parameter.kind == ParameterKind.BYTES32:
        digits = text.removeprefix("0x")
        well_formed = len(digits) == 64 and text.startswith("0x") and digits.isascii()
        if well_formed and all(c in "0123456789abcdefABCDEF" for c in digits):
            return bytes.fromhex(digits)
        raise _malformed(parameter, "0x and 64 hexadecimal digits")
    if text.isascii() and text.isdigit() and len(text) <= UINT256_DIGITS_MAX:
        number = int(text)
        if number < 2**256:
            return number.to_bytes(32, "big")
    unit = f" in {parameter.unit}" if parameter.unit else ""
    raise _malformed(parameter, f"a whole number{unit}, digits only, below 2**256")


def _malformed(parameter: Parameter, wanted: str) -> Refused:
    return Refused(
        "value_malformed",
        f"The value of {parameter.name} must be {wanted}.",
        {"name": parameter.name, "unit": parameter.unit},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return str(value) if isinstance(value, int) else value
